"""What a compressed stream says about itself, read before any decoder allocates for it.

JPEG markers: ITU-T T.81 annex B; JPEG-LS: T.87 annex C; JPEG 2000 and HTJ2K: T.800 annex A; PNG: ISO/IEC 15948; items of
encapsulated pixel data: DICOM PS3.5 annex A.4.
"""

import struct
from typing import NamedTuple

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_SIZ = b"\xff\x4f\xff\x51"
_END_OF_IMAGE = b"\xff\xd9"
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# The end marker is the last thing in a stream but for padding to an even length; some writers pad generously.
_TAIL = 16


class StreamError(ValueError):
    """A stream that cannot be what it should be; the message is a clause for a longer one."""


class StreamFacts(NamedTuple):
    """Size and depth of one compressed frame."""

    rows: int
    columns: int
    components: int
    precision: int


def frame_bytes(data: bytes) -> bytes:
    """The one frame in the value of encapsulated pixel data: all fragments after the offset table.

    Raises:
        StreamError: An item ends after the data does, or there is no frame.
    """
    position, fragments = 0, []
    while position + 8 <= len(data):
        group, number, length = struct.unpack_from("<HHI", data, position)
        tag = group << 16 | number
        position += 8
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise StreamError(f"holds {group:04X},{number:04X} where an item should start")
        if position + length > len(data):
            raise StreamError(f"is cut off: an item claims {length} bytes, {len(data) - position} are there")
        fragments.append(data[position : position + length])
        position += length
    else:
        raise StreamError("is cut off: no sequence delimiter follows the last item")
    if len(fragments) < 2 or not any(fragments[1:]):
        raise StreamError("holds no compressed frame")
    return b"".join(fragments[1:])


def jpeg_facts(stream: bytes) -> StreamFacts:
    """Reads the frame header of a JPEG or JPEG-LS stream.

    Raises:
        StreamError: There is none, or the stream does not end with its end marker.
    """
    if not stream.startswith(b"\xff\xd8"):
        raise StreamError("is not a JPEG stream")
    position = 2
    while position + 9 < len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        if marker in _FRAME_MARKERS:
            precision, rows, columns, components = struct.unpack_from(">BHHB", stream, position + 4)
            _require_end(stream)
            return StreamFacts(rows, columns, components, precision)
        position += 2 + length
    raise StreamError("is a JPEG stream without a frame header")


def jpeg2000_facts(stream: bytes) -> StreamFacts:
    """Reads the SIZ marker of a JPEG 2000 or HTJ2K stream, bare or within a JP2 file.

    Raises:
        StreamError: There is none, or the stream does not end with its end marker.
    """
    start = stream.find(_SIZ, 0, 4096)
    if start < 0 or start + 45 > len(stream):
        raise StreamError("is not a JPEG 2000 stream")
    width, height, left, top = struct.unpack_from(">4I", stream, start + 8)
    components = struct.unpack_from(">H", stream, start + 40)[0]
    precision = (stream[start + 42] & 0x7F) + 1
    _require_end(stream)
    return StreamFacts(height - top, width - left, components, precision)


def png_facts(stream: bytes) -> StreamFacts:
    """Reads the IHDR chunk of a PNG, whose place is fixed.

    Raises:
        StreamError: It is not there.
    """
    if len(stream) < 33 or stream[12:16] != b"IHDR":
        raise StreamError("is cut off: it has no IHDR chunk")
    columns, rows, precision, colour_type = struct.unpack_from(">IIBB", stream, 16)
    return StreamFacts(rows, columns, 1 if colour_type == 0 else 3, precision)


def _require_end(stream: bytes) -> None:
    """Decoders fill what is missing with grey and say nothing, so a stream must be seen to end."""
    if _END_OF_IMAGE not in stream.rstrip(b"\0")[-_TAIL:]:
        raise StreamError("is cut off: the stream has no end-of-image marker")
