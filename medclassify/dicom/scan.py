"""A fast walk over the elements of a little-endian dataset, for ordinary files.

It knows when it does not know: on anything unusual it answers None and pydicom is asked instead (see ``parse``), so it can
be short. Encoding rules: PS3.5 chapter 7 and annex A; File Meta Information: PS3.10 chapter 7.
"""

from struct import Struct
from typing import NamedTuple

from medclassify.dicom.elements import Element
from medclassify.dicom.tags import PIXEL_TAGS, SEQUENCES, WANTED

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_LONG_LENGTH = Struct("<I").unpack_from
SHORT_VR = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VR = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_TEXT = {vr: vr.decode() for vr in SHORT_VR | LONG_VR | {b""}}
_STOPS = PIXEL_TAGS | SEQUENCES
_LOOKED_AT = WANTED | _STOPS
PIXEL_VR = frozenset({"", "OB", "OW", "OF", "OD", "UN"})
_new = tuple.__new__  # a named tuple's own constructor takes twice the time
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_TRANSFER_SYNTAX = 0x00020010
_UID_CHARACTERS = frozenset("0123456789.")
_MAX_DEPTH = 16


class Walk(NamedTuple):
    """What stood before the pixel data, and where that is (``pixel_tag`` 0: nowhere)."""

    elements: dict[int, Element]
    pixel_tag: int
    pixel_vr: str
    pixel_offset: int
    pixel_length: int | None


def is_uid(text: str) -> bool:
    """Whether a text is digits and dots, at most 64 of them (PS3.5 chapter 9)."""
    return 0 < len(text) <= 64 and set(text) <= _UID_CHARACTERS


def walk_meta(data: bytes) -> tuple[str, int] | None:
    """The transfer syntax and the offset of the dataset of a file with preamble, or None when unsure."""
    position, syntax = 132, ""
    while position + 8 <= len(data):
        group, number, vr, length = _EXPLICIT(data, position)
        if group != 2:
            return (syntax, position) if is_uid(syntax) else None
        if vr in LONG_VR:
            if position + 12 > len(data):
                return None
            length = _LONG_LENGTH(data, position + 8)[0]
            position += 4
        elif vr not in SHORT_VR:
            return None
        position += 8
        if group << 16 | number == _TRANSFER_SYNTAX:
            syntax = data[position : position + length].decode("latin-1").rstrip("\0 ")
        position += length
    return None


def meta_is_flat(data: bytes, start: int) -> bool:
    """Whether the file meta information ends within ``data`` and holds no sequence, as PS3.10 table 7.1-1 has none.

    pydicom puts the value of its first element into a message; thousands of nested sequences there take it hours and gigabytes.
    """
    position = start
    while position + 12 <= len(data):
        group, _, vr, length = _EXPLICIT(data, position)
        if group != 2:
            return True
        if vr in LONG_VR:
            length = _LONG_LENGTH(data, position + 8)[0]
            position += 4
        elif vr not in SHORT_VR:
            if b"AA" <= vr <= b"ZZ":
                return False
            length = _LONG_LENGTH(data, position + 4)[0]  # written without a VR: read like pydicom does
        if vr == b"SQ" or length == _UNDEFINED:
            return False
        position += 8 + length
    return False


def walk(data: bytes, start: int, *, explicit: bool) -> Walk | None:
    """Collects the wanted elements up to the pixel data.

    Args:
        data: The file, or its beginning.
        start: Where the dataset starts.
        explicit: Whether the VRs are written.

    Returns:
        What was found, or None when the beginning was too short or anything looked unusual.
    """
    elements: dict[int, Element] = {}
    position, previous, last = start, 0, len(data) - 12
    while position <= last:  # written out and not shared with _read_head: a call an element would cost half of the speed
        group, number, code, length = _EXPLICIT(data, position)
        tag = group << 16 | number
        if tag <= previous:
            return None
        previous = tag
        if explicit and code in SHORT_VR:  # nearly always
            position += 8
            if tag in _LOOKED_AT:
                if tag in _STOPS:
                    return None
                elements[tag] = _new(Element, (_TEXT[code], data[position : position + length]))
            position += length
            continue
        if not explicit:
            code, length = b"", _LONG_LENGTH(data, position + 4)[0]
            position += 8
        elif code in LONG_VR:
            length = _LONG_LENGTH(data, position + 8)[0]
            position += 12
        else:
            return None
        if tag in _STOPS:
            if tag in SEQUENCES or _TEXT[code] not in PIXEL_VR:
                return None
            return Walk(elements, tag, _TEXT[code], position, None if length == _UNDEFINED else length)
        if length == _UNDEFINED:
            after = _skip_items(data, position, explicit, 0) if code in (b"SQ", b"") else None
            if after is None:
                return None
            position = after
            continue
        if tag in WANTED:
            elements[tag] = _new(Element, (_TEXT[code], data[position : position + length]))
        position += length
    return None


def _read_head(data: bytes, position: int, explicit: bool) -> tuple[int, str, int, int] | None:
    if not explicit:
        group, number, length = _IMPLICIT(data, position)
        return group << 16 | number, "", length, position + 8
    group, number, vr, length = _EXPLICIT(data, position)
    if vr in SHORT_VR:
        return group << 16 | number, _TEXT[vr], length, position + 8
    if vr in LONG_VR:
        return group << 16 | number, _TEXT[vr], _LONG_LENGTH(data, position + 8)[0], position + 12
    return None


def _skip_items(data: bytes, position: int, explicit: bool, depth: int) -> int | None:
    """The end of a sequence of undefined length whose first item starts at ``position``."""
    while depth < _MAX_DEPTH and position + 8 <= len(data):
        group, number, length = _IMPLICIT(data, position)
        position += 8
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            return None
        after = _skip_item(data, position, explicit, depth) if length == _UNDEFINED else position + length
        if after is None:
            return None
        position = after
    return None


def _skip_item(data: bytes, position: int, explicit: bool, depth: int) -> int | None:
    """The end of an item of undefined length."""
    while position + 12 <= len(data):
        group, number, length = _IMPLICIT(data, position)
        if group << 16 | number == _ITEM_END:
            return position + 8
        head = _read_head(data, position, explicit)
        if head is None:
            return None
        _, vr, length, position = head
        if length == _UNDEFINED:
            after = _skip_items(data, position, explicit, depth + 1) if vr in ("SQ", "") else None
            if after is None:
                return None
            position = after
        else:
            position += length
    return None
