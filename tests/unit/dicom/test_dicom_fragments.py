"""One frame out of many, in every way that frames are stored."""

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid

from medclassify.dicom import read_frames, read_image
from medclassify.dicom.encode import encode_rle
from medclassify.errors import ConfigError, DecodeError, UnsupportedImageError


@pytest.fixture
def frames(ramp) -> np.ndarray:
    """uint16 (4, 40, 33), every frame another picture."""
    return np.stack([np.roll(ramp, 5 * number, axis=1) >> number for number in range(4)])


def lossless(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1)


def jpeg2000(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True)


ENCODED = {
    "rle": (uid.RLELossless, encode_rle),
    "jpeg lossless": (uid.JPEGLosslessSV1, lossless),
    "jpeg-ls": (uid.JPEGLSLossless, imagecodecs.jpegls_encode),
    "jpeg 2000": (uid.JPEG2000Lossless, jpeg2000),
    "htj2k": (uid.HTJ2KLossless, lambda p: imagecodecs.htj2k_encode(p, reversible=True)),
}


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32])
def test_native_frames(build, frames, syntax, dtype) -> None:
    pixels = frames.astype(dtype)
    path = build(pixels, syntax=syntax)
    for number, expected in enumerate(pixels):
        np.testing.assert_array_equal(read_image(path, window="none", frame=number).pixels, expected)
    assert [image.pixels.sum() for image in read_frames(path, window="none")] == pytest.approx(
        [float(frame.astype(float).sum()) for frame in pixels]
    )


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize(("fragments", "offsets"), [(1, True), (1, False), (3, True)])
def test_compressed_frames(build, frames, name, fragments, offsets) -> None:
    syntax, encode = ENCODED[name]
    path = build(frames, [encode(frame) for frame in frames], syntax, fragments=fragments, offsets=offsets)
    for number in (2, 0, 3, 1):
        np.testing.assert_array_equal(read_image(path, window="none", frame=number).pixels, frames[number])


def test_fragments_without_a_table_are_told_apart_by_their_first_bytes(build, frames) -> None:
    streams = [imagecodecs.jpegls_encode(frame) for frame in frames]
    path = build(frames, streams, uid.JPEGLSLossless, fragments=2, offsets=False)
    np.testing.assert_array_equal(read_image(path, window="none", frame=2).pixels, frames[2])


def test_fragments_that_cannot_be_told_apart_are_refused(build, frames) -> None:
    path = build(frames, [encode_rle(frame) for frame in frames], uid.RLELossless, fragments=2, offsets=False)
    told = "holds 8 fragments, and which belong to which of 4 frames is not said. Copy or export it again"
    with pytest.raises(DecodeError, match=told):
        read_image(path, frame=0)


def test_single_bits_are_unpacked_and_frames_start_within_bytes(build) -> None:
    bits = np.random.default_rng(0).integers(0, 2, (3, 5, 7), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    path = build(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed + b"\0" * (len(packed) % 2))
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, bits)
    for number, expected in enumerate(bits):
        np.testing.assert_array_equal(read_image(path, window="none", frame=number).pixels, expected)
    np.testing.assert_array_equal(read_image(path, window="full", frame=1).pixels, bits[1])


def test_big_endian_words_of_bytes_are_turned_round(build) -> None:
    pixels = np.arange(45, dtype=np.uint8).reshape(3, 3, 5)
    padded = np.append(pixels.ravel(), np.uint8(0)).reshape(-1, 2)
    path = build(pixels, syntax=uid.ExplicitVRBigEndian, PixelData=padded[:, ::-1].tobytes())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x7f\xe0\0\x10OB", b"\x7f\xe0\0\x10OW"))
    for number, expected in enumerate(pixels):
        np.testing.assert_array_equal(read_image(path, window="none", frame=number).pixels, expected)


def test_a_frame_must_be_named_and_be_there(build, frames) -> None:
    path = build(frames)
    with pytest.raises(UnsupportedImageError, match=r"4 frames \(0028,0008\); one is read at a time\. Name it, frame=0 to"):
        read_image(path)
    for wrong in (-1, 4):
        with pytest.raises(ConfigError, match=rf"made\.dcm: frame must be 0 to 3, received {wrong}\."):
            read_image(path, frame=wrong)
    single = build(frames[0], name="single.dcm")
    assert np.array_equal(read_image(single, frame=0).pixels, read_image(single).pixels)
    assert len(list(read_frames(single))) == 1


def test_a_frame_that_is_cut_off_does_not_hide(build, frames) -> None:
    path = build(frames, [imagecodecs.jpegls_encode(frame) for frame in frames], uid.JPEGLSLossless)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DecodeError, match="is cut off: an item claims"):
        read_image(path, frame=0)


def test_an_endless_list_of_items_is_given_up(build, frames) -> None:
    path = build(frames, [imagecodecs.jpegls_encode(frame) for frame in frames], uid.JPEGLSLossless)
    path.write_bytes(path.read_bytes()[:-8] + b"\xfe\xff\x00\xe0\0\0\0\0" * (1 << 18))
    with pytest.raises(DecodeError, match="no sequence delimiter follows the last item"):
        read_image(path, frame=0)
