import numpy as np
import pytest
from pydicom import uid

from medclassify.dicom import read_image
from medclassify.dicom.padding import fill_padding, padding_mask


def test_a_range_of_padding_lies_on_either_side() -> None:
    stored = np.array([[0, 1, 2, 3, 4]], np.uint16)
    assert padding_mask(stored, 2, None).tolist() == [[False, False, True, False, False]]
    assert padding_mask(stored, 2, 4).tolist() == padding_mask(stored, 4, 2).tolist() == [[False, False, True, True, True]]


def test_padding_takes_the_darkest_valid_value() -> None:
    mask = np.array([[True, False, False]])
    values = np.array([[-2000, -5, 9]], np.float32)
    assert fill_padding(values.copy(), mask, bright_is_low=False) == -5
    assert fill_padding(values, mask, bright_is_low=True) == 9
    np.testing.assert_array_equal(values, [[9, -5, 9]])


def test_ct_padding_is_no_hounsfield_value(build) -> None:
    pixels = np.array([[-2000, 0, 24], [1024, 1100, -2000]], np.int16)
    path = build(pixels, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024", PixelPaddingValue=-2000)
    image = read_image(path, window="none")
    np.testing.assert_array_equal(image.pixels, [[-1024, -1024, -1000], [0, 76, -1024]])
    assert image.applied == (
        "rescale slope=1 intercept=-1024",
        "padding (33.3% of the pixels) set to -1024, the darkest valid value",
    )


def test_a_padding_value_whose_sign_was_lost(build) -> None:
    """63536 is what −2000 looks like without its sign; explicit VR files carry it as US."""
    pixels = np.array([[-2000, 0, 24]], np.int16)
    path = build(pixels, PixelPaddingValue=-2000)
    data = path.read_bytes().replace(b"\x28\x00\x20\x01SS", b"\x28\x00\x20\x01US")
    path.write_bytes(data)
    np.testing.assert_array_equal(read_image(path, window="none").pixels, [[0, 0, 24]])


def test_in_implicit_vr_the_padding_value_has_the_pixels_sign(build) -> None:
    path = build(np.array([[-2000, 0, 24]], np.int16), syntax=uid.ImplicitVRLittleEndian, PixelPaddingValue=-2000)
    np.testing.assert_array_equal(read_image(path, window="none").pixels, [[0, 0, 24]])


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("window", ["voi", "percentile", "full"])
def test_padding_is_black_and_stretches_nothing(build, photometric, window) -> None:
    """Half the picture is padding at the far end of the range; the other half must look as if it were not there."""
    valid = np.linspace(1000, 2000, 400).astype(np.uint16).reshape(20, 20)
    for padding in (0, 4095):
        pixels = np.hstack([valid, np.full((20, 20), padding, np.uint16)])
        facts = {"PhotometricInterpretation": photometric, "BitsStored": 12, "HighBit": 11}
        padded = read_image(build(pixels, PixelPaddingValue=padding, **facts), window=window).pixels
        alone = read_image(build(valid, name="alone.dcm", **facts), window=window).pixels
        np.testing.assert_allclose(padded[:, :20], alone, atol=1e-6)
        assert (padded[:, 20:] == 0).all()


def test_a_range_of_padding_from_the_file(build) -> None:
    pixels = np.array([[0, 3, 10, 20]], np.uint16)
    image = read_image(build(pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=5), window="none")
    np.testing.assert_array_equal(image.pixels, [[10, 10, 10, 20]])


def test_an_image_that_is_all_padding_is_flagged_and_kept(build) -> None:
    image = read_image(build(np.full((3, 3), 5, np.uint16), PixelPaddingValue=5), window="none")
    assert image.warnings[0] == "every pixel is Pixel Padding Value (0028,0120) 5: taken as image"
    assert (image.pixels == 5).all()


def test_a_padding_value_that_occurs_nowhere_leaves_no_trace(build) -> None:
    assert read_image(build(np.array([[1, 2]], np.uint16), PixelPaddingValue=9), window="none").applied == ()
