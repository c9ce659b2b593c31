"""De-identified copies: a fault costs one file, and what was killed goes on where it stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.dicom import NewInstance, write_image
from medclassify.errors import RunError, StorageError
from medclassify.manifest import Manifest, PatientHasher, keep_samples, read_manifest
from medclassify.workflows import copy_journal
from medclassify.workflows import deidentify as workflow
from medclassify.workflows.deidentify import deidentify
from medclassify.workflows.index import index

# A copier with faults planted by the name of the file; everything around it is the real thing.
FAULTY = """
import ctypes, sys, time
from pathlib import Path
from medclassify.errors import StorageError
from medclassify.workflows import copying
real = copying.deidentify_image
def deidentify_image(path, *rest):
    name = Path(path).stem
    if name == "crash": ctypes.string_at(0)
    if name == "faulty": raise KeyError("CANARY^NAME")
    if name == "full": raise StorageError("copies: the disk is full. Free some space there, or choose another place.")
    if name.startswith("slow"): time.sleep(0.05)
    return real(path, *rest)
copying.deidentify_image = deidentify_image
sys.exit(copying.main())
"""
REAL = workflow._PROGRAM


def indexed(folder: Path, *names: str) -> Manifest:
    """A manifest of one small radiograph a name, whose headers name patients."""
    images = folder / "images"
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 4096, (30, 20), dtype=np.uint16)
        images.mkdir(exist_ok=True)
        write_image(images / f"{name}.dcm", pixels, NewInstance(transfer_syntax="explicit", patient_id=f"CANARY{number % 7}"))
    labels = pd.DataFrame({"path": [f"{name}.dcm" for name in names], "nodule": [n % 2 for n in range(len(names))]})
    labels.to_csv(images / "labels.csv", index=False)
    return index([images], images / "labels.csv", out=folder / "m.parquet").manifest


def copies_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.dcm")}


def children_of(process: int) -> set[int]:
    return {int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()}


def test_a_crash_costs_its_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = indexed(tmp_path, "a", "crash", "b", "faulty", "c")
    monkeypatch.setattr(workflow, "_PROGRAM", FAULTY)
    made = deidentify(manifest, tmp_path / "copies")
    listed = pd.read_csv(made.exclusions).set_index("path")["detail"]
    assert (made.count, made.left_out, len(copies_in(tmp_path / "copies"))) == (3, 2, 3)
    crash, faulty = (str(tmp_path / "images" / f"{name}.dcm") for name in ("crash", "faulty"))
    assert listed[crash] == f"{crash}: reader crashed (signal 11). Leave it out, or convert it."
    assert "reader failed (KeyError) at " in listed[faulty] and "CANARY" not in listed[faulty].replace(faulty, "")
    assert [path.name for path in tmp_path.glob("copies.*")] == ["copies.exclusions.csv"]  # no journal, no lock


def test_a_full_disk_stops_the_job_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = indexed(tmp_path, "a", "b", "full")
    monkeypatch.setattr(workflow, "_PROGRAM", FAULTY)
    with pytest.raises(StorageError, match="the disk is full"):
        deidentify(manifest, tmp_path / "copies")
    assert not (tmp_path / "copies" / "manifest.parquet").exists() and (tmp_path / "copies.unfinished.jsonl").exists()
    monkeypatch.setattr(workflow, "_PROGRAM", REAL)
    capsys.readouterr()
    assert deidentify(manifest, tmp_path / "copies").count == 3
    assert "2 of 3 copies are there from an earlier run; going on" in capsys.readouterr().out


def test_killed_midway_it_goes_on_to_the_same_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = indexed(tmp_path, *(f"slow{number}" for number in range(60)))
    whole = deidentify(manifest, tmp_path / "whole")
    script = f"""
