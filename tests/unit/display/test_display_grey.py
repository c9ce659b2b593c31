"""The grey window and its rounding to bytes."""

import numpy as np
import pytest

from medclassify.display import apply_window, to_uint8
from medclassify.errors import UnsupportedImageError


@pytest.mark.parametrize(
    ("center", "width", "value", "expected"),
    [
        # Worked from the formula of PS3.3 C.11.2.1.2.1 by hand; its own examples: c=2048, w=4096 covers 0..4095 exactly.
        (2048, 4096, 0, 0.0),
        (2048, 4096, 4095, 1.0),
        (2048, 4096, 2047.5, 0.5),
        # c=2048, w=1: 0 up to 2047.5 and 1 above.
        (2048, 1, 2047, 0.0),
        (2048, 1, 2048, 1.0),
        # c=0, w=100: from -50 to 49.
        (0, 100, -50, 0.0),
        (0, 100, 49, 1.0),
        (0, 100, -0.5, 0.5),
        # c=0, w=1: above -0.5.
        (0, 1, -1, 0.0),
        (0, 1, 0, 1.0),
        # Far outside stays black and white.
        (-600, 1500, -3000, 0.0),
        (-600, 1500, 3000, 1.0),
    ],
)
def test_window_follows_the_standard(center: float, width: float, value: float, expected: float) -> None:
    grey = apply_window(np.array([[value]], dtype=np.float32), center, width)
    assert grey.dtype == np.float32
    assert grey[0, 0] == pytest.approx(expected, abs=1e-6)


def test_window_leaves_its_input_alone() -> None:
    hu = np.array([[-1000.0, 0.0, 1000.0]], dtype=np.float32)
    apply_window(hu, 0, 400)
    assert hu.tolist() == [[-1000.0, 0.0, 1000.0]]


@pytest.mark.parametrize(("center", "width"), [(0, 0.5), (0, -10), (float("nan"), 100), (0, float("inf"))])
def test_window_refuses_what_is_no_window(center: float, width: float) -> None:
    with pytest.raises(UnsupportedImageError, match="width must be at least 1"):
        apply_window(np.zeros((2, 2), dtype=np.float32), center, width)


def test_bytes_are_rounded_not_truncated() -> None:
    image = np.array([[0.0, 0.5, 1.0, 254.6 / 255, 1.0005, -0.0005]], dtype=np.float32)
    assert to_uint8(image).tolist() == [[0, 128, 255, 255, 255, 0]]
    assert to_uint8(image).dtype == np.uint8


def test_hounsfield_units_are_not_taken_for_grey() -> None:
    with pytest.raises(UnsupportedImageError, match=r"received -1000 to 400: these are not grey levels yet"):
        to_uint8(np.array([[-1000.0, 400.0]], dtype=np.float32))


def test_nan_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="not finite"):
        to_uint8(np.array([[0.5, np.nan]], dtype=np.float32))


@pytest.mark.parametrize("shape", [(4,), (2, 2, 3), (0, 5)])
def test_only_a_flat_picture_is_shown(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedImageError, match=r"image must be \(height, width\)"):
        to_uint8(np.zeros(shape, dtype=np.float32))
