"""The compressed stream of one frame out of encapsulated pixel data, without reading the others (PS3.5 annex A.4)."""

import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from medclassify.dicom.codestream import StreamError

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_MAX_FRAGMENTS = 1 << 17
"""More items than this are no image; walking them would take minutes."""
_STREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
_MARKER_BYTES = 8


class Fragment(NamedTuple):
    """One item: where its value starts in the file, and how many bytes it has."""

    start: int
    length: int


def frame_stream(handle: BinaryIO, start: int, end: int, frame: int, frames: int, *, most: int) -> bytes:
    """Reads one compressed frame.

    Args:
        handle: The open file.
        start: Where the value of Pixel Data starts.
        end: Where it ends at the latest.
        frame: Which frame, from 0.
        frames: How many there are.
        most: The most bytes that a frame may have.

    Raises:
        StreamError: An item ends after the data does, the frame is not there, or the fragments cannot be told apart by frame.
    """
    table, fragments = _fragments(handle, start, end)
    chosen = _of_frame(handle, table, fragments, frame, frames)
    if sum(fragment.length for fragment in chosen) > most:
        raise StreamError(f"holds a frame of more than {most >> 20} MiB")
    parts = []
    for fragment in chosen:
        handle.seek(fragment.start)
        parts.append(handle.read(fragment.length))
    stream = parts[0] if len(parts) == 1 else b"".join(parts)
    if not stream:
        raise StreamError("holds no compressed frame")
    return stream


def _fragments(handle: BinaryIO, start: int, end: int) -> tuple[bytes, list[Fragment]]:
    """The value of the Basic Offset Table, and the fragments after it."""
    position, fragments = start, []
    while position + 8 <= end and len(fragments) <= _MAX_FRAGMENTS:
        handle.seek(position)
        head = handle.read(8)
        if len(head) < 8:
            raise StreamError("is cut off: the file was longer when its size was asked for")
        group, number, length = struct.unpack("<HHI", head)
        position += 8
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise StreamError(f"holds {group:04X},{number:04X} where an item should start")
        if position + length > end:
            raise StreamError(f"is cut off: an item claims {length} bytes, {end - position} are there")
        fragments.append(Fragment(position, length))
        position += length
    else:
        raise StreamError("is cut off: no sequence delimiter follows the last item")
    if len(fragments) < 2 or not any(fragment.length for fragment in fragments[1:]):
        raise StreamError("holds no compressed frame")
    handle.seek(fragments[0].start)
    return handle.read(fragments[0].length), fragments[1:]


def _of_frame(handle: BinaryIO, table: bytes, fragments: Sequence[Fragment], frame: int, frames: int) -> Sequence[Fragment]:
    """Which fragments make up a frame: all of one, one each, as the offset table says, or from stream start to start."""
    if frames == 1:
        return fragments
    if len(fragments) == frames:
        return fragments[frame : frame + 1]
    starts = _starts_in_table(table, fragments, frames) or _starts_by_marker(handle, fragments)
    if len(starts) != frames:
        raise StreamError(f"holds {len(fragments)} fragments, and which belong to which of {frames} frames is not said")
    return fragments[starts[frame] : [*starts, len(fragments)][frame + 1]]


def _starts_in_table(table: bytes, fragments: Sequence[Fragment], frames: int) -> list[int]:
    """Index of the first fragment of each frame by the Basic Offset Table; empty where it is none or does not fit."""
    if len(table) != 4 * frames:
        return []
    origin = fragments[0].start - 8  # offsets count from the first byte of the first fragment's item tag
    index = {fragment.start - 8 - origin: number for number, fragment in enumerate(fragments)}
    starts = [index.get(offset, -1) for offset in struct.unpack(f"<{frames}L", table)]
    return starts if starts[0] == 0 and starts == sorted(set(starts)) else []


def _starts_by_marker(handle: BinaryIO, fragments: Sequence[Fragment]) -> list[int]:
    starts = []
    for number, fragment in enumerate(fragments):
        handle.seek(fragment.start)
        if handle.read(min(_MARKER_BYTES, fragment.length)).startswith(_STREAM_STARTS):
            starts.append(number)
    return starts
