"""Colour becomes the luma of BT.601, whatever stores it; pydicom's own decoders are the second opinion."""

import struct
import warnings

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.pixels.processing import apply_color_lut

from medclassify.dicom import read_image
from medclassify.dicom.colour import EQUAL, MADE_GREY, WARNING
from medclassify.errors import DecodeError

COLOUR = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
LUMA = COLOUR @ np.array([0.299, 0.587, 0.114])


def rgb(build, pixels: np.ndarray, frame=None, syntax: str = "", **facts):
    """A file of three samples; the builder's own facts are of grey ones."""
    data = pixels.tobytes()
    facts = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, **facts}
    if frame is None:
        facts["PixelData"] = facts.get("PixelData", data + b"\0" * (len(data) % 2))
    return build(pixels[..., 0], frame, syntax, **facts)


def test_red_green_and_blue_by_hand(build) -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 10, 10]]], np.uint8)
    image = read_image(rgb(build, pixels), window="none")
    np.testing.assert_allclose(image.pixels, [[76.245, 149.685, 29.07, 10]], atol=1e-4)
    assert image.applied == (MADE_GREY,) and image.warnings == (WARNING,)
    full = read_image(rgb(build, pixels), window="full")
    np.testing.assert_allclose(full.pixels, [[0.299, 0.587, 0.114, 10 / 255]], atol=1e-6)


def test_equal_channels_are_grey_without_a_warning(build) -> None:
    image = read_image(rgb(build, np.repeat(COLOUR[..., :1], 3, axis=2)), window="none")
    np.testing.assert_array_equal(image.pixels, COLOUR[..., 0])
    assert image.applied == (EQUAL,) and image.warnings == ()


def test_planes_and_pixels_are_the_same_picture(build) -> None:
    planes = np.moveaxis(COLOUR, 2, 0).tobytes()
    image = read_image(rgb(build, COLOUR, PlanarConfiguration=1, PixelData=planes), window="none")
    np.testing.assert_allclose(image.pixels, LUMA, atol=1e-4)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode),
        (uid.JPEG2000Lossless, lambda p: imagecodecs.jpeg2k_encode(p, level=0, codecformat="j2k", reversible=True)),
        (uid.JPEGLosslessSV1, lambda p: imagecodecs.jpeg8_encode(p, lossless=True, predictor=1)),
    ],
)
def test_lossless_colour(build, syntax, encode) -> None:
    path = rgb(build, COLOUR, bytes(encode(COLOUR)), syntax)
    np.testing.assert_allclose(read_image(path, window="none").pixels, LUMA, atol=1e-4)


BUNDLED = [
    ("SC_jpeg_no_color_transform.dcm", 0.01),
    ("SC_jpeg_no_color_transform_2.dcm", 0.01),
    ("SC_rgb_dcmtk_+eb+cr.dcm", 0.01),
    ("SC_rgb_gdcm_KY.dcm", 0.01),
    ("SC_rgb_jpeg.dcm", 0.01),
    ("SC_rgb_jpeg_app14_dcmd.dcm", 0.01),
    ("SC_rgb_rle.dcm", 0.01),
    ("SC_rgb_rle_16bit_2frame.dcm", 0.01),
    ("SC_rgb_rle_32bit.dcm", 256),  # of 2^32: a float32 has no finer steps there
    ("SC_rgb_small_odd_big_endian.dcm", 0.01),
    ("ExplVR_BigEnd.dcm", 0.01),
    ("examples_jpeg2k.dcm", 0.01),
    ("examples_palette.dcm", 0.01),
    ("examples_rgb_color.dcm", 0.01),
    # luminance is read as stored; on the way through rounded and clipped RGB, pydicom loses some of it
    ("SC_rgb_jpeg_dcmtk.dcm", 2),
    ("SC_rgb_small_odd_jpeg.dcm", 1),
    ("SC_ybr_full_422_uncompressed.dcm", 2),
    ("SC_rgb_dcmtk_+eb+cy+s4.dcm", 2),
    ("SC_rgb_dcmtk_+eb+cy+np.dcm", 9),
    ("examples_ybr_color.dcm", 7),
]


