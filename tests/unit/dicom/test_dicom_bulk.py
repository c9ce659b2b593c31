import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from medclassify.dicom import NewInstance, find_files, read_header, read_header_batches, write_image
from medclassify.dicom.bulk import HeaderBatch
from medclassify.errors import RunError
from medclassify.records import InstanceHeader

FIELDS = tuple(field.name for field in fields(InstanceHeader))
COUNT = 1_200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One radiograph under many names, of which some are damaged or no images."""
    folder = tmp_path_factory.mktemp("bulk")
    instance = NewInstance(transfer_syntax="explicit", patient_id="Pé 1", age_years=40, spacing_mm=(0.1, 0.2))
    write_image(folder / "0000.dcm", np.zeros((4, 5), np.uint16), instance)
    for number in range(1, COUNT):
        os.link(folder / "0000.dcm", folder / f"{number:04d}.dcm")
    (folder / "0700.dcm").unlink()
    (folder / "0700.dcm").write_bytes((folder / "0000.dcm").read_bytes()[:-3])
    (folder / "0701.dcm").unlink()
    (folder / "0701.dcm").symlink_to(folder / "nowhere")
    (folder / "readme.txt").write_text("no image")
    return folder


def together(batches: list[HeaderBatch]) -> HeaderBatch:
    headers = {name: [value for batch in batches for value in batch.headers[name]] for name in FIELDS}
    return HeaderBatch(headers, [one for batch in batches for one in batch.failed], [one for b in batches for one in b.others])


@pytest.mark.parametrize("processes", [1, 2])
def test_headers_are_what_each_file_says_and_bad_files_are_told(folder: Path, processes: int) -> None:
    paths = list(find_files([folder]))
    batches = list(read_header_batches(paths, FIELDS, processes=processes))
    assert sum(map(len, batches)) == len(paths) == COUNT + 1 and len(batches) == 3
    read = together(batches)
    assert read.headers["path"] == [path for path in paths if Path(path).name not in ("0700.dcm", "0701.dcm", "readme.txt")]
    expected = read_header(folder / "0000.dcm")
    for name in set(FIELDS) - {"path"}:
        assert {str(value).replace("[", "(").replace("]", ")") for value in read.headers[name]} == {
            str(getattr(expected, name))
        }
    assert [(Path(path).name, error) for path, error, _ in read.failed] == [
        ("0700.dcm", "DecodeError"), ("0701.dcm", "NotAnImageError"),
    ]  # fmt: skip
    assert "cut off" in read.failed[0][2] and "no such file" in read.failed[1][2]
    assert [Path(path).name for path in read.others] == ["readme.txt"]


def test_nothing_to_read_is_no_batch() -> None:
    assert list(read_header_batches([], FIELDS)) == []


def test_few_files_start_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert len(next(read_header_batches(list(find_files([folder])), FIELDS))) == 500


def test_a_killed_process_is_one_line_and_leaves_no_other(folder: Path) -> None:
    paths = list(find_files([folder])) * 40
    batches = read_header_batches(paths, FIELDS, processes=2)
    next(batches)
    ours = _children()
    assert len(ours) == 2
    os.kill(ours[0], signal.SIGKILL)
    with pytest.raises(RunError, match=r"a process that reads headers was killed by signal 9\. Run again"):
        list(batches)
    assert not _children()


def test_ctrl_c_ends_every_process(folder: Path, tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from medclassify.dicom import find_files, read_header_batches
        paths = list(find_files([{str(folder)!r}])) * 400
        for batch in read_header_batches(paths, ("path",), processes=2):
            print("read", flush=True)
    """)
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "read\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
        _, errors = process.communicate(timeout=60)
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    assert _gone(process.pid)


def _gone(group: int) -> bool:
    """Whether every process of a group ends within seconds."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def _children() -> list[int]:
    """Reading processes that this one has started (Linux)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = status.read_text().rsplit(")", 1)[1].split()
            words = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(facts[1]) == os.getpid() and b"medclassify.dicom.bulk" in words and facts[0] != "Z":
            found.append(int(status.parent.name))
    return found
