"""Text inside compressed streams, and overlays inside pixel values, overwritten without touching the image.

JPEG segments: ITU-T T.81 annex B; JPEG-LS: T.87 annex C; JPEG 2000 and HTJ2K: T.800 annex A. Overlays in unused bits: PS3.3
C.9.2 of editions before 2004.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medclassify.dicom.codestream import StreamError

_JPEG_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_START_OF_SCAN, _COMMENT, _END_OF_IMAGE = 0xDA, 0xFE, 0xD9
_JPEG2000_START = b"\xff\x4f\xff\x51"
_COM, _SOT, _SOD = 0x64, 0x90, 0x93
_END = b"\xff\xd9"


def wipe_jpeg(stream: bytes) -> bytes:
    """A JPEG or JPEG-LS stream with comments and application data zeroed and all bytes after its end left out.

    What decoders heed stays: plain JFIF and SPIFF headers, Adobe's colour transform and JPEG-LS's.

    Raises:
        StreamError: It cannot be walked, so nobody knows what it holds.
    """
    if not stream.startswith(b"\xff\xd8"):
        raise StreamError("is not a JPEG stream")
    wiped, position = bytearray(stream), 2
    while position + 4 <= len(stream):
        if stream[position] != 0xFF:
            raise StreamError("has bytes between its segments")
        marker = stream[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _END_OF_IMAGE:
            break
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        start, end = position + 4, position + 2 + length
        if length < 2 or end > len(stream):
            raise StreamError("has a segment that ends after it")
        if marker == _COMMENT or (0xE0 <= marker <= 0xEF and not _is_heeded(marker, stream[start:end])):
            wiped[start:end] = bytes(end - start)
        position = end
        if marker == _START_OF_SCAN:
            found = _JPEG_MARKER.search(stream, end)
            if found is None:
                raise StreamError("is cut off: the stream has no end-of-image marker")
            position = found.start()
    if stream[position : position + 2] != _END:
        raise StreamError("is cut off: the stream has no end-of-image marker")
    return _even(bytes(wiped[: position + 2]))


def wipe_jpeg2000(stream: bytes) -> bytes:
    """A JPEG 2000 or HTJ2K code stream without file boxes around it, its comments blanked.

    Raises:
        StreamError: It cannot be walked, so nobody knows what it holds.
    """
    start, stop = stream.find(_JPEG2000_START), stream.rfind(_END)
    if start < 0 or stop < start:
        raise StreamError("is not a whole JPEG 2000 stream")
    wiped, position, tile_end = bytearray(stream[start : stop + 2]), 2, 0
    while bytes(wiped[position : position + 2]) != _END:
        if position + 4 > len(wiped) or wiped[position] != 0xFF:
            raise StreamError("has bytes between its segments")
        marker = wiped[position + 1]
        if marker == _SOD:
            position = tile_end
            continue
        length = int.from_bytes(wiped[position + 2 : position + 4], "big")
        if marker == _SOT:
            claimed = int.from_bytes(wiped[position + 6 : position + 10], "big")
            tile_end = position + claimed if claimed else len(wiped) - 2
        elif marker == _COM:
            wiped[position + 6 : position + 2 + length] = b" " * max(length - 4, 0)
        after = position + 2 + length
        if length < 2 or after > len(wiped) or (marker == _SOT and not after <= tile_end <= len(wiped) - 2):
            raise StreamError("has a segment that ends after it")
        position = after
    return _even(bytes(wiped))


def clear_unused_bits(data: bytes, *, bits_allocated: int, bits_stored: int, signed: bool, little_endian: bool) -> bytes:
    """Native pixel data whose bits above Bits Stored repeat the sign, or are zero, where overlays may have stood."""
    order = "<" if little_endian else ">"
    values: NDArray[Any] = np.frombuffer(data, f"{order}{'i' if signed else 'u'}{bits_allocated // 8}")
    unused = bits_allocated - bits_stored
    return np.right_shift(np.left_shift(values, unused), unused).astype(values.dtype).tobytes()


def _is_heeded(marker: int, payload: bytes) -> bool:
    return (
        (marker == 0xE0 and payload[:5] == b"JFIF\0" and len(payload) == 14)
        or (marker == 0xEE and payload[:5] == b"Adobe" and len(payload) == 12)
        or (marker == 0xE8 and payload[:4] == b"mrfx" and len(payload) == 5)
        or (marker == 0xE8 and payload[:6] == b"SPIFF\0" and len(payload) == 30)
        or (marker == 0xE8 and payload[:4] == b"\0\0\0\1" and len(payload) == 6)  # the end of SPIFF's directory
    )


def _even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)
