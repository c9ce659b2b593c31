"""Every decoder against known source values or a second, independent decoder."""

import logging
import shutil
import subprocess
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid

from medclassify.dicom import read_image
from medclassify.dicom.encode import encode_rle
from medclassify.errors import DecodeError


def stored(path: Path | str) -> np.ndarray:
    return read_image(path, window="none").pixels


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("predictor", [1, 4, 7])
@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEGLosslessSV1])
def test_jpeg_lossless(build, ramp, bits, predictor, syntax) -> None:
    pixels = (ramp >> 4).astype(np.uint8) if bits == 8 else (ramp.astype(np.uint32) << bits >> 12).astype(np.uint16)
    frame = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=bits)
    path = build(pixels, frame, syntax, BitsStored=bits, HighBit=bits - 1)
    np.testing.assert_array_equal(stored(path), pixels)


def _jpeg2000(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True)


def _jp2_file(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="jp2", reversible=True)


def _lossless(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(pixels.view(np.uint16), lossless=True, predictor=1, bitspersample=16)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (uid.JPEGLosslessSV1, _lossless),
        (uid.JPEGLSLossless, lambda p: imagecodecs.jpegls_encode(p.view(np.uint16))),
        (uid.JPEG2000Lossless, _jpeg2000),
        (uid.JPEG2000, _jp2_file),
        (uid.HTJ2KLossless, lambda p: imagecodecs.htj2k_encode(p, reversible=True)),
        (uid.RLELossless, lambda p: encode_rle(p.view(np.uint16))),
    ],
)
def test_signed_values_keep_their_sign(build, ramp, syntax, encode) -> None:
    pixels = ramp.astype(np.int16) - 2000
    path = build(pixels, bytes(encode(pixels)), syntax)
    np.testing.assert_array_equal(stored(path), pixels)


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K])
def test_htj2k_of_another_encoder(build, ramp, syntax) -> None:
    """OpenJPH writes it, OpenJPEG reads it."""
    path = build(ramp, bytes(imagecodecs.htj2k_encode(ramp, reversible=True)), syntax, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(stored(path), ramp)


def test_signed_twelve_bits_in_an_unsigned_stream(build, ramp) -> None:
    """JPEG has no sign: the twelve bits come back unsigned, and the sign bit is the twelfth."""
    pixels = ramp.astype(np.int16) - 2048
    frame = imagecodecs.jpeg8_encode((pixels & 0xFFF).view(np.uint16), lossless=True, predictor=1, bitspersample=12)
    path = build(pixels, frame, uid.JPEGLosslessSV1, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(stored(path), pixels)


def test_a_stream_of_eight_bits_in_sixteen_allocated(build, ramp) -> None:
    pixels = (ramp >> 4).astype(np.uint8)
    for syntax, frame in (
        (uid.JPEG2000Lossless, _jpeg2000(pixels)),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode(pixels)),
    ):
        path = build(pixels.astype(np.uint16), bytes(frame), syntax)
        np.testing.assert_array_equal(stored(path), pixels)


def test_jpeg_baseline_equals_pillow(build, ramp) -> None:
    pixels = np.kron((ramp >> 4).astype(np.uint8), np.ones((3, 3), np.uint8))
    path = build(pixels, imagecodecs.jpeg8_encode(pixels, level=80), uid.JPEGBaseline8Bit)
    ds = pydicom.dcmread(path)
    ds.pixel_array_options(decoding_plugin="pillow")
    assert np.abs(ds.pixel_array.astype(int) - pixels).max() > 0  # lossy indeed
    np.testing.assert_array_equal(stored(path), ds.pixel_array)


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "MR_small_jp2klossless.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_jpeg_2000_equals_pillow(bundled, name) -> None:
    path = bundled(name)
    ds = pydicom.dcmread(path)
    ds.pixel_array_options(decoding_plugin="pillow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ds.pixel_array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(stored(path), expected)


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("dcmdjpeg", "JPGExtended.dcm"),  # 12-bit lossy
        ("dcmdjpeg", "JPEG-lossy.dcm"),
        ("dcmdjpls", "JPEGLSNearLossless_08.dcm"),
        ("dcmdjpls", "JPEGLSNearLossless_16.dcm"),
        ("dcmdjpls", "MR_small_jpeg_ls_lossless.dcm"),
        ("dcmdrle", "MR_small_RLE.dcm"),
    ],
)
def test_equals_dcmtk(tmp_path: Path, bundled, tool, name) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} (dcmtk) is not installed")
    path = bundled(name)
    subprocess.run([tool, path, tmp_path / "raw.dcm"], check=True, timeout=30, capture_output=True)
    expected = pydicom.dcmread(tmp_path / "raw.dcm").pixel_array
    assert expected.std() > 0
    np.testing.assert_array_equal(stored(path), expected)


