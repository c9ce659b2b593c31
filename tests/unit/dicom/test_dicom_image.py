import logging
import zlib
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from medclassify.dicom import read_header, read_image
from medclassify.dicom.parse import MAX_IMAGE_BYTES
from medclassify.errors import ConfigError, DecodeError, NotAnImageError, UnsupportedImageError
from medclassify.records import Units

SMALL = np.arange(12, dtype=np.uint16).reshape(3, 4)


@pytest.mark.parametrize(
    ("modality", "window", "facts", "units"),
    [
        ("CT", "none", {"RescaleSlope": "1", "RescaleIntercept": "-1024"}, Units.HU),
        ("CT", "voi", {"RescaleSlope": "1", "RescaleIntercept": "-1024"}, Units.DISPLAY),
        ("CT", "none", {"RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "HU"}, Units.HU),
        ("CT", "none", {"RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "Houndsfield Unit"}, Units.HU),
        ("CT", "none", {"RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "MGML"}, Units.STORED),
        ("CT", "none", {}, Units.STORED),
        ("DX", "none", {"RescaleSlope": "1", "RescaleIntercept": "0"}, Units.STORED),
        ("DX", "voi", {}, Units.DISPLAY),
        ("DX", "full", {}, Units.DISPLAY),
    ],
)
def test_units(build, modality, window, facts, units) -> None:
    image = read_image(build(SMALL, Modality=modality, **facts), window=window)
    assert image.units is units
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (3, 4)
    assert image.header == read_header(image.header.path)
    flagged = any("not Hounsfield units" in warning for warning in image.warnings)
    assert flagged == (modality == "CT" and units is Units.STORED)


def test_a_window_that_does_not_exist_is_refused(build) -> None:
    with pytest.raises(ConfigError, match="window must be one of voi, percentile, full, none; received 'lung'"):
        read_image(build(SMALL), window="lung")  # type: ignore[arg-type]


def test_burned_in_annotation_is_flagged(build) -> None:
    told = "Burned In Annotation (0028,0301) is YES: the pixels may name the patient"
    assert told in read_image(build(SMALL, BurnedInAnnotation="YES")).warnings
    assert told not in read_image(build(SMALL, BurnedInAnnotation="NO")).warnings


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_native_encodings(build, syntax, dtype) -> None:
    pixels = np.array([[1, 2, 3], [-4 if np.issubdtype(dtype, np.signedinteger) else 4, 100, 7]]).astype(dtype)
    np.testing.assert_array_equal(read_image(build(pixels, syntax=syntax), window="none").pixels, pixels)


def test_bits_above_the_stored_ones_are_cleared_and_said(build) -> None:
    pixels = np.array([[0x0123, 0xF123, 0x0FFF]], np.uint16)  # an old overlay in the upper bits
    image = read_image(build(pixels, BitsStored=12, HighBit=11), window="none")
    np.testing.assert_array_equal(image.pixels, [[0x123, 0x123, 0xFFF]])
    assert image.applied == ("bits above the 12 stored ones cleared",)


def test_bits_below_the_stored_ones_are_cleared_and_said(build) -> None:
    """Old files keep twelve bits at the upper end, and overlays below them."""
    pixels = np.array([[0x1230, 0x123F, 0xFFF0]], np.uint16)
    image = read_image(build(pixels, BitsStored=12, HighBit=15), window="none")
    np.testing.assert_array_equal(image.pixels, [[0x123, 0x123, 0xFFF]])
    assert image.applied == ("4 bits below the stored ones cleared",)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("dtype", [np.uint32, np.int32])
def test_values_of_32_bits(build, syntax, dtype) -> None:
    pixels = np.array([[0, 1, 2**24 - 1], [7, 100, 2**30]]).astype(dtype)
    image = read_image(build(pixels, syntax=syntax, RescaleSlope="1", RescaleIntercept="-1"), window="none")
    np.testing.assert_array_equal(image.pixels, (pixels.astype(float) - 1).astype(np.float32))


def test_bits_beside_the_stored_ones_are_refused_in_a_compressed_stream(build, ramp) -> None:
    path = build(ramp, bytes(imagecodecs.jpegls_encode(ramp)), uid.JPEGLSLossless, BitsStored=12, HighBit=15)
    with pytest.raises(UnsupportedImageError, match=r"High Bit \(0028,0102\) is 15 in compressed pixel data, expected 11"):
        read_image(path)


def test_signed_bits_are_extended(build) -> None:
    pixels = np.array([[0x0FFF, 0x0001, 0x0800]], np.int16)
    image = read_image(build(pixels, BitsStored=12, HighBit=11, PixelRepresentation=1), window="none")
    np.testing.assert_array_equal(image.pixels, [[-1, 1, -2048]])


def test_bytes_after_the_image_are_left_out_and_said(bundled) -> None:
    image = read_image(bundled("MR_small_padded.dcm"), window="none")
    np.testing.assert_array_equal(image.pixels, read_image(bundled("MR_small.dcm"), window="none").pixels)
    assert image.applied == ("128 bytes after the image left out",)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"NumberOfFrames": 3}, r"3 frames \(0028,0008\); one is read at a time\. Name it, frame=0 to frame=2, or"),
        ({"PhotometricInterpretation": "CMYK"}, r"Photometric Interpretation \(0028,0004\) 'CMYK', and how it becomes grey"),
        ({"BitsAllocated": 64}, r"Bits Allocated \(0028,0100\) is 64 for MONOCHROME2; 1, 8, 16 and 32 are read"),
        ({"Modality": "SEG"}, "Modality SEG is a segmentation"),
        ({"Modality": "RTDOSE"}, "Modality RTDOSE is a dose grid"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_with_a_remedy(build, facts, told) -> None:
    with pytest.raises(UnsupportedImageError, match=told) as caught:
        read_image(build(SMALL, **facts))
    assert "made.dcm: " in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"PhotometricInterpretation": None}, r"no Photometric Interpretation \(0028,0004\), so black and white cannot"),
        ({"Rows": 0}, "the image is 0 × 4 pixels"),
        ({"BitsStored": 0}, r"Bits Stored \(0028,0101\) is 0, but 16 bits are allocated"),
        ({"BitsStored": 17}, r"Bits Stored \(0028,0101\) is 17"),
        ({"BitsAllocated": None}, r"no Bits Allocated \(0028,0100\)"),
        ({"PixelRepresentation": 2}, r"Pixel Representation \(0028,0103\) is 2, expected 0 or 1"),
        ({"SamplesPerPixel": 3}, r"Samples per Pixel \(0028,0002\) is 3; MONOCHROME2 has 1"),
        ({"PhotometricInterpretation": "RGB"}, r"Samples per Pixel \(0028,0002\) is 1; RGB has 3"),
        ({"HighBit": 10, "BitsStored": 12}, r"High Bit \(0028,0102\) is 10, expected 11"),
        ({"NumberOfFrames": 0}, r"Number of Frames \(0028,0008\) is 0"),
        ({"PlanarConfiguration": 2}, r"Planar Configuration \(0028,0006\) is 2, expected 0 or 1"),
        ({"Rows": 5}, r"Pixel Data \(7FE0,0010\) holds 24 bytes, 1 × 5 × 4 pixels of 16 bits need 40"),
    ],
)
def test_attributes_that_contradict_each_other_are_refused(build, facts, told) -> None:
    with pytest.raises(DecodeError, match=told):
        read_image(build(SMALL, **facts))


def test_an_image_without_pixel_data(build) -> None:
    with pytest.raises(NotAnImageError, match=r"no pixel data \(7FE0,0010\)\. Leave it out, or export the series again"):
        read_image(build(SMALL, PixelData=None))


def test_float_pixels_are_refused(build) -> None:
    path = build(SMALL, PixelData=None, FloatPixelData=np.zeros(12, "<f4").tobytes())
    with pytest.raises(UnsupportedImageError, match=r"Float Pixel Data \(7FE0,0008\) instead of Pixel Data"):
        read_image(path)


def test_gigabytes_are_refused_before_they_are_allocated(build) -> None:
    path = build(SMALL, b"\xff\xd8\xff\xd9", uid.JPEGBaseline8Bit, Rows=65535, Columns=65535)
    with pytest.raises(UnsupportedImageError, match=r"claims 65535 × 65535 pixels, 8191 MiB; at most 256 MiB are read"):
        read_image(path)


def test_a_deflated_bomb_is_refused(build) -> None:
    path = build(SMALL, syntax=uid.DeflatedExplicitVRLittleEndian)
    data = path.read_bytes()
    start = data.index(b"1.2.840.10008.1.2.1.99") + 22
    meta_end = 132 + 12 + int.from_bytes(data[140:144], "little")
    assert start < meta_end
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)  # 16 MiB; may be repeated as it is
    bomb = block * ((MAX_IMAGE_BYTES >> 24) + 2)
    path.write_bytes(data[:meta_end] + bomb)
    assert path.stat().st_size < 2 << 20
    with pytest.raises(UnsupportedImageError, match="the deflated dataset grows beyond 272 MiB"):
        read_image(path)
    path.write_bytes(data[:meta_end] + b"\xff" * 100)
    with pytest.raises(DecodeError, match="the deflated dataset is corrupt"):
        read_image(path)


