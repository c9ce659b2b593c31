"""PNG bytes, read back by an independent decoder."""

import cv2
import numpy as np
import pytest

from medclassify.display import png_bytes
from medclassify.errors import UnsupportedImageError


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 33), (1, 1, 3), (5, 7, 3), (33, 64, 3)])
def test_an_independent_decoder_reads_the_same_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    decoded = cv2.imdecode(np.frombuffer(png_bytes(pixels), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    expected = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    assert (decoded == expected).all()


def test_equal_pixels_give_equal_bytes_whatever_their_layout() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (10, 20), dtype=np.uint8)
    assert png_bytes(pixels) == png_bytes(np.asfortranarray(pixels))
    assert png_bytes(pixels[:, ::2]) == png_bytes(pixels[:, ::2].copy())


@pytest.mark.parametrize("pixels", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(UnsupportedImageError, match="a PNG needs uint8 pixels"):
        png_bytes(pixels)
