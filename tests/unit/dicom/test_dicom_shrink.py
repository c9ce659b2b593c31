"""A shrunk image is the whole image, shrunk."""

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from medclassify.dicom import find_images, read_image, read_shrunk
from medclassify.dicom.encode import encode_rle
from medclassify.dicom.shrink import shrunk_size
from medclassify.errors import ConfigError, DecodeError, UnsupportedImageError
from medclassify.records import DicomImage, Units

SIDE = 64
GREY_LEVEL = 1 / 255


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """uint16 (400, 320), 12 bits: smooth, with noise, and bright letters beyond any window."""
    y, x = np.mgrid[:400, :320]
    noise = np.random.default_rng(0).normal(0, 20, y.shape)
    pixels = (2000 + 1200 * np.sin(y / 60) * np.cos(x / 50) + noise).clip(0, 4095)
    pixels[20:30, 20:60:3] = 4095
    return pixels.astype(np.uint16)


def by_hand(path, window: str, side: int = SIDE) -> np.ndarray:
    """The slow way: finished in full size, shrunk then."""
    whole = read_image(path, window=window).pixels  # type: ignore[arg-type]
    height, width = shrunk_size(*whole.shape, side)
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


FACTS: list[dict[str, object]] = [
    {"WindowCenter": "2048", "WindowWidth": "2000"},
    {"WindowCenter": "2048", "WindowWidth": "300"},
    {"WindowCenter": "2048", "WindowWidth": "300", "VOILUTFunction": "LINEAR_EXACT"},
    {"WindowCenter": "2048", "WindowWidth": "300", "VOILUTFunction": "SIGMOID"},
    {"WindowCenter": "2048", "WindowWidth": "1"},
    {"WindowCenter": "500", "WindowWidth": "700", "RescaleSlope": "0.5", "RescaleIntercept": "-600"},
    {"WindowCenter": "-500", "WindowWidth": "700", "RescaleSlope": "-0.5", "RescaleIntercept": "600"},
    {"PhotometricInterpretation": "MONOCHROME1"},
    {},
    {"PixelPaddingValue": 4095, "WindowCenter": "2048", "WindowWidth": "2000"},
    {
        "PixelPaddingValue": 4095,
        "WindowCenter": "-500",
        "WindowWidth": "700",
        "RescaleSlope": "-0.5",
        "RescaleIntercept": "600",
    },
    {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 1500, "PhotometricInterpretation": "MONOCHROME1"},
    {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 1500, "WindowCenter": "0", "WindowWidth": "9000"},
    {"Modality": "MR", "WindowCenter": "100", "WindowWidth": "20"},
]


@pytest.mark.parametrize("window", ["voi", "percentile", "full"])
@pytest.mark.parametrize("facts", FACTS)
def test_it_is_the_whole_image_shrunk(build, film, facts, window) -> None:
    path = build(film, BitsStored=12, HighBit=11, **facts)
    shrunk, whole = read_shrunk(path, window=window, longest_side=SIDE).image, read_image(path, window=window)
    assert shrunk.pixels.shape == (64, 51) and shrunk.pixels.dtype == np.float32
    assert shrunk.header == whole.header and shrunk.units is whole.units and shrunk.warnings == whole.warnings
    assert [part for part in shrunk.applied if "padding" not in part] == [
        part for part in whole.applied if "padding" not in part
    ]
    difference = np.abs(shrunk.pixels - by_hand(path, window))
    assert difference.mean() < GREY_LEVEL / 2 and difference.max() < 20 * GREY_LEVEL  # at the letters' and the padding's rim


def test_where_blocks_are_whole_it_is_exact(build, film) -> None:
    path = build(film[:384, :256], BitsStored=12, HighBit=11, WindowCenter="2048", WindowWidth="300")
    np.testing.assert_allclose(read_shrunk(path, longest_side=96).image.pixels, by_hand(path, "voi", 96), atol=1e-5)


