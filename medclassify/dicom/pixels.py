"""Stored pixel values of one frame out of a parsed file; sizes are checked before anything is decoded."""

from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.config import IGNORE

from medclassify.dicom import tags
from medclassify.dicom.codecs import COMPRESSED, Reduced, decode_reduced, decode_stream
from medclassify.dicom.codestream import StreamError
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.dicom.fragments import frame_stream
from medclassify.dicom.layout import PixelFacts
from medclassify.dicom.parse import MAX_IMAGE_BYTES, require_whole
from medclassify.errors import DecodeError, UnsupportedImageError

_NATIVE = frozenset({uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian})


class Stored(NamedTuple):
    """The stored values of one frame.

    Attributes:
        pixels: Integers of the header's size and sign, (H, W), or (H, W, 3) in colour.
        luminance: Whether the first of three samples is the luminance, else they are red, green and blue.
        applied: What was done to them, in words.
        reduction: 2ⁿ where they are the n-th reduced resolution of a compressed stream.
        before: How many pixels of the original such a resolution covers before the image.
        extremes: The lowest and highest value, where they were needed already.
        ready: Whether they have been shrunk, with padding filled already.
    """

    pixels: NDArray[Any]
    luminance: bool
    applied: tuple[str, ...]
    reduction: int = 1
    before: float = 0.0
    extremes: tuple[int, int] | None = None
    ready: bool = False


def decode_pixels(
    handle: BinaryIO, parsed: Parsed, facts: PixelFacts, frame: int, frames: int, *, most_reductions: int = 0
) -> Stored:
    """Decodes one frame.

    Args:
        handle: The open file.
        parsed: Its elements.
        facts: The layout of a frame.
        frame: Which one, from 0.
        frames: How many there are.
        most_reductions: How often the side may be halved by a codec that can.

    Raises:
        DecodeError: The pixel data is cut off, corrupt, or not what the header says.
        UnsupportedImageError: The transfer syntax is not read.
    """
    require_whole(parsed)
    applied: list[str] = []
    reduction, before = 1, 0.0
    if parsed.transfer_syntax in _NATIVE:
        pixels, excess = _native(handle, parsed, facts, frame, frames)
        luminance = facts.photometric in ("YBR_FULL", "YBR_FULL_422")
        if excess > 1:
            applied.append(f"{excess} bytes after the image left out")
    else:
        decoded = _compressed(handle, parsed, facts, frame, frames, most_reductions)
        if isinstance(decoded, Reduced):
            pixels, luminance, reduction, before = decoded.pixels, False, decoded.scale, decoded.before
            applied.append(f"decoded at 1/{reduction} of the side ({decoded.codec})")
        else:
            pixels, luminance = decoded
    pixels, extremes = _stored_bits(pixels, facts, applied)
    return Stored(pixels, luminance, tuple(applied), reduction, before, extremes)


def _compressed(
    handle: BinaryIO, parsed: Parsed, facts: PixelFacts, frame: int, frames: int, most_reductions: int
) -> Reduced | tuple[NDArray[Any], bool]:
    if facts.unused_below:
        raise UnsupportedImageError(
            f"{parsed.path}: {tag_name(tags.HIGH_BIT)} is {facts.bits_stored + facts.unused_below - 1} in compressed pixel "
            f"data, expected {facts.bits_stored - 1}. Convert it."
        )
    try:
        source = _stream(handle, parsed, frame, frames)
        reduced = decode_reduced(source, parsed.transfer_syntax, facts, most_reductions) if most_reductions else None
        return reduced or decode_stream(source, parsed.transfer_syntax, facts)
    except StreamError as error:
        raise DecodeError(f"{parsed.path}: Pixel Data (7FE0,0010) {str(error)[:200]}. Copy or export it again.") from error


def _stream(handle: BinaryIO, parsed: Parsed, frame: int, frames: int) -> bytes:
    syntax = parsed.transfer_syntax
    if syntax not in COMPRESSED:
        name = uid.UID(syntax, IGNORE).name[:64]
        raise UnsupportedImageError(
            f"{parsed.path}: transfer syntax {name!r} (0002,0010) is not read. Export it as Explicit VR Little Endian."
        )
    return frame_stream(handle, parsed.pixel_offset, parsed.size, frame, frames, most=MAX_IMAGE_BYTES)


