"""One inversion, never two: PS3.3 C.7.6.3.1.2 and C.8.11.3."""

import numpy as np
import pytest

from medclassify.dicom import read_image
from medclassify.dicom.polarity import invert, is_inverted

PIXELS = np.array([[0, 50, 100]], np.uint16)
WINDOW = {"WindowCenter": "50", "WindowWidth": "100", "VOILUTFunction": "LINEAR_EXACT"}
RISING, FALLING = [[0, 0.5, 1]], [[1, 0.5, 0]]


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "contradicts"),
    [
        ("MONOCHROME2", "", False, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME1", "", True, False),
        ("MONOCHROME1", "INVERSE", True, False),  # the DX object says it twice and means it once
        ("MONOCHROME1", "IDENTITY", True, True),
        ("MONOCHROME2", "INVERSE", True, True),
    ],
)
def test_polarity(build, photometric, shape, inverted, contradicts) -> None:
    facts = {"PresentationLUTShape": shape} if shape else {}
    path = build(PIXELS, PhotometricInterpretation=photometric, **WINDOW, **facts)
    image = read_image(path)
    np.testing.assert_allclose(image.pixels, FALLING if inverted else RISING)
    assert sum("inverted" in part for part in image.applied) == int(inverted)
    assert any("contradicts" in warning for warning in image.warnings) == contradicts
    assert is_inverted(photometric, shape)[0] is inverted
    # without VOI there is no polarity: the values stay what the detector wrote
    np.testing.assert_array_equal(read_image(path, window="none").pixels, PIXELS)


@pytest.mark.parametrize("window", ["percentile", "full"])
def test_every_window_is_inverted_alike(build, window) -> None:
    one = read_image(build(PIXELS, PhotometricInterpretation="MONOCHROME1"), window=window).pixels
    two = read_image(build(PIXELS, PhotometricInterpretation="MONOCHROME2", name="two.dcm"), window=window).pixels
    np.testing.assert_allclose(one, 1 - two, atol=1e-6)


def test_the_window_comes_before_the_inversion(build) -> None:
    """A window off the middle tells the two orders apart: black up to 75, then rising, then turned round."""
    path = build(
        np.array([[0, 75, 100, 125, 200]], np.uint16), PhotometricInterpretation="MONOCHROME1", WindowCenter="100",
        WindowWidth="50", VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    np.testing.assert_allclose(read_image(path).pixels, [[1, 1, 0.5, 0, 0]])


def test_a_negative_slope_is_not_an_inversion_by_itself(build) -> None:
    path = build(PIXELS, RescaleSlope="-1", RescaleIntercept="100", **WINDOW)
    np.testing.assert_allclose(read_image(path).pixels, FALLING)


def test_invert_works_in_place() -> None:
    grey = np.array([[0, 0.25, 1]], np.float32)
    assert invert(grey) is grey
    np.testing.assert_array_equal(grey, [[1, 0.75, 0]])
