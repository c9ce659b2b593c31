"""Files made to harm: each ends soon, within little memory, in one named line."""

import time
from contextlib import suppress
from pathlib import Path
from struct import pack

import numpy as np
import pytest

from medclassify.dicom import read_header, read_image
from medclassify.errors import DecodeError, DicomError

UNDEFINED = 0xFFFFFFFF
SMALL = np.arange(12, dtype=np.uint16).reshape(3, 4)


def nested(tag: int, depth: int, *, vr: bytes = b"SQ\0\0", length: int = UNDEFINED, closed: bool = True) -> bytes:
    """A sequence in a sequence in a sequence …"""
    head = pack("<HH", tag >> 16, tag & 0xFFFF) + vr + pack("<I", length)
    block = (head + pack("<HHI", 0xFFFE, 0xE000, length)) * depth
    return block + (pack("<HHI", 0xFFFE, 0xE00D, 0) + pack("<HHI", 0xFFFE, 0xE0DD, 0)) * depth * closed


def insert(path: Path, before: bytes, block: bytes) -> Path:
    data = path.read_bytes()
    at = data.index(before, 132)
    path.write_bytes(data[:at] + block + data[at:])
    return path


@pytest.mark.parametrize("length", [UNDEFINED, 0xFFFFFFF0])
@pytest.mark.parametrize("depth", [2, 1500])
@pytest.mark.parametrize("vr", [b"SQ\0\0", b"UN\0\0", b""])
def test_sequences_in_the_file_meta_information_are_not_followed(build, vr: bytes, depth: int, length: int) -> None:
    # pydicom prints the value of its first element; the message of the RecursionError in it doubled with each level
    path = insert(build(SMALL), b"\x02\0\x01\0OB", nested(0x00020000, depth, vr=vr, length=length))
    with pytest.raises(DecodeError, match=r"the file meta information is damaged\. Export"):
        read_header(path)


@pytest.mark.parametrize("depth", [15, 16, 17, 150, 3000])
@pytest.mark.parametrize("length", [UNDEFINED, 0xFFFFFFF0, 0x7FFFFFFF])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_sequences_end_in_an_image_or_a_named_error(build, depth: int, length: int, closed: bool) -> None:
    path = insert(build(SMALL), b"\x28\0\x02\0US", nested(0x00189999, depth, length=length, closed=closed))
    started = time.perf_counter()
    with suppress(DicomError):
        assert read_image(path).pixels.shape == (3, 4)
    assert time.perf_counter() - started < 5