def test_what_is_beyond_the_window_does_not_outshine_its_neighbours(build) -> None:
    """Clip, then average: a pixel of 60000 beside three black ones is a quarter of white, not white."""
    pixels = np.tile(np.array([[60000, 0], [0, 0]], np.uint16), (64, 64))
    path = build(pixels, WindowCenter="50", WindowWidth="100", VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_allclose(read_shrunk(path, longest_side=32).image.pixels, 0.25, atol=1e-6)


def test_hounsfield_units(build, film) -> None:
    facts = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024", "PixelPaddingValue": 4095}
    shrunk = read_shrunk(build(film, **facts), window="none", longest_side=SIDE).image
    assert shrunk.units is Units.HU
    np.testing.assert_allclose(shrunk.pixels, by_hand(build(film, **facts), "none"), atol=60)
    assert np.abs(shrunk.pixels - by_hand(build(film, **facts), "none")).mean() < 3


def test_tables_and_colour_are_finished_in_full_size(build, film) -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.LUTData = (np.arange(4096) ** 2 >> 8).astype("<u2").tobytes()
    for sequence in ("VOILUTSequence", "ModalityLUTSequence"):
        path = build(film, BitsStored=12, HighBit=11, **{sequence: [item]})
        np.testing.assert_allclose(read_shrunk(path, longest_side=SIDE).image.pixels, by_hand(path, "voi"), atol=0.06)
    colour = np.repeat((film >> 4).astype(np.uint8)[..., None], 3, axis=2)
    facts = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    path = build(colour[..., 0], PixelData=colour.tobytes(), **facts)
    np.testing.assert_allclose(read_shrunk(path, longest_side=SIDE).image.pixels, by_hand(path, "voi"), atol=0.06)


def test_a_constant_image_is_flagged_alike(build) -> None:
    path = build(np.full((300, 200), 77, np.uint16), RescaleSlope="0.1", RescaleIntercept="3")
    assert read_shrunk(path, longest_side=SIDE).image.warnings == read_image(path).warnings
    assert any("constant image" in warning for warning in read_shrunk(path, longest_side=SIDE).image.warnings)


def test_a_constant_image_in_its_padding_is_flagged_alike(build) -> None:
    """Black padding beside one grey: the small picture shows two values, the image has one."""
    pixels = np.full((300, 200), 77, np.uint16)
    pixels[:, :60] = 9
    for facts in ({"WindowCenter": "60", "WindowWidth": "100"}, {}):
        shrunk, whole = (read(build(pixels, PixelPaddingValue=9, **facts)) for read in (read_small, read_image))
        assert shrunk.warnings == whole.warnings
        assert "constant image: every pixel is 77" in shrunk.warnings


def test_a_single_pixel_that_differs_is_seen(build) -> None:
    pixels = np.zeros((300, 200), np.uint8)
    assert "constant image: every pixel is 0" in read_small(build(pixels)).warnings
    pixels[7, 3] = 1
    for read in (read_small, read_image):
        assert not any("constant" in warning for warning in read(build(pixels, WindowCenter="100", WindowWidth="200")).warnings)


def read_small(path) -> DicomImage:
    return read_shrunk(path, longest_side=SIDE).image


def test_a_small_image_keeps_its_pixels(build, ramp) -> None:
    path = build(ramp)
    np.testing.assert_array_equal(read_shrunk(path, longest_side=SIDE).image.pixels, read_image(path).pixels)


def test_a_picture(tmp_path, film) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode((film >> 4).astype(np.uint8)))
    np.testing.assert_allclose(read_shrunk(path, longest_side=SIDE).image.pixels, by_hand(path, "voi"), atol=0.06)


def test_one_frame_of_many(build, film) -> None:
    path = build(np.stack([film >> 1, film]))
    single = build(film, name="single.dcm")
    assert np.array_equal(
        read_shrunk(path, longest_side=SIDE, frame=1).image.pixels, read_shrunk(single, longest_side=SIDE).image.pixels
    )
    with pytest.raises(UnsupportedImageError, match="2 frames"):
        read_shrunk(path, longest_side=SIDE)


