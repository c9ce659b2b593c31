"""Colour into grey: the luma of ITU-R BT.601, which is the first sample of YBR pixels already (PS3.3 C.7.6.3.1.2)."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medclassify.dicom import tags
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.dicom.lut import LookupTable, read_descriptor, table_of
from medclassify.errors import DecodeError

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_PALETTE = (
    (tags.RED_DESCRIPTOR, tags.RED_DATA, tags.RED_SEGMENTS),
    (tags.GREEN_DESCRIPTOR, tags.GREEN_DATA, tags.GREEN_SEGMENTS),
    (tags.BLUE_DESCRIPTOR, tags.BLUE_DATA, tags.BLUE_SEGMENTS),
)
EQUAL = "three equal channels taken as one"
MADE_GREY = "colour made grey: luma 0.299 R + 0.587 G + 0.114 B (BT.601)"
WARNING = "in colour: only its luma (BT.601) is read; colours that differ may be one grey"


def rgb_luma(pixels: NDArray[Any]) -> tuple[NDArray[np.float32], bool]:
    """Red, green and blue into luma.

    Args:
        pixels: Integers (H, W, 3).

    Returns:
        float32 (H, W) in the pixels' own units, and whether any pixel was coloured.
    """
    red, green, blue = (pixels[..., channel] for channel in range(3))
    if (red == green).all() and (red == blue).all():
        return red.astype(np.float32), False
    luma = red * np.float32(_RED)
    luma += green * np.float32(_GREEN)
    luma += blue * np.float32(_BLUE)
    return luma.astype(np.float32, copy=False), True


def ybr_luma(pixels: NDArray[Any], neutral: int) -> tuple[NDArray[np.float32], bool]:
    """Luminance and chrominance into luma; ``neutral`` is the chrominance of grey."""
    return pixels[..., 0].astype(np.float32), bool((pixels[..., 1:] != neutral).any())


def palette_luma(indices: NDArray[Any], parsed: Parsed) -> tuple[NDArray[np.float32], bool, int]:
    """PALETTE COLOR into luma: each index stands for a colour of the file's palette (PS3.3 C.7.6.3.1.5).

    Returns:
        float32 (H, W), whether any pixel was coloured, and the largest value a channel may have.

    Raises:
        DecodeError: The palette is not there or not whole.
    """
    signed = indices.dtype.kind == "i"
    tables = [_channel(parsed, *names, signed_input=signed) for names in _PALETTE]
    luma, coloured = rgb_luma(np.stack([table.apply(indices) for table in tables], axis=2))
    return luma, coloured, max(table.highest for table in tables)


def _channel(parsed: Parsed, descriptor: int, data: int, segments: int, *, signed_input: bool) -> LookupTable:
    name = tag_name(descriptor)
    segmented = parsed.elements.get(segments)
    if segmented is None or not segmented.value or parsed.elements.get(data):
        return table_of(parsed, descriptor, data, name, signed_input=signed_input)
    count, first, bits = read_descriptor(parsed, descriptor, name, signed_input=signed_input)
    code = "B" if bits == 8 else "H"
    size = struct.calcsize(code)
    whole = segmented.value[: len(segmented.value) // size * size]
    words = struct.unpack(f"{'<' if parsed.little_endian else '>'}{len(whole) // size}{code}", whole)
    entries = _expand(words, count, wide=bits != 8)
    if entries is None:
        raise DecodeError(f"{parsed.path}: {tag_name(segments)} does not expand to the {count} entries that it claims.")
    return LookupTable(entries, first, bits)


def _expand(words: tuple[int, ...], count: int, *, wide: bool) -> NDArray[np.uint16] | None:
    """Segmented palette data (PS3.3 C.7.9.2): runs of entries, straight lines, and repetitions of earlier segments."""
    entries: list[int] = []
    todo = [(0, len(words))]  # where to read on; a repetition is read before what follows it
    while todo and len(entries) < count:
        position, segments = todo.pop()
        while segments and position + 2 < len(words) and len(entries) < count:
            kind, length = words[position], words[position + 1]
            if kind == 0:
                entries.extend(words[position + 2 : position + 2 + length])
                position += 2 + length
            elif kind == 1 and entries:
                entries.extend(np.rint(np.linspace(entries[-1], words[position + 2], length + 1)[1:]).astype(int).tolist())
                position += 3
            elif kind == 2 and len(todo) < 2:
                offset = _offset(words, position + 2, wide=wide)
                if offset is None:
                    return None
                todo += [(position + (4 if wide else 6), segments - 1), (offset, length)]
                break
            else:
                return None
            segments -= 1
    return np.asarray(entries[:count], np.uint16) if len(entries) >= count else None


def _offset(words: tuple[int, ...], position: int, *, wide: bool) -> int | None:
    """The 32-bit byte offset of an indirect segment as an index of words, least significant part first."""
    parts = words[position : position + (2 if wide else 4)]
    if len(parts) < (2 if wide else 4):
        return None
    offset = sum(part << (16 if wide else 8) * place for place, part in enumerate(parts))
    return offset // 2 if wide else offset
