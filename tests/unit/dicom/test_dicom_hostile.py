"""Files made to harm: each ends soon, within little memory, in one named line."""

import os
import re
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path
from struct import pack

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from medclassify.dicom import read_header, read_image, read_shrunk
from medclassify.dicom.scan import walk_meta
from medclassify.errors import DecodeError, DicomError, NotAnImageError, UnsupportedImageError

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


def peak_mib(read, path: Path) -> tuple[float, DicomError]:
    """Resident memory that a refusal took, and the refusal."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    with pytest.raises(DicomError) as refusal:
        read(path)
    return _memory("VmHWM") - before, refusal.value


def _memory(line: str) -> float:
    found = re.search(rf"{line}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.mark.parametrize("read", [read_header, read_image])
def test_a_length_of_gigabytes_is_refused_before_it_is_taken(build, read) -> None:
    path = build(SMALL)
    data = path.read_bytes()
    at = data.index(b"\xe0\x7f\x10\0OW\0\0") + 8
    path.write_bytes(data[:at] + pack("<I", 0xF0000000) + data[at + 4 :])
    taken, error = peak_mib(read, path)
    assert taken < 4 and "claims 4026531840 bytes" in str(error)


@pytest.mark.parametrize("frame", [None, b"\xff\xd8\xff\xd9"])
def test_rows_and_columns_of_gigabytes_are_refused_before_decoding(build, frame) -> None:
    syntax = uid.JPEGBaseline8Bit if frame else uid.ExplicitVRLittleEndian
    path = build(SMALL, frame=frame, syntax=syntax, Rows=65535, Columns=65535)
    taken, error = peak_mib(read_image, path)
    assert taken < 4 and isinstance(error, UnsupportedImageError) and "claims 65535 × 65535 pixels" in str(error)


@pytest.mark.parametrize(
    ("syntax", "encode", "marker", "offset", "size"),
    [
        (uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode, b"\xff\x4f\xff\x51", 8, pack(">II", 60000, 60000)),
        (uid.JPEGBaseline8Bit, imagecodecs.jpeg8_encode, b"\xff\xc0", 5, pack(">HH", 60000, 60000)),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode, b"\xff\xf7", 5, pack(">HH", 60000, 60000)),
    ],
)
def test_gigabytes_within_a_compressed_stream_are_refused_before_decoding(build, syntax, encode, marker, offset, size) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    frame = bytearray(encode(pixels))
    at = frame.index(marker) + offset
    frame[at : at + len(size)] = size
    taken, error = peak_mib(read_image, build(pixels, frame=bytes(frame), syntax=syntax))
    assert taken < 4 and isinstance(error, DecodeError) and "60000 × 60000" in str(error)


def test_a_picture_of_gigabytes_is_refused_before_decoding(tmp_path: Path) -> None:
    picture = bytearray(imagecodecs.png_encode(np.zeros((8, 8), np.uint8)))
    picture[16:24] = pack(">II", 100_000, 100_000)
    path = tmp_path / "bomb.png"
    path.write_bytes(picture)
    taken, error = peak_mib(read_image, path)
    assert taken < 4 and "claims 100000 × 100000 pixels" in str(error)


@pytest.mark.parametrize("read", [read_header, read_image])
def test_a_deflated_bomb_is_inflated_up_to_a_bound(build, read) -> None:
    path = build(SMALL, syntax=uid.DeflatedExplicitVRLittleEndian)
    data = path.read_bytes()
    _, start = walk_meta(data) or ("", 0)
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)  # 16 MiB of zeros, which can be repeated
    path.write_bytes(data[:start] + block * 1000)
    taken, error = peak_mib(read, path)
    assert taken < 700 and isinstance(error, UnsupportedImageError) and "grows beyond 272 MiB" in str(error)


def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").mkdir()
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "a.dcm").symlink_to(tmp_path / "b.dcm")
    (tmp_path / "b.dcm").symlink_to(tmp_path / "a.dcm")
    expected = {
        tmp_path / "x.dcm": "not a regular file",
        tmp_path / "pipe.dcm": "not a regular file",
        Path("/dev/zero"): "not a regular file",
        tmp_path / "a.dcm": "cannot be read (Too many levels of symbolic links)",
        tmp_path / "no\0name": "no such file",
        tmp_path / ("n" * 300): "cannot be read (File name too long)",
    }
    for path, reason in expected.items():
        for read in (read_header, read_image):
            with pytest.raises(NotAnImageError) as refusal:
                read(path)
            assert str(refusal.value).startswith(f"{path}: {reason}. Check "), path


def test_what_may_not_be_read_is_named(tmp_path: Path, build) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    build(SMALL).rename(closed / "a.dcm")
    readable = build(SMALL, name="b.dcm")
    readable.chmod(0)
    closed.chmod(0)
    script = f"""
import os, sys
from medclassify.dicom import read_image
from medclassify.errors import NotAnImageError
if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
os.chdir("/")
for path in {[str(closed / "a.dcm"), str(readable)]!r}:
    try: read_image(path)
    except NotAnImageError as error: print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    closed.chmod(0o700)
    assert run.returncode == 0, run.stderr
    said = run.stdout.splitlines()
    assert len(said) == 2
    assert all("cannot be read (Permission denied). Check its permissions." in line for line in said)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.JPEGLSLossless])
def test_a_file_that_grows_and_shrinks_while_it_is_read(build, syntax: str) -> None:
    pixels = np.arange(1 << 18, dtype=np.uint16).reshape(512, 512)
    path = build(pixels, frame=imagecodecs.jpegls_encode(pixels) if syntax == uid.JPEGLSLossless else None, syntax=syntax)
    whole = path.read_bytes()
    stop = threading.Event()

    def change() -> None:
        with open(path, "rb+") as handle:
            while not stop.is_set():
                for length in (len(whole) // 2, 200, 0, len(whole) + 4096, len(whole)):
                    os.truncate(handle.fileno(), length)
                os.pwrite(handle.fileno(), whole, 0)
                time.sleep(0.002)

    changer = threading.Thread(target=change)
    changer.start()
    ends = set()
    try:
        for number in range(300):
            try:
                if number % 2:
                    ends.add(read_image(path).pixels.shape)
                else:
                    ends.add(read_shrunk(path, longest_side=512)[0].pixels.shape)
            except DicomError as error:
                ends.add(type(error))
    finally:
        stop.set()
        changer.join()
    assert ends <= {(512, 512), DecodeError, NotAnImageError}


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLSLossless])
def test_a_file_cut_off_after_its_size_was_asked_for(build, syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(1 << 12, dtype=np.uint16).reshape(64, 64)
    path = build(pixels, frame=imagecodecs.jpegls_encode(pixels) if syntax == uid.JPEGLSLossless else None, syntax=syntax)
    at = path.read_bytes().index(b"\xe0\x7f\x10\0O") + 12
    fstat = os.fstat

    def cut(handle: int) -> os.stat_result:
        facts = fstat(handle)
        os.truncate(path, at + 4)
        return facts

    monkeypatch.setattr("medclassify.dicom.parse.os.fstat", cut)
    with pytest.raises(DecodeError, match="is cut off"):
        read_image(path)