def test_a_window_that_does_not_exist_is_refused(build, ramp) -> None:
    with pytest.raises(ConfigError, match="window must be one of"):
        read_shrunk(build(ramp), window="lung", longest_side=SIDE)  # type: ignore[arg-type]


def test_the_fingerprint_does_not_depend_on_the_encoding(build, film) -> None:
    lossless = {
        uid.RLELossless: encode_rle,
        uid.JPEGLSLossless: imagecodecs.jpegls_encode,
        uid.JPEGLosslessSV1: lambda p: imagecodecs.jpeg8_encode(p, lossless=True, predictor=1),
    }
    names = {read_shrunk(build(film), longest_side=SIDE).fingerprint}
    names.add(read_shrunk(build(film, syntax=uid.ExplicitVRBigEndian), longest_side=SIDE).fingerprint)
    for syntax, encode in lossless.items():
        names.add(read_shrunk(build(film, bytes(encode(film)), syntax), longest_side=SIDE).fingerprint)
    assert len(names) == 1
    assert read_shrunk(build(np.roll(film, 1, axis=0)), longest_side=SIDE).fingerprint not in names


JPEG_2000 = {
    "jpeg 2000": (uid.JPEG2000Lossless, {"codecformat": "j2k"}),
    "jp2 file": (uid.JPEG2000, {"codecformat": "jp2"}),
}


def jpeg2000(pixels: np.ndarray, **options: object) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", JPEG_2000)
@pytest.mark.parametrize(
    ("dtype", "bits", "offset"), [(np.uint8, 8, 0), (np.uint16, 12, 0), (np.int16, 12, -2000), (np.int16, 16, 0)]
)
def test_jpeg_2000_is_decoded_at_a_reduced_resolution(build, film, name, dtype, bits, offset) -> None:
    """The difference from the full decode, in levels of 255: the mean below one, the largest at the rim of letters."""
    syntax, options = JPEG_2000[name]
    pixels = ((film >> 4 if bits == 8 else film).astype(np.int32) + offset).astype(dtype)
    frame = jpeg2000(pixels, bitspersample=bits, **options)
    path = build(pixels, frame, syntax, BitsStored=bits, HighBit=bits - 1)
    shrunk = read_shrunk(path, longest_side=48)
    assert shrunk.image.applied[0] == "decoded at 1/4 of the side (JPEG 2000)"
    assert shrunk.fingerprint.startswith("r4-")
    difference = np.abs(shrunk.image.pixels - by_hand(path, "full" if bits == 99 else "voi", 48)) / GREY_LEVEL
    assert difference.mean() < 2 and difference.max() < 40


def test_htj2k_is_decoded_at_a_reduced_resolution(build, film) -> None:
    path = build(film, bytes(imagecodecs.htj2k_encode(film, reversible=True)), uid.HTJ2KLossless, BitsStored=12, HighBit=11)
    shrunk = read_shrunk(path, longest_side=48)
    assert shrunk.fingerprint.startswith("r4-")
    assert np.abs(shrunk.image.pixels - by_hand(path, "voi", 48)).mean() < 2 * GREY_LEVEL


WIDE = {"WindowCenter": "128", "WindowWidth": "220"}


@pytest.mark.parametrize("sides", [(400, 320), (397, 313)])
def test_jpeg_is_decoded_at_a_reduced_resolution(build, film, sides) -> None:
    """The difference from the full decode, in levels of 255: rounding on average, most at the rim of letters."""
    pixels = (film >> 4).astype(np.uint8)[: sides[0], : sides[1]]
    path = build(pixels, bytes(imagecodecs.jpeg8_encode(pixels, level=95)), uid.JPEGBaseline8Bit, **WIDE)
    shrunk = read_shrunk(path, longest_side=48)
    assert shrunk.image.applied[0] == "decoded at 1/4 of the side (JPEG)" and shrunk.fingerprint.startswith("r4-")
    difference = np.abs(shrunk.image.pixels - by_hand(path, "voi", 48)) / GREY_LEVEL
    assert difference.mean() < 0.5 and difference.max() < 12