def test_a_transfer_syntax_that_is_no_uid_is_refused(build) -> None:
    path = build(SMALL)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.x\0"))
    with pytest.raises(DecodeError, match=r"Transfer Syntax UID \(0002,0010\) is not a UID"):
        read_image(path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.3.4"])
def test_a_transfer_syntax_that_is_not_read_is_named(build, syntax) -> None:
    path = build(SMALL, b"\0\0\0\1", uid.JPEG2000)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.91", syntax.encode().ljust(22, b"\0")[:22], 1))
    with pytest.raises(UnsupportedImageError, match=r"transfer syntax '.+' \(0002,0010\) is not read"):
        read_image(path)


def test_no_transfer_syntax_is_no_reason_to_guess(bundled) -> None:
    with pytest.raises(DecodeError, match=r"no Transfer Syntax UID \(0002,0010\)"):
        read_image(bundled("meta_missing_tsyntax.dcm"))


def test_threads_read_alike(build, ramp, caplog) -> None:
    paths = [build(ramp, name=f"{index}.dcm", PatientID=str(index)) for index in range(20)]
    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(4) as pool:
        images = list(pool.map(read_image, paths))
    assert [image.header.patient_key for image in images] == [str(index) for index in range(20)]
    assert all((image.pixels == images[0].pixels).all() for image in images)