def _native(handle: BinaryIO, parsed: Parsed, facts: PixelFacts, frame: int, frames: int) -> tuple[NDArray[Any], int]:
    """One uncompressed frame, and how many bytes stand after the last one."""
    bits = facts.native_bits
    expected = (bits * frames + 7) // 8
    held = parsed.pixel_length
    if held is None or held < expected or (facts.photometric == "YBR_FULL_422" and facts.columns % 2):
        raise DecodeError(
            f"{parsed.path}: Pixel Data (7FE0,0010) holds {parsed.size - parsed.pixel_offset if held is None else held} bytes, "
            f"{frames} × {facts.rows} × {facts.columns} pixels of {facts.bits_allocated} bits need {expected}. "
            "Copy or export it again."
        )
    first_bit = bits * frame
    data = _read(handle, parsed, first_bit // 8, (first_bit + bits + 7) // 8)
    if facts.bits_allocated == 1:  # PS3.5 8.1.1: packed, the first pixel in the lowest bit; a frame may start within a byte
        skipped = first_bit % 8
        unpacked = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[skipped : skipped + bits]
        return unpacked.reshape(facts.rows, facts.columns).view(facts.dtype), held - expected
    dtype = facts.dtype if parsed.little_endian else facts.dtype.newbyteorder(">")
    values = np.frombuffer(data, dtype).astype(facts.dtype, copy=False)
    return _in_order(values, facts), held - expected


def _read(handle: BinaryIO, parsed: Parsed, start: int, end: int) -> bytes:
    """Bytes ``start`` to ``end`` of the value of Pixel Data."""
    if not parsed.little_endian and parsed.pixel_vr == "OW" and parsed.integer(tags.BITS_ALLOCATED) <= 8:
        even = _slice(handle, parsed, start - start % 2, end + end % 2)
        swapped = np.frombuffer(even, "<u2").byteswap().tobytes()  # PS3.5 8.1.2: words of two bytes are turned round
        return swapped[start % 2 : start % 2 + end - start]
    return _slice(handle, parsed, start, end)


def _slice(handle: BinaryIO, parsed: Parsed, start: int, end: int) -> bytes:
    if parsed.inflated is not None:
        data = parsed.inflated[parsed.pixel_offset + start : parsed.pixel_offset + end]
    else:
        handle.seek(parsed.pixel_offset + start)
        data = handle.read(end - start)
    if len(data) < end - start:  # its length was compared before: it has been written to since
        raise DecodeError(
            f"{parsed.path}: the file is cut off: {end - start} bytes of Pixel Data (7FE0,0010) were there, "
            f"{len(data)} are left. Copy or export it again."
        )
    return data


def _in_order(values: NDArray[Any], facts: PixelFacts) -> NDArray[Any]:
    rows, columns = facts.rows, facts.columns
    if facts.samples == 1:
        return values.reshape(rows, columns)
    if facts.photometric == "YBR_FULL_422":  # PS3.3 C.7.6.3.1.2: Y Y Cb Cr for every two pixels
        pairs = values.reshape(rows, columns // 2, 4)
        chrominance = np.repeat(pairs[..., 2:], 2, axis=1)
        return np.concatenate([pairs[..., :2].reshape(rows, columns, 1), chrominance], axis=2)
    if facts.planar:
        return np.ascontiguousarray(np.moveaxis(values.reshape(3, rows, columns), 0, 2))
    return values.reshape(rows, columns, 3)


def extremes_of(stored: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> tuple[int, int]:
    """The lowest and highest of integers (H, W) or (H, W, 3); of (H, W), only where ``mask`` is True if there is one."""
    if stored.itemsize > 2:  # OpenCV compares as float64 and knows no uint32
        valid = stored if mask is None else stored[mask]
        return int(valid.min()), int(valid.max())
    chosen = None if mask is None else mask.view(np.uint8)
    lowest, highest, _, _ = cv2.minMaxLoc(stored.reshape(len(stored), -1), mask=chosen)  # twice as fast as numpy
    return int(lowest), int(highest)


def type_range(dtype: np.dtype) -> tuple[int, int]:
    """The lowest and highest value that an integer type can hold (``np.iinfo`` takes thirty times as long)."""
    bits, signed = 8 * dtype.itemsize, dtype.kind == "i"
    return -(1 << (bits - 1)) if signed else 0, (1 << (bits - signed)) - 1


def _stored_bits(stored: NDArray[Any], facts: PixelFacts, applied: list[str]) -> tuple[NDArray[Any], tuple[int, int] | None]:
    """Frees values from bits beside the stored ones: old files keep overlays there, and signs end there (PS3.5 8.1.1).

    Returns:
        The values, and the lowest and highest of them where that had to be looked at.
    """
    above = 8 * stored.itemsize - facts.bits_stored - facts.unused_below
    if facts.unused_below:
        applied.append(f"{facts.unused_below} bits below the stored ones cleared")
    elif facts.bits_allocated == 1 or above <= 0:
        return stored, None
    else:
        lowest, highest = extremes_of(stored)
        if lowest >= facts.lowest and highest <= facts.highest:
            return stored, (lowest, highest)
        applied.append(f"bits above the {facts.bits_stored} stored ones cleared")
    return np.right_shift(np.left_shift(stored, above), above + facts.unused_below), None
