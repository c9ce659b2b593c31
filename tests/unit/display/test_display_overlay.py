"""The overlay: honest scaling, and grey untouched where there is nothing to say."""

import numpy as np
import pytest

from medclassify.display import overlay, to_uint8
from medclassify.errors import UnsupportedImageError

GREY = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)


def test_a_map_of_zeros_leaves_the_image() -> None:
    picture = overlay(GREY, np.zeros_like(GREY), limit=1.0)
    assert picture.dtype == np.uint8
    assert picture.shape == (6, 8, 3)
    assert (picture == to_uint8(GREY)[..., np.newaxis]).all()


def test_colour_depends_on_the_limit_and_not_on_the_map_itself() -> None:
    noise = np.full_like(GREY, 0.01)
    noise[0, 0] = 0.02
    pale = overlay(GREY, noise, limit=10.0).astype(int)
    assert np.abs(pale - to_uint8(GREY)[..., np.newaxis].astype(int)).max() <= 1
    twice = overlay(GREY, noise * 500, limit=5000.0)
    assert (twice == pale).all()


def test_saliency_beyond_the_limit_saturates() -> None:
    assert (overlay(GREY, np.full_like(GREY, 3.0), limit=3.0) == overlay(GREY, np.full_like(GREY, 99.0), limit=3.0)).all()


def test_full_opacity_at_the_limit_is_the_pure_colour() -> None:
    assert overlay(GREY, np.full_like(GREY, 2.0), limit=2.0, opacity=1.0)[3, 3].tolist() == [213, 94, 0]


def test_what_speaks_against_is_coloured_only_on_request() -> None:
    against = np.full_like(GREY, -2.0)
    assert (overlay(GREY, against, limit=2.0) == to_uint8(GREY)[..., np.newaxis]).all()
    assert overlay(GREY, against, limit=2.0, opacity=1.0, show_against=True)[0, 0].tolist() == [0, 114, 178]


@pytest.mark.parametrize(
    ("saliency", "options", "message"),
    [
        (np.zeros((3, 3)), {"limit": 1.0}, r"the image's shape \(6, 8\), received \(3, 3\)"),
        (np.full((6, 8), np.nan), {"limit": 1.0}, "saliency holds values that are not finite"),
        (np.zeros((6, 8)), {"limit": 0.0}, "limit must be above 0, received 0"),
        (np.zeros((6, 8)), {"limit": float("nan")}, "limit must be above 0, received nan"),
        (np.zeros((6, 8)), {"limit": 1.0, "opacity": 1.5}, r"opacity must lie in \[0, 1\], received 1.5"),
    ],
)
def test_bad_input_says_what_is_wrong(saliency: np.ndarray, options: dict[str, float], message: str) -> None:
    with pytest.raises(UnsupportedImageError, match=message):
        overlay(GREY, saliency.astype(np.float32), **options)  # pyright: ignore[reportArgumentType]