def test_rle_with_padded_segments(build) -> None:
    pixels = np.arange(15, dtype=np.uint8).reshape(3, 5) * 7
    frame = encode_rle(pixels)
    np.testing.assert_array_equal(stored(build(pixels, frame + b"\0\0", uid.RLELossless)), pixels)


FRAMES = {
    "jpeg": (uid.JPEGBaseline8Bit, lambda p: imagecodecs.jpeg8_encode(p, level=90)),
    "jpeg lossless": (uid.JPEGLosslessSV1, lambda p: imagecodecs.jpeg8_encode(p, lossless=True, predictor=1)),
    "jpeg-ls": (uid.JPEGLSLossless, imagecodecs.jpegls_encode),
    "jpeg 2000": (uid.JPEG2000Lossless, _jpeg2000),
    "htj2k": (uid.HTJ2KLossless, lambda p: imagecodecs.htj2k_encode(p, reversible=True)),
    "rle": (uid.RLELossless, encode_rle),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.95])
def test_a_cut_stream_never_becomes_an_image(build, ramp, name, keep) -> None:
    syntax, encode = FRAMES[name]
    pixels = (ramp >> 4).astype(np.uint8)
    whole = bytes(encode(pixels))
    path = build(pixels, whole[: int(len(whole) * keep)], syntax)
    with pytest.raises(DecodeError, match=r"made\.dcm: Pixel Data \(7FE0,0010\) .* Copy or export it again\."):
        read_image(path)


@pytest.mark.parametrize("name", FRAMES)
def test_a_stream_of_another_size_is_refused_before_it_is_decoded(build, ramp, name) -> None:
    syntax, encode = FRAMES[name]
    pixels = (ramp >> 4).astype(np.uint8)
    path = build(pixels[:20, :20], bytes(encode(np.kron(pixels, np.ones((4, 4), np.uint8)))), syntax)
    # RLE has no size of its own: what is left over shows it
    match = "is corrupt" if name == "rle" else "is 160 × 132 with 1 components, the header says 20 × 20 with 1"
    with pytest.raises(DecodeError, match=match):
        read_image(path)


def test_a_corrupt_rle_header_is_told_from_one_that_is_cut(build, ramp) -> None:
    pixels = (ramp >> 4).astype(np.uint8)
    frame = bytearray(encode_rle(pixels))
    frame[4:8] = (1 << 31).to_bytes(4, "little")  # an offset far outside: the codec alone would leave its buffer
    with pytest.raises(DecodeError, match="has a corrupt RLE header"):
        read_image(build(pixels, bytes(frame), uid.RLELossless))


def test_noise_in_the_stream_is_refused_without_a_traceback_in_the_log(build, ramp, caplog) -> None:
    pixels = (ramp >> 4).astype(np.uint8)
    frame = bytearray(imagecodecs.jpegls_encode(pixels))
    frame[200:260] = b"\x55" * 60
    with caplog.at_level(logging.DEBUG), pytest.raises(DecodeError, match="is corrupt"):
        read_image(build(pixels, bytes(frame), uid.JPEGLSLossless))
    assert caplog.records == []
