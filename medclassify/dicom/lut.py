"""Lookup tables as DICOM writes them, for the modality LUT and the VOI LUT (PS3.3 C.11.1.1 and C.11.2.1.1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medclassify.dicom import tags
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.errors import DecodeError


@dataclass(frozen=True, slots=True, eq=False)
class LookupTable:
    """A table from whole numbers to unsigned entries.

    Attributes:
        entries: uint8 or uint16 (N,).
        first: The input that maps to ``entries[0]``; inputs below and beyond take the first and last entry.
        bits: Bits of an entry: outputs lie in [0, 2^bits − 1].
    """

    entries: NDArray[Any]
    first: int
    bits: int

    @property
    def highest(self) -> int:
        """The largest output the table may hold."""
        return (1 << self.bits) - 1

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Looks up each value, rounded to a whole number; float32 of the same shape."""
        whole = np.rint(values) if values.dtype.kind == "f" else values
        index = np.clip(whole.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[index].astype(np.float32)


def read_table(parsed: Parsed, sequence: int, *, signed_input: bool) -> LookupTable | None:
    """The table in the first item of a sequence; None where there is none.

    Args:
        parsed: The file.
        sequence: Modality LUT Sequence or VOI LUT Sequence.
        signed_input: Whether the table's inputs may be negative, which decides how its first input is read.

    Raises:
        DecodeError: Descriptor and data do not fit each other.
    """
    items = parsed.sequences.get(sequence, ())
    if not items:
        return None
    return table_of(parsed.within(items[0]), tags.LUT_DESCRIPTOR, tags.LUT_DATA, tag_name(sequence), signed_input=signed_input)


def table_of(item: Parsed, descriptor_tag: int, data_tag: int, name: str, *, signed_input: bool) -> LookupTable:
    """The table of a descriptor and its data.

    Args:
        item: Where the two stand.
        descriptor_tag: Number of entries, first input, bits of an entry.
        data_tag: The entries.
        name: What messages call the table.
        signed_input: Whether the table's inputs may be negative.

    Raises:
        DecodeError: Descriptor and data do not fit each other.
    """
    count, first, bits = read_descriptor(item, descriptor_tag, name, signed_input=signed_input)
    data = item.elements.get(data_tag)
    if data is None or not data.value:
        raise DecodeError(f"{item.path}: {name} holds no complete table. Export the image again.")
    entries = _entries(data.value, count, bits, "<" if item.little_endian else ">")
    if entries is None:
        raise DecodeError(f"{item.path}: {name} claims {count} entries, its data holds {len(data.value)} bytes.")
    return LookupTable(entries, first, bits)


def read_descriptor(item: Parsed, descriptor_tag: int, name: str, *, signed_input: bool) -> tuple[int, int, int]:
    """Number of entries, first input, bits of an entry.

    Raises:
        DecodeError: There is none, or it claims what cannot be.
    """
    descriptor = item.integers(descriptor_tag)
    if len(descriptor) != 3:
        raise DecodeError(f"{item.path}: {name} holds no complete table. Export the image again.")
    count, first, bits = descriptor
    count = count or 1 << 16  # 0 stands for 2^16
    if signed_input and first > 0x7FFF:
        first -= 1 << 16
    if not 8 <= bits <= 16:
        raise DecodeError(f"{item.path}: {name} claims entries of {bits} bits, expected 8 to 16.")
    return count, first, bits


def _entries(data: bytes, count: int, bits: int, order: str) -> NDArray[Any] | None:
    if len(data) >= 2 * count:
        return np.frombuffer(data, f"{order}u2", count)
    if bits == 8 and len(data) >= count:
        return np.frombuffer(data, np.uint8, count)
    return None
