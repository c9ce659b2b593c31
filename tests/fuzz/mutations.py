"""A seeded fuzzer: every DICOM file that comes with pydicom, damaged in the ways that exports, networks and attackers do."""

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from struct import pack, pack_into, unpack_from
from typing import NamedTuple

import numpy as np
import pydicom.data

Random = np.random.Generator
BUNDLED = Path(pydicom.data.__file__).parent
_FOLDERS = ("test_files", "charset_files", "palettes")
_NOT_DICOM = {".json", ".txt", ".md", ".gz", ".icc", ".dump", ".py", ".pyc"}
_LONG_VR = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_VRS = (
    b"AE",
    b"AT",
    b"CS",
    b"DS",
    b"FD",
    b"IS",
    b"LO",
    b"OB",
    b"OW",
    b"PN",
    b"SQ",
    b"UI",
    b"UN",
    b"US",
    b"ZZ",
    b"\0\0",
    b"\xff\n",
)
_LENGTHS = (0, 1, 2, 3, 0x7FFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
_UNDEFINED = 0xFFFFFFFF
_SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203", "1.2.3", "", "not a UID", "1" * 64,
)  # fmt: skip
_WHOLE = (0, 1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 64, 127, 128, 255, 256, 4096, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_TEXTS = (
    b"0", b"1", b"2", b"-1", b"1e400", b"nan", b"inf", b"1e-300", b"99999999999999999999", b"2147483648", b"1\\2\\3", b"\\",
    b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"YBR_FULL", b"YBR_FULL_422", b"YBR_RCT", b"YBR_ICT", b"PALETTE COLOR", b"ARGB",
    b"CANARY^NAME", b"\x1b$B\x1b(B", b"\xff\xfe\xfd", b"../../../etc/passwd", b"A" * 70000,
)  # fmt: skip
_IMAGE_TAGS = frozenset({
    0x00080005, 0x00080060, 0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101,
    0x00280102, 0x00280103, 0x00280120, 0x00280121, 0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281054, 0x00281056,
    0x00281101, 0x00281201, 0x00283002, 0x20500020, 0x00020010,
})  # fmt: skip
_MARKERS = (
    b"\xff\x4f\xff\x51",
    b"\xff\xc0",
    b"\xff\xc1",
    b"\xff\xc3",
    b"\xff\xf7",
    b"\xff\xc4",
    b"\xff\xda",
    b"\xfe\xff\0\xe0",
)
_PLAIN_TEXT = b'path,finding\n<html><body>"a;b",1\n</body></html>\n%PDF-1.4 {"json": null}\n'


class Spot(NamedTuple):
    """Where one element of a file stands."""

    tag: int
    vr: bytes
    start: int
    length_at: int
    length_size: int
    value: int
    length: int


@cache
def corpus() -> tuple[Path, ...]:
    """All DICOM files that come with pydicom, in a fixed order."""
    found = (path for folder in _FOLDERS for path in (BUNDLED / folder).rglob("*"))
    return tuple(sorted(path for path in found if path.is_file() and path.suffix not in _NOT_DICOM))


def mutant(seed: int, number: int) -> tuple[Path, str, bytes]:
    """One damaged file, the same for the same seed and number.

    Returns:
        The file it was made from, what was done to it, and its bytes.
    """
    random = np.random.default_rng((seed, number))
    files = corpus()
    source = files[number % len(files)]
    data, done = bytearray(_read(source)), []
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        name = str(random.choice([*MUTATIONS, *_OFTEN]))
        data = MUTATIONS[name](data, random)
        done.append(name)
    return source, "+".join(done), bytes(data)


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def spots(data: bytes | bytearray) -> list[Spot]:
    """The elements of the top level, as far as they can be followed; not shared with the reader under test."""
    at = 132 if data[128:132] == b"DICM" else 0
    explicit, order, found = True, "<", []
    syntax = b""
    while at + 12 <= len(data):
        group, number = unpack_from("<HH", data, at)
        if group != 2 and (not found or found[-1].tag >> 16 == 2):
            explicit = syntax != b"1.2.840.10008.1.2" and bytes(data[at + 4 : at + 6]).isalpha()
            order = ">" if syntax == b"1.2.840.10008.1.2.2" else "<"
        group, number = unpack_from(f"{order}HH", data, at)
        vr = bytes(data[at + 4 : at + 6]) if explicit else b""
        if not explicit:
            place, size, value = at + 4, 4, at + 8
        elif vr in _LONG_VR:
            place, size, value = at + 8, 4, at + 12
        else:
            place, size, value = at + 6, 2, at + 8
        length = unpack_from(f"{order}{'I' if size == 4 else 'H'}", data, place)[0]
        tag = group << 16 | number
        found.append(Spot(tag, vr, at, place, size, value, length))
        if tag == 0x00020010:
            syntax = bytes(data[value : value + length]).rstrip(b"\0 ")
        if length == _UNDEFINED:  # on to the sequence's end, or not at all
            end = data.find(b"\xfe\xff\xdd\xe0\0\0\0\0", value)
            if tag >> 16 == 0x7FE0 or end < 0:
                break
            at = end + 8
        else:
            at = value + length
    return found


def _pick(data: bytearray, random: Random) -> Spot | None:
    """An element; half of the time one that decides how the pixels are read."""
    found = spots(data)
    chosen = [spot for spot in found if spot.tag in _IMAGE_TAGS]
    if not chosen or random.random() < 0.5:
        chosen = found
    return chosen[int(random.integers(len(chosen)))] if chosen else None


def _place(data: bytearray, random: Random) -> int:
    """An offset; mostly in the header."""
    found = spots(data)
    header = min(found[-1].value + 16, len(data)) if found and random.random() < 0.7 else len(data)
    return int(random.integers(min(128, max(header - 1, 0)), max(header, 1)))


def flip_bits(data: bytearray, random: Random) -> bytearray:
    for _ in range(int(random.integers(1, 9))):
        if data:
            data[_place(data, random) % len(data)] ^= 1 << int(random.integers(8))
    return data


def overwrite_bytes(data: bytearray, random: Random) -> bytearray:
    for _ in range(int(random.integers(1, 17))):
        if data:
            data[_place(data, random) % len(data)] = int(random.choice([0, 1, 127, 128, 255, int(random.integers(256))]))
    return data


def truncate(data: bytearray, random: Random) -> bytearray:
    return data[: int(random.integers(0, len(data) + 1))]


def cut_out(data: bytearray, random: Random) -> bytearray:
    at = _place(data, random)
    del data[at : at + int(random.integers(1, 64))]
    return data


def append_junk(data: bytearray, random: Random) -> bytearray:
    return data + random.bytes(int(random.integers(1, 4096)))


def insert_text(data: bytearray, random: Random) -> bytearray:
    if random.random() < 0.1:
        return bytearray(_PLAIN_TEXT * int(random.integers(1, 200)))
    at = _place(data, random)
    data[at:at] = _PLAIN_TEXT[: int(random.integers(1, len(_PLAIN_TEXT)))]
    return data


def claim_length(data: bytearray, random: Random) -> bytearray:
    if (spot := _pick(data, random)) is None:
        return data
    near = [max(spot.length + step, 0) for step in (-2, -1, 1, 2, 8)]
    length = int(random.choice([*_LENGTHS, *near]))
    _put_length(data, spot, length)
    return data


def _put_length(data: bytearray, spot: Spot, length: int) -> None:
    form, highest = ("<I", _UNDEFINED) if spot.length_size == 4 else ("<H", 0xFFFF)
    pack_into(form, data, spot.length_at, min(length, highest))


def swap_vr(data: bytearray, random: Random) -> bytearray:
    spot = _pick(data, random)
    if spot is not None and spot.vr:
        data[spot.start + 4 : spot.start + 6] = _VRS[int(random.integers(len(_VRS)))]
    return data


def nest(data: bytearray, random: Random) -> bytearray:
    """A sequence in a sequence in a sequence …, delimited, undelimited, or of lengths that wrap around."""
    found = spots(data)
    if not found:
        return data
    spot = found[int(random.integers(len(found)))]
    depth = int(random.choice([1, 3, 15, 16, 17, 100, 1500]))
    length = int(random.choice([_UNDEFINED, _UNDEFINED, 0xFFFFFFF0, 0x7FFFFFFF]))
    tag = pack("<HH", spot.tag >> 16, max((spot.tag & 0xFFFF) - 1, 0))
    head = tag + (b"SQ\0\0" if spot.vr else b"") + pack("<I", length)
    block = (head + pack("<HHI", 0xFFFE, 0xE000, length)) * depth
    if random.random() < 0.6:
        block += (pack("<HHI", 0xFFFE, 0xE00D, 0) + pack("<HHI", 0xFFFE, 0xE0DD, 0)) * depth
    data[spot.start : spot.start] = block
    return data


def undefine_length(data: bytearray, random: Random) -> bytearray:
    spot = _pick(data, random)
    if spot is None:
        return data
    if spot.length_size == 4:
        _put_length(data, spot, _UNDEFINED)
        return data
    vr = (b"SQ", b"UN", b"OB", b"UT")[int(random.integers(4))]
    data[spot.start + 4 : spot.value] = vr + b"\0\0" + pack("<I", _UNDEFINED)
    return data


def duplicate(data: bytearray, random: Random) -> bytearray:
    spot = _pick(data, random)
    if spot is None or spot.length > 4096:
        return data
    element = bytes(data[spot.start : spot.value + spot.length])
    places = [other.start for other in spots(data)]
    at = places[int(random.integers(len(places)))] if random.random() < 0.5 else spot.start
    data[at:at] = element * int(random.choice([1, 2, 1000]))
    return data


def drop_element(data: bytearray, random: Random) -> bytearray:
    spot = _pick(data, random)
    if spot is not None and spot.length < 1 << 20:
        del data[spot.start : spot.value + spot.length]
    return data


def change_syntax(data: bytearray, random: Random) -> bytearray:
    syntax = _SYNTAXES[int(random.integers(len(_SYNTAXES)))].encode()
    return _replace_value(data, 0x00020010, syntax + b"\0" * (len(syntax) % 2))


def change_value(data: bytearray, random: Random) -> bytearray:
    """Rows, Columns, Bits, Number of Frames, Photometric Interpretation, windows …: valid elsewhere, hostile here."""
    found = [spot for spot in spots(data) if spot.tag in _IMAGE_TAGS]
    for _ in range(int(random.integers(1, 4))):
        if not found:
            break
        spot = found[int(random.integers(len(found)))]
        binary = spot.vr in (b"US", b"SS") or (not spot.vr and spot.tag & 0xFFFF0000 == 0x00280000 and spot.length == 2)
        if binary:
            value = pack("<H", int(random.choice(_WHOLE)))
        else:
            value = _TEXTS[int(random.integers(len(_TEXTS)))]
            value += b" " * (len(value) % 2)
        if len(value) < 0xFFFF or spot.length_size == 4:
            data = _replace_value(data, spot.tag, value)
            found = [spot for spot in spots(data) if spot.tag in _IMAGE_TAGS]
    return data


def _replace_value(data: bytearray, tag: int, value: bytes) -> bytearray:
    for spot in spots(data):
        if spot.tag == tag and spot.length <= len(data):
            _put_length(data, spot, len(value))
            data[spot.value : spot.value + spot.length] = value
            break
    return data


def damage_stream(data: bytearray, random: Random) -> bytearray:
    """Sizes within a compressed stream that claim gigabytes, item lengths, offset tables, and the coded data itself."""
    found = spots(data)
    start = found[-1].value if found and found[-1].tag == 0x7FE00010 else len(data) // 2
    markers = (
        b"\xff\x4f\xff\x51",
        b"\xff\xc0",
        b"\xff\xc1",
        b"\xff\xc3",
        b"\xff\xf7",
        b"\xff\xc4",
        b"\xff\xda",
        b"\xfe\xff\x00\xe0",
    )
    marker = markers[int(random.integers(len(markers)))]
    at = data.find(marker, start)
    if at < 0 or random.random() < 0.3:
        at = int(random.integers(min(start, len(data)), len(data) + 1))
    at += int(random.integers(0, 48))
    size = int(random.integers(1, 9))
    values = (b"\0" * size, b"\xff" * size, b"\x7f" * size, random.bytes(size))
    if at + size <= len(data):
        data[at : at + size] = values[int(random.integers(4))]
    return data


def splice(data: bytearray, random: Random) -> bytearray:
    """The header of one file and the pixels of another."""
    files = corpus()
    other = _read(files[int(random.integers(len(files)))])
    mine, theirs = spots(data), spots(other)
    if not mine or not theirs:
        return data
    return data[: mine[-1].start] + other[theirs[-1].start :]


def deflate(data: bytearray, random: Random) -> bytearray:
    """The dataset as a deflated one (PS3.5 annex A.5), whole, cut off, damaged, or followed by a bomb."""
    data = _replace_value(data, 0x00020010, b"1.2.840.10008.1.2.1.99")
    after = [spot.start for spot in spots(data) if spot.tag >> 16 != 2]
    if data[128:132] != b"DICM" or not after:
        return data
    body = bytes(data[after[0] :]) + b"\0" * int(random.choice([0, 0, 1 << 24]))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    stream = bytearray(packer.compress(body) + packer.flush())
    return data[: after[0]] + (stream if random.random() < 0.5 else overwrite_bytes(stream, random))


MUTATIONS: dict[str, Callable[[bytearray, Random], bytearray]] = {
    function.__name__: function
    for function in (
        flip_bits, overwrite_bytes, truncate, cut_out, append_junk, insert_text, claim_length, swap_vr, nest, undefine_length,
        duplicate, drop_element, change_syntax, change_value, damage_stream, splice, deflate,
    )
}  # fmt: skip
_OFTEN = ("claim_length", "change_value", "change_value", "damage_stream", "damage_stream", "damage_stream")
"""The ways that get furthest into the reader before it says no."""
