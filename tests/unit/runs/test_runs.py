"""Files are whole or not there; a run knows whether it is what was written."""

from pathlib import Path

import pytest

from medclassify.errors import RunError, StorageError
from medclassify.runs import RunLayout, atomic_path, verify, write_json, write_provenance, write_text
from medclassify.runs.provenance import read_provenance


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def break_off() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        break_off()
    assert (tmp_path / "a.txt").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_a_full_device_says_so() -> None:
    from medclassify.runs import storage_error

    assert "x: the disk is full. Free some space there" in str(storage_error(OSError(28, "No space left on device"), "x"))
    again = OSError("while writing (0028,0010)")  # as pydicom raises it: without the number
    again.__context__ = OSError(28, "No space left on device")
    assert str(storage_error(again, "x", remedy="Make room.")) == "x: the disk is full. Make room."


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    layout = RunLayout(tmp_path / "run")
    for name in ("config.yaml", "model/model.json", "audit/report.html"):
        write_text(layout.root / name, name)
    write_text(layout.logs / "metrics.csv", "log")
    write_text(layout.last_checkpoint, "checkpoint")
    write_provenance(layout, {"seed": 1})
    return layout


def test_an_untouched_run_verifies_whatever_logs_and_reviews_say(run: RunLayout) -> None:
    write_text(run.logs / "metrics.csv", "more")
    write_text(run.reviews, "decisions")
    result = verify(run)
    assert result.clean and result.unchanged == ("audit/report.html", "config.yaml", "model/model.json")
    assert read_provenance(run)["seed"] == 1


def test_changed_lost_and_added_files_are_named(run: RunLayout) -> None:
    write_text(run.report, "other figures")
    (run.model / "model.json").unlink()
    write_text(run.audit / "extra.csv", "x")
    result = verify(run)
    assert (result.changed, result.missing, result.added) == (
        ("audit/report.html",),
        ("model/model.json",),
        ("audit/extra.csv",),
    )


def test_what_is_no_finished_run(tmp_path: Path, run: RunLayout) -> None:
    with pytest.raises(RunError, match="no such run directory"):
        RunLayout.open(tmp_path / "none")
    with pytest.raises(RunError, match="no config.yaml"):
        RunLayout.open(tmp_path)
    run.provenance.write_text("{}")
    with pytest.raises(RunError, match="not a provenance record"):
        verify(run)
    run.provenance.unlink()
    with pytest.raises(RunError, match="has not finished"):
        RunLayout.open(run.root)
