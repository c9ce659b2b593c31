"""What a compressed stream says about itself, read before any decoder allocates for it.

JPEG markers: ITU-T T.81 annex B; JPEG-LS: T.87 annex C; JPEG 2000 and HTJ2K: T.800 annex A; PNG: ISO/IEC 15948.
"""

import struct
from typing import NamedTuple

_APP0, _APP14 = 0xE0, 0xEE  # JFIF (T.871) and Adobe (T.872 6.5.3) say what the components of a colour picture are
_COD, _START_OF_TILE = 0x52, 0x90
_SIZ = b"\xff\x4f\xff\x51"
_END_OF_IMAGE = b"\xff\xd9"
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# The end marker is the last thing in a stream but for padding to an even length; some writers pad generously.
_TAIL, _PADDING = 16, 256


class StreamError(ValueError):
    """A stream that cannot be what it should be; the message is a clause for a longer one."""


class StreamFacts(NamedTuple):
    """Size and depth of one compressed frame.

    Attributes:
        rows: Height, pixels.
        columns: Width, pixels.
        components: 1 for grey, 3 for colour.
        precision: Bits of a value.
        signed: Whether the stream says that its values are signed; JPEG and JPEG-LS know no sign.
        luminance: Whether the components are known to be luminance and chrominance (True) or red, green and blue (False);
            None where the stream does not say.
        levels: How often the stream can be decoded at half the resolution.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    luminance: bool | None = None
    levels: int = 0


def jpeg_facts(stream: bytes) -> StreamFacts:
    """Reads the frame header of a JPEG or JPEG-LS stream.

    Raises:
        StreamError: There is none, or the stream does not end with its end marker.
    """
    if not stream.startswith(b"\xff\xd8"):
        raise StreamError("is not a JPEG stream")
    position, luminance = 2, None
    while position + 9 < len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        if marker in _FRAME_MARKERS:
            precision, rows, columns, components = struct.unpack_from(">BHHB", stream, position + 4)
            _require_end(stream)
            if stream[position + 10 : position + 10 + 3 * components : 3].upper() == b"RGB":
                luminance = False
            return StreamFacts(rows, columns, components, precision, False, luminance)
        if marker == _APP0 and stream.startswith(b"JFIF", position + 4):
            luminance = True
        elif marker == _APP14 and stream.startswith(b"Adobe", position + 4) and length >= 14:
            luminance = stream[position + 15] == 1
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
    precision, signed = (stream[start + 42] & 0x7F) + 1, stream[start + 42] > 0x7F
    _require_end(stream)
    levels = 0 if top or left else _decomposition_levels(stream, start + 2)
    return StreamFacts(height - top, width - left, components, precision, signed, levels=levels)


def _decomposition_levels(stream: bytes, position: int) -> int:
    """From the COD marker segment of the main header; 0 where there is none, or a component has its own."""
    levels = 0
    while position + 12 <= len(stream) and stream[position] == 0xFF:
        marker, length = stream[position + 1], int.from_bytes(stream[position + 2 : position + 4], "big")
        if marker == _COD:
            levels = stream[position + 9]
        if marker == _START_OF_TILE or length < 2:
            return levels
        position += 2 + length
    return 0


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
    end = stream[-_PADDING:].rstrip(b"\0")  # the whole stream would be copied
    if len(end) < _TAIL:
        end = stream.rstrip(b"\0")
    if _END_OF_IMAGE not in end[-_TAIL:]:
        raise StreamError("is cut off: the stream has no end-of-image marker")
