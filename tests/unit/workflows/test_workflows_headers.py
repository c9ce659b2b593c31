import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from medclassify.dicom import NewInstance, write_image
from medclassify.errors import ManifestError
from medclassify.manifest import PatientHasher
from medclassify.workflows import header_cache, headers
from medclassify.workflows.headers import read_headers

LONG_AGO = 1_600_000_000
Read = Callable[..., tuple[pd.DataFrame, str]]


def radiograph(path: Path, patient: str = "P1", seconds: int = LONG_AGO, **facts: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    instance = NewInstance(transfer_syntax="explicit", patient_id=patient, **facts)  # type: ignore[arg-type]
    write_image(path, np.zeros((4, 5), np.uint16), instance)
    os.utime(path, (seconds, seconds))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDCLASSIFY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", str(tmp_path / "patient.key"))
    for number in range(4):
        radiograph(tmp_path / "images" / f"{number}.dcm", f"CANARY {number}", site="Hospital Ä")
    note = tmp_path / "images" / "note.txt"
    note.write_text("no image")
    os.utime(note, (LONG_AGO, LONG_AGO))
    return tmp_path / "images"


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Read:
    def read(*sources: Path, hasher: PatientHasher | None = None) -> tuple[pd.DataFrame, str]:
        table, failed = read_headers(sources, hasher or PatientHasher())
        assert not failed
        said = capsys.readouterr().out.splitlines(keepends=True)
        return table.sort_values("path", ignore_index=True), "".join(line for line in said if "no image by content" not in line)

    return read


def test_a_second_index_reads_nothing_and_gives_the_same(folder: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    first, said = read(folder)
    assert said == "" and len(first) == 4
    monkeypatch.setattr(headers, "read_header_batches", lambda paths, fields: iter(()) if not paths else pytest.fail("read"))
    second, said = read(folder)
    assert said == "headers: 5 of 5 files unchanged since the last index\n"
    pd.testing.assert_frame_equal(first, second)
    assert second["site"].tolist() == ["Hospital Ä"] * 4


def test_new_changed_and_removed_files_are_seen(folder: Path, read: Read) -> None:
    read(folder)
    radiograph(folder / "1.dcm", "another", seconds=LONG_AGO + 5)
    radiograph(folder / "deep" / "new.dcm", "new")
    (folder / "2.dcm").unlink()
    table, said = read(folder)
    assert said == "headers: 3 of 5 files unchanged since the last index\n"
    assert [Path(path).name for path in table["path"]] == ["0.dcm", "1.dcm", "3.dcm", "new.dcm"]
    hasher = PatientHasher()
    assert table["patient_hash"].tolist() == [hasher.hash(name) for name in ("CANARY 0", "another", "CANARY 3", "new")]
    assert read(folder)[1] == "headers: 5 of 5 files unchanged since the last index\n"


def test_the_folder_may_be_named_otherwise_and_be_one_of_several(
    folder: Path, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(folder)
    monkeypatch.chdir(tmp_path)
    radiograph(tmp_path / "more" / "a.dcm")
    table, said = read(Path("images"), Path("more"))
    assert said == "headers: 5 of 6 files unchanged since the last index\n"
    assert table["path"].tolist() == [*(f"images/{number}.dcm" for number in range(4)), "more/a.dcm"]
    assert read(Path("more"), Path("images"))[1] == "headers: 6 of 6 files unchanged since the last index\n"


def test_what_is_kept_names_no_patient(folder: Path, read: Read, tmp_path: Path) -> None:
    read(folder)
    kept = list((tmp_path / "cache" / "headers").iterdir())
    assert len(kept) == 1
    table = pd.read_parquet(kept[0])
    assert len(table) == 5 and not table.map(lambda value: "CANARY" in str(value)).any(axis=None)
    assert b"CANARY" not in kept[0].read_bytes()


def test_another_key_or_format_uses_nothing_that_is_kept(
    folder: Path, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(folder)
    other = PatientHasher(tmp_path / "other.key")
    table, said = read(folder, hasher=other)
    assert said == "" and table["patient_hash"][0] == other.hash("CANARY 0")
    assert read(folder, hasher=other)[1].startswith("headers: 5 of 5")
    monkeypatch.setattr(header_cache, "_FORMAT", -1)
    assert read(folder, hasher=other)[1] == ""


def test_a_damaged_cache_is_made_again(folder: Path, read: Read, tmp_path: Path) -> None:
    read(folder)
    (kept,) = (tmp_path / "cache" / "headers").iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    assert read(folder)[1] == ""
    assert read(folder)[1].startswith("headers: 5 of 5")


def test_a_file_written_just_now_is_read_again(folder: Path, read: Read) -> None:
    os.utime(folder / "3.dcm")
    read(folder)
    assert read(folder)[1] == "headers: 4 of 5 files unchanged since the last index\n"


def test_a_file_that_cannot_be_read_is_tried_again(folder: Path, read: Read) -> None:
    (folder / "3.dcm").write_bytes((folder / "3.dcm").read_bytes()[:-5])
    os.utime(folder / "3.dcm", (LONG_AGO, LONG_AGO))
    for _ in range(2):
        table, failed = read_headers([folder], PatientHasher())
        assert len(table) == 3
        assert [(Path(one.path).name, one.reason) for one in failed] == [("3.dcm", "unreadable: damaged or cut short")]


def test_an_interrupted_index_goes_on_where_it_was(folder: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = headers.read_header_batches

    def broken_off(paths, fields):
        yield from whole(paths[:2], fields)
        raise KeyboardInterrupt

    monkeypatch.setattr(headers, "read_header_batches", broken_off)
    with pytest.raises(KeyboardInterrupt):
        read(folder)
    monkeypatch.setattr(headers, "read_header_batches", whole)
    table, said = read(folder)
    assert said == "headers: 2 of 5 files unchanged since the last index\n" and len(table) == 4


def test_a_cache_that_cannot_be_written_is_a_warning(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDCLASSIFY_CACHE", str(tmp_path / "file"))
    assert len(read_headers([folder], PatientHasher())[0]) == 4
    assert "WARNING: the next index will read every header again: " in capsys.readouterr().err


def test_what_is_no_image_in_a_folder_is_counted_and_listed_where_its_name_says_image(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "2.dcm").write_text("no image either")
    (folder / "labels.csv").write_text("path,a")
    for _ in range(2):  # read, and then known from the cache
        table, failed = read_headers([folder], PatientHasher())
        assert len(table) == 3
        assert [(Path(one.path).name, one.reason) for one in failed] == [("2.dcm", "unreadable: no image in it")]
        assert "called an image, and its first bytes are neither DICOM, PNG nor JPEG" in failed[0].detail
        told = f"headers: 2 files are no images by content, and passed over (first: {folder / 'labels.csv'})"
        assert told in capsys.readouterr().out.splitlines()


def test_a_named_file_that_is_no_image_is_told_and_one_in_a_folder_is_not(folder: Path) -> None:
    table, failed = read_headers([folder, folder / "note.txt", folder / "0.dcm"], PatientHasher())
    assert len(table) == 4
    assert [(Path(one.path).name, one.reason) for one in failed] == [("note.txt", "unreadable: no image in it")]


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"empty: no DICOM, PNG or JPEG image found\. Check the folder's name"):
        read_headers([tmp_path / "empty"], PatientHasher())


def test_a_dicomdir_stands_for_the_images_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disc = Path(shutil.copytree(Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests", tmp_path / "disc"))
    (disc / "77654033" / "CT2" / "17106").unlink()
    table, failed = read_headers([disc / "DICOMDIR"], PatientHasher())
    assert len(table) == 30 and {Path(path).relative_to(disc).parts[0] for path in table["path"]} == {
        "77654033",
        "98892003",
        "98892001",
    }
    assert [(Path(one.path).name, one.reason) for one in failed] == [("17106", "not there")]
    assert "DICOMDIR: names 31 images" in capsys.readouterr().out