from pathlib import Path
from medclassify.manifest import read_manifest
from medclassify.workflows import deidentify as workflow
workflow._PROGRAM = {FAULTY!r}
workflow.deidentify(read_manifest({str(tmp_path / "m.parquet")!r}), Path({str(tmp_path / "copies")!r}))
"""
    job = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal, until = tmp_path / "copies.unfinished.jsonl", time.monotonic() + 200
    try:
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 5) and time.monotonic() < until:
            time.sleep(0.005)
        copiers = children_of(job.pid)
        job.send_signal(signal.SIGKILL)
        assert job.wait(timeout=60) == -signal.SIGKILL and copiers
    finally:
        job.kill()
        job.wait()
    while any(Path(f"/proc/{copier}/stat").exists() for copier in copiers) and time.monotonic() < until:
        time.sleep(0.02)  # they end by themselves when the job is gone
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "copies").rglob("[!.]*.dcm")}
    noted = journal.read_bytes().count(b"\n") - 1
    assert 5 <= noted < 60 and not (tmp_path / "copies" / "manifest.parquet").exists()
    with journal.open("ab") as file:
        file.write(b'{"path": "cut o')  # as a kill within a line leaves it
    half = next(iter(before)).with_name(".2.25.1.99.part.dcm")
    half.write_bytes(b"half")
    capsys.readouterr()
    made = deidentify(manifest, tmp_path / "copies")
    assert f"copies: {noted} of 60 copies are there from an earlier run; going on" in capsys.readouterr().out
    assert copies_in(tmp_path / "copies") == copies_in(tmp_path / "whole") and len(before) < 60 == made.count
    kept = [path for path, written in before.items() if path.stat().st_mtime_ns == written]
    assert len(kept) >= noted and not half.exists() and not journal.exists()
    frames = [read_manifest(copies.manifest).frame.drop(columns="path") for copies in (whole, made)]
    pd.testing.assert_frame_equal(*frames)


def test_what_changed_in_between_is_copied_again_and_what_is_not_asked_for_any_more_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody withdraws consent after the kill: the copy of that image must not stay."""
    manifest = indexed(tmp_path, "a", "b", "c", "full")
    monkeypatch.setattr(workflow, "_PROGRAM", FAULTY)
    with pytest.raises(StorageError):
        deidentify(manifest, tmp_path / "copies")
    monkeypatch.setattr(workflow, "_PROGRAM", FAULTY.replace('"full"', '"nothing"'))
    os.utime(tmp_path / "images" / "a.dcm", (1, 1))
    foreign = tmp_path / "copies" / "README"
    foreign.write_text("mine")
    capsys.readouterr()
    left = keep_samples(
        manifest, manifest.frame["sample_id"][[path.endswith("b.dcm") is False for path in manifest.frame["path"]]]
    )
    assert deidentify(left, tmp_path / "copies").count == 3
    said = capsys.readouterr().out
    assert "1 of 3 copies are there" in said and "1 copies of images that are no longer asked for were removed" in said
    assert len(copies_in(tmp_path / "copies")) == 3 and foreign.exists()
    assert all(any(folder.iterdir()) for folder in (tmp_path / "copies").iterdir() if folder.is_dir())


def test_copies_of_another_key_are_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = indexed(tmp_path, "a", "b", "full")
    monkeypatch.setattr(workflow, "_PROGRAM", FAULTY)
    with pytest.raises(StorageError):
        deidentify(manifest, tmp_path / "copies")
    with pytest.raises(RunError, match=r"begun by another version or with another patient key.* Delete it and .*unfinished"):
        copy_journal.require_place_for_copies(tmp_path / "copies", PatientHasher(tmp_path / "other.key").fingerprint)
    monkeypatch.setattr(copy_journal, "_FORMAT", 2)
    with pytest.raises(RunError, match="begun by another version"):
        deidentify(manifest, tmp_path / "copies")


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    copy_journal.require_place_for_copies(tmp_path / "copies", "key")
    (tmp_path / "copies" / "a.txt").touch()
    for place in (tmp_path / "copies", tmp_path / "copies" / "a.txt"):
        with pytest.raises(RunError, match="is not an empty folder. Choose another one with --deidentify"):
            copy_journal.require_place_for_copies(place, "key")
