"""Data elements as raw bytes, and the checked way from bytes to text and numbers.

Values are decoded here and not by pydicom, because a wrong VR or a malformed number must end in one line that names file
and tag (and because most of a header is never looked at).
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import dictionary_description

from medclassify.dicom.quiet import pydicom_warnings
from medclassify.errors import DecodeError

_INTEGER_CODES = {"US": "H", "SS": "h", "UL": "I", "SL": "i"}
_BINARY_VR = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "SQ", "FL", "FD", "AT", *_INTEGER_CODES})
_CHARSET = 0x00080005
_ESCAPE = b"\x1b"  # switches between character sets within a value (PS3.5 6.1.2.5)
_TEXT_DELIMITERS = {0x5C}


class Element(NamedTuple):
    """One element: its VR (empty in implicit VR) and its value as stored."""

    vr: str
    value: bytes


_ABSENT = Element("", b"")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The elements of one file that this package looks at, and where its pixel data stands.

    Attributes:
        path: The file, for messages.
        elements: Tag to element; top level only.
        sequences: Tag to the items of a sequence.
        transfer_syntax: Transfer Syntax UID.
        little_endian: Byte order of the dataset.
        pixel_tag: The tag of the pixel data (7FE0,0010 or a float one), or 0 where there is none.
        pixel_vr: Its VR, or "" in implicit VR.
        pixel_offset: Where its value starts.
        pixel_length: How long it says it is; None for an undefined length.
        size: The length of the file (of the inflated dataset where ``inflated``).
        inflated: The dataset of a deflated file.
        note: What had to be assumed about the file, or "".
    """

    path: str
    elements: Mapping[int, Element]
    sequences: Mapping[int, tuple[Mapping[int, Element], ...]]
    transfer_syntax: str
    little_endian: bool
    pixel_tag: int
    pixel_vr: str
    pixel_offset: int
    pixel_length: int | None
    size: int
    inflated: bytes | None = None
    note: str = ""

    def text(self, tag: int) -> str:
        """The value as text without padding, or "" where absent."""
        vr, value = self.elements.get(tag, _ABSENT)
        if not value:
            return ""
        if vr in _BINARY_VR:
            raise self._wrong_vr(tag, vr, "text")
        text = self._decode(value).strip(" \0\n\r\t")
        if not text.isprintable() and any(character < " " for character in text):
            # A wrong length swallows the elements that follow, a patient's name among them: it must not travel on.
            raise self._malformed(tag, value, "text")
        return text

    def integer(self, tag: int, default: int | None = None) -> int:
        """The first value of a binary integer element; ``default`` where absent."""
        element = self.elements.get(tag)
        if element is None or not element.value:
            if default is None:
                raise DecodeError(f"{self.path}: no {tag_name(tag)}. Export the image again.")
            return default
        return self._integers(tag, element)[0]

    def integers(self, tag: int, signed: bool = False) -> list[int]:
        """All values of a binary integer element; in implicit VR 16-bit, signed as told."""
        element = self.elements.get(tag)
        return [] if element is None or not element.value else self._integers(tag, element, "SS" if signed else "US")

    def numbers(self, tag: int) -> list[float]:
        """All values of a decimal or integer string; empty where absent."""
        element = self.elements.get(tag)
        if element is None or not element.value.strip(b" \0"):
            return []
        if element.vr in _BINARY_VR:
            raise self._wrong_vr(tag, element.vr, "DS or IS")
        return self._numbers_from_text(tag, element)

    def within(self, items: Mapping[int, Element]) -> "Parsed":
        """The same file, looking at one sequence item."""
        return replace(self, elements=items, sequences={}, pixel_tag=0, inflated=None)

    def _integers(self, tag: int, element: Element, implicit_vr: str = "US") -> list[int]:
        vr = implicit_vr if element.vr in ("", "UN") else element.vr
        code = _INTEGER_CODES.get(vr)
        if code is None:
            raise self._wrong_vr(tag, element.vr, "US")
        if len(element.value) == 2 and code == "H":  # nearly always
            return [int.from_bytes(element.value, "little" if self.little_endian else "big")]
        width = struct.calcsize(code)
        count, rest = divmod(len(element.value), width)
        if rest or not count:
            raise self._malformed(tag, element.value, f"{width}-byte integers")
        return list(struct.unpack(f"{'<' if self.little_endian else '>'}{count}{code}", element.value))

    def _numbers_from_text(self, tag: int, element: Element) -> list[float]:
        try:
            numbers = [float(part) for part in element.value.decode("ascii").strip(" \0").split("\\")]
        except ValueError:
            raise self._malformed(tag, element.value, "numbers") from None
        if not all(math.isfinite(number) for number in numbers):
            raise self._malformed(tag, element.value, "finite numbers")
        return numbers

    def _decode(self, value: bytes) -> str:
        if value.isascii() and _ESCAPE not in value:
            return value.decode("ascii")
        charset = self.elements.get(_CHARSET)
        names = charset.value.decode("ascii", "replace").strip(" \0").split("\\") if charset else [""]
        try:
            if _ESCAPE not in value:
                return value.decode(python_encoding[names[0]])
            with pydicom_warnings("error"):
                return decode_bytes(value, convert_encodings(names), _TEXT_DELIMITERS)
        except (LookupError, ValueError, UserWarning):
            # A wrong or unknown character set. Replacement characters could make two patients one; this keeps them apart.
            return value.decode("latin-1")

    def _wrong_vr(self, tag: int, vr: str, expected: str) -> DecodeError:
        return DecodeError(f"{self.path}: {tag_name(tag)} has VR {vr}, expected {expected}. Export the image again.")

    def _malformed(self, tag: int, value: bytes, expected: str) -> DecodeError:
        text = value.decode("latin-1").strip(" \0")
        shown = repr(text) if len(text) <= 16 and text.isascii() and text.isprintable() else f"{len(value)} bytes"
        return DecodeError(f"{self.path}: {tag_name(tag)} must hold {expected}, received {shown}. Export the image again.")


def tag_name(tag: int) -> str:
    """A tag as people write it: ``Rows (0028,0010)``."""
    try:
        name = dictionary_description(tag) + " "
    except KeyError:
        name = ""
    return f"{name}({tag >> 16:04X},{tag & 0xFFFF:04X})"