def test_a_reduced_jpeg_is_not_shifted(build) -> None:
    """Its pixels lie between those of the original, unlike a wavelet's: a slope keeps its place."""
    slope = np.repeat((np.arange(800) // 4).astype(np.uint8)[:, None], 800, axis=1)
    path = build(slope, bytes(imagecodecs.jpeg8_encode(slope, level=100)), uid.JPEGBaseline8Bit, **WIDE)
    shrunk = read_shrunk(path, longest_side=100, window="full")
    assert shrunk.image.applied[0] == "decoded at 1/4 of the side (JPEG)"
    np.testing.assert_allclose(shrunk.image.pixels[:, 50], (np.arange(100) * 2 + 0.5) / 255, atol=0.3 * GREY_LEVEL)


@pytest.mark.parametrize(
    "facts",
    [
        {"PixelPaddingValue": 255},
        {"VOILUTFunction": "SIGMOID"},
        {"WindowWidth": "100"},  # a stored value is more than two levels of grey: means must not be rounded to one
    ],
)
def test_a_jpeg_that_must_not_be_averaged_or_rounded_is_decoded_in_full(build, film, facts) -> None:
    pixels = (film >> 4).astype(np.uint8)
    frame = bytes(imagecodecs.jpeg8_encode(pixels, level=95))
    assert "-" not in read_shrunk(build(pixels, frame, uid.JPEGBaseline8Bit, **{**WIDE, **facts}), longest_side=48).fingerprint


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"resolutions": 1}, {}),  # the stream holds no lower resolution
        ({}, {"PixelPaddingValue": 4095}),  # padding can only be told in full resolution
        ({}, {"VOILUTFunction": "SIGMOID", "WindowCenter": "2000", "WindowWidth": "500"}),
        ({}, {"BitsStored": 11, "HighBit": 10}),  # an overlay above the stored bits is no brightness
        ({"signed": True}, {}),  # the sign is the header's word alone
    ],
)
def test_what_must_not_be_averaged_is_decoded_in_full(build, film, options, facts) -> None:
    options = dict(options)
    signed = options.pop("signed", False)
    frame = jpeg2000(film, codecformat="j2k", bitspersample=12, **options)
    pixels = film.astype(np.int16) if signed else film
    path = build(pixels, frame, uid.JPEG2000Lossless, **{"BitsStored": 12, "HighBit": 11, **facts})
    shrunk = read_shrunk(path, longest_side=48)
    assert not any("decoded at" in part for part in shrunk.image.applied) and "-" not in shrunk.fingerprint
    difference = np.abs(shrunk.image.pixels - by_hand(path, "voi", 48))
    assert difference.mean() < 3 * GREY_LEVEL


def test_a_damaged_stream_is_refused_at_any_resolution(build, film) -> None:
    frame = bytearray(jpeg2000(film, codecformat="j2k", bitspersample=12))
    with pytest.raises(DecodeError, match="no end-of-image marker"):
        read_shrunk(build(film, bytes(frame[: len(frame) // 2]), uid.JPEG2000Lossless), longest_side=48)
    small = build(film[:200], bytes(frame), uid.JPEG2000Lossless)
    with pytest.raises(DecodeError, match="is 400 × 320 with 1 components, the header says 200 × 320"):
        read_shrunk(small, longest_side=48)


def test_real_images_are_the_whole_images_shrunk(real_data) -> None:
    paths = [path for folder in ("nih", "cxr", "ct") for path in find_images([real_data / folder])[::45]]
    assert len(paths) > 25
    for path in paths:
        shrunk, whole = read_shrunk(path, longest_side=224), read_image(path)
        assert shrunk.image.warnings == whole.warnings
        difference = np.abs(shrunk.image.pixels - by_hand(path, "voi", 224)) / GREY_LEVEL
        assert difference.mean() < 1 and difference.max() < 25, path