@pytest.mark.parametrize(("name", "tolerance"), BUNDLED)
def test_equals_pydicom(bundled, name, tolerance) -> None:
    ds = pydicom.dcmread(bundled(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = ds.pixel_array
    if int(ds.get("NumberOfFrames", 1)) > 1:
        pixels = pixels[0]
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, ds)
    image = read_image(bundled(name), window="none", frame=0)
    np.testing.assert_allclose(image.pixels, pixels.astype(float) @ [0.299, 0.587, 0.114], atol=tolerance)
    assert image.warnings == (WARNING,)


def palette(entries: list[int], first: int = 0, bits: int = 16) -> dict[str, object]:
    facts: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        facts[f"{colour}PaletteColorLookupTableDescriptor"] = [len(entries), first, bits]
        facts[f"{colour}PaletteColorLookupTableData"] = struct.pack(f"<{len(entries)}H", *entries)
    return facts


def test_a_grey_palette_by_hand(build) -> None:
    path = build(np.array([[0, 1, 2, 9]], np.uint8), **palette([100, 200, 65535], first=1))
    image = read_image(path, window="none")
    np.testing.assert_array_equal(image.pixels, [[100, 100, 200, 65535]])
    assert image.applied == (f"palette; {EQUAL}",) and image.warnings == ()
    np.testing.assert_allclose(read_image(path, window="full").pixels, image.pixels / 65535, rtol=1e-6)


def segmented(words: list[int], count: int) -> dict[str, object]:
    facts: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        facts[f"{colour}PaletteColorLookupTableDescriptor"] = [count, 0, 16]
        facts[f"Segmented{colour}PaletteColorLookupTableData"] = struct.pack(f"<{len(words)}H", *words)
    return facts


def test_a_palette_in_segments(build) -> None:
    """PS3.3 C.7.9.2: two entries, a line to 60 in four steps, and the line's segment again (byte offset 8), now from 60."""
    pixels = np.arange(10, dtype=np.uint8)[None]
    path = build(pixels, **segmented([0, 2, 10, 20, 1, 4, 60, 2, 1, 8, 0], 10))
    np.testing.assert_array_equal(read_image(path, window="none").pixels, [[10, 20, 30, 40, 50, 60, 60, 60, 60, 60]])


def test_a_palette_in_segments_equals_pydicom(build) -> None:
    pixels = np.arange(14, dtype=np.uint8)[None]
    path = build(pixels, **segmented([0, 2, 10, 20, 1, 4, 60, 2, 2, 0, 0, 0, 2, 7, 8], 14))
    expected = apply_color_lut(pydicom.dcmread(path).pixel_array, pydicom.dcmread(path))[..., 0]
    np.testing.assert_array_equal(read_image(path, window="none").pixels, expected)
    np.testing.assert_array_equal(expected[0, 6:], [10, 20, 30, 40, 50, 60, 7, 8])


@pytest.mark.parametrize(
    "words",
    [
        [0, 2, 10, 20],  # too few
        [1, 4, 60],  # a line from nowhere
        [2, 1, 0, 0] * 3,  # a repetition of itself
        [7, 1, 2],  # no such segment
        [0, 1, 5, 2, 1, 0],  # an offset that is cut off
    ],
)
def test_segments_that_do_not_add_up_are_refused(build, words) -> None:
    path = build(np.zeros((2, 2), np.uint8), **segmented(words, 10))
    told = r"Segmented Red Palette Color Lookup Table Data \(0028,1221\) does not expand to the 10 entries"
    with pytest.raises(DecodeError, match=told):
        read_image(path)


def test_a_palette_that_is_not_there_is_refused(build) -> None:
    with pytest.raises(DecodeError, match=r"Red Palette Color Lookup Table Descriptor \(0028,1101\) holds no complete table"):
        read_image(build(np.zeros((2, 2), np.uint8), PhotometricInterpretation="PALETTE COLOR"))


def test_half_a_pair_of_pixels_is_refused(build) -> None:
    with pytest.raises(DecodeError, match="1 × 2 × 3 pixels of 8 bits need 12"):
        read_image(rgb(build, COLOUR[:2, :3], PhotometricInterpretation="YBR_FULL_422", PixelData=bytes(12)))
