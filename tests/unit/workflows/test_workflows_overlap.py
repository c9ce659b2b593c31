from pathlib import Path

import pytest

from medclassify.errors import SplitError
from medclassify.manifest import Manifest, read_manifest
from medclassify.workflows.overlap import overlap, rows_to_evaluate


def manifest(folder: Path, *rows: str) -> Manifest:
    """Of rows ``name,patient,study,split``."""
    path = folder / "m.csv"
    lines = [f"{name}.png,{patient},{study},{split},1" for name, patient, study, split in (row.split(",") for row in rows)]
    path.write_text("\n".join(["path,patient_id,study_uid,split,effusion", *lines]))
    return read_manifest(path)


def test_patients_and_studies_that_the_run_has_used_are_found_and_those_of_its_test_split_are_not(tmp_path: Path) -> None:
    seen = manifest(tmp_path, "a,P1,S1,train", "b,P2,S2,tune", "c,P3,S3,test")
    both = overlap(seen, manifest(tmp_path, "d,P1,S1,", "e,P2,S9,", "f,P3,S3,", "g,P4,S4,"))
    assert [line.partition(" (first")[0] for line in both.found] == [
        "2 of 4 patients here were in the run's train, tune or calibrate split",
        "1 of 4 studies here were in the run's train, tune or calibrate split",
    ]
    assert both.to_json()["clean"] is False and both.unchecked == ("images: no sop_uid to compare.",)
    none = overlap(seen, manifest(tmp_path, "f,P3,S3,", "g,P4,S4,"))
    assert none.to_json()["clean"] is True and none.checked == {"patient_id": 2, "study_uid": 2}


def test_test_rows_are_evaluated_and_the_others_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ("a,P1,S1,train", "b,P2,S2,test", "c,P3,S3,")
    assert rows_to_evaluate(manifest(tmp_path, *rows)).frame["path"].map(lambda path: Path(path).name).tolist() == ["b.png"]
    assert capsys.readouterr().out == "1 test samples evaluated, 2 of other splits set aside\n"
    assert len(rows_to_evaluate(manifest(tmp_path, "a,P1,S1,", "b,P2,S2,"))) == 2 and capsys.readouterr().out == ""


def test_splits_without_a_test_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="no sample is of split test, only train, tune. Mark the samples to evaluate"):
        rows_to_evaluate(manifest(tmp_path, "a,P1,S1,train", "b,P2,S2,tune"))
