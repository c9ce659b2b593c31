"""RSNA-STR Pulmonary Embolism: one column of slices, the others of examinations."""

from pathlib import Path

import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import read_labels
from medclassify.manifest.formats.rsna_pe import ATTRIBUTES, FINDINGS

COLUMNS = (
    "StudyInstanceUID,SeriesInstanceUID,SOPInstanceUID,pe_present_on_image,negative_exam_for_pe,qa_motion,qa_contrast,"
    "flow_artifact,rv_lv_ratio_gte_1,rv_lv_ratio_lt_1,leftsided_pe,chronic_pe,true_filling_defect_not_pe,rightsided_pe,"
    "acute_and_chronic_pe,central_pe,indeterminate"
)
ROWS = [
    "1.1,1.1.1,1.1.1.1,0,0,0,0,1,1,0,1,0,0,0,0,0,0",
    "1.1,1.1.1,1.1.1.2,1,0,0,0,1,1,0,1,0,0,0,0,0,0",
    "1.2,1.2.1,1.2.1.1,0,1,1,0,0,0,0,0,0,0,0,0,0,0",
]


def table(folder: Path, *rows: str) -> Path:
    path = folder / "train.csv"
    path.write_text("\n".join((COLUMNS, *rows)) + "\n", encoding="utf-8")
    return path


def test_it_is_recognised_and_read(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path, *ROWS))
    assert (labels.format, labels.keys, labels.findings, labels.attributes) == ("rsna-pe", ("sop_uid",), FINDINGS, ATTRIBUTES)
    assert labels.rows["pe_present_on_image"].tolist() == [0, 1, 0]
    assert labels.rows["leftsided_pe"].tolist() == [1, 1, 0] and labels.rows["qa_motion"].tolist() == ["0", "0", "1"]
    assert labels.rows["sop_uid"].tolist() == ["1.1.1.1", "1.1.1.2", "1.2.1.1"]
    assert "train.csv: read as rsna-pe, 3 slices of 2 examinations; 10 findings." in labels.notes
    assert any("only pe_present_on_image speaks of a slice" in note for note in labels.notes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, ROWS[1]], "row 5: its SOPInstanceUID stands in an earlier row"),
        (
            [*ROWS, "1.2,1.2.1,1.2.1.2,0,0,1,0,0,0,0,0,0,0,0,0,0,0"],
            "column negative_exam_for_pe: other rows of its study",
        ),
        ([ROWS[0].replace(",1,1,0,1,", ",1,2,0,1,")], "column rv_lv_ratio_gte_1: '2' is not a label"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_labels(table(tmp_path, *rows))
