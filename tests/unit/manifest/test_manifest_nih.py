from collections.abc import Callable
from pathlib import Path

import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import read_labels

Write = Callable[[str, str], Path]
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = (
    "00000001_000.png,Cardiomegaly|Pleural_Thickening,0,1,58,M,PA,2682,2749,0.143,0.143",
    "00000002_000.png,No Finding,0,2,411,F,AP,2500,2048,0.168,0.168",
)


def nih(write: Write, *rows: str, header: str = HEADER) -> Path:
    return write("Data_Entry_2017.csv", "\n".join((header, *rows)) + "\n")


def test_the_header_with_unquoted_commas_is_understood(write: Write) -> None:
    labels = read_labels(nih(write, *ROWS))
    assert labels.format == "nih"
    assert labels.key == "image_id"
    assert labels.rows["view"].tolist() == ["PA", "AP"]
    assert labels.rows["patient_id"].tolist() == ["1", "2"]
    assert labels.rows["age"].tolist() == ["58", "411"]


@pytest.mark.parametrize("trailing", ["", ","])
def test_a_trailing_comma_changes_nothing(write: Write, trailing: str) -> None:
    labels = read_labels(nih(write, *(row + trailing for row in ROWS), header=HEADER + trailing))
    assert labels.rows["sex"].tolist() == ["M", "F"]


def test_a_quoted_header_is_understood(write: Write) -> None:
    header = HEADER.replace("OriginalImage[Width,Height]", '"OriginalImage[Width,Height]"')
    assert read_labels(nih(write, *ROWS, header=header)).rows["view"].tolist() == ["PA", "AP"]


def test_findings_keep_their_published_names(write: Write) -> None:
    labels = read_labels(nih(write, *ROWS))
    assert len(labels.findings) == 15
    assert {"Pleural_Thickening", "No Finding"} <= set(labels.findings)
    positive = {name for name in labels.findings if labels.rows[name].iloc[0] == 1}
    assert positive == {"Cardiomegaly", "Pleural_Thickening"}
    assert labels.rows["No Finding"].tolist() == [0, 1]
    assert labels.rows[list(labels.findings)].sum().sum() == 3


def test_chosen_findings_leave_the_others_out(write: Write) -> None:
    labels = read_labels(nih(write, *ROWS), findings=("Cardiomegaly",))
    assert labels.findings == ("Cardiomegaly",)
    assert labels.attributes == ()
    assert "Edema" not in labels.rows.columns


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,Infiltrate,0,1,5,M,PA,1,1,1,1", r"row 2, column Finding Labels: 'Infiltrate' is none of NIH's findings"),
        ("a.png,No Finding|Mass,0,1,5,M,PA,1,1,1,1", r"row 2, column Finding Labels: 'No Finding\|Mass' says both"),
        ("a.png,,0,1,5,M,PA,1,1,1,1", "row 2: Finding Labels is blank"),
        (",Mass,0,1,5,M,PA,1,1,1,1", "row 2: Image Index is blank"),
    ],
)
def test_rows_that_nih_would_not_have_written(write: Write, row: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_labels(nih(write, row))


def test_a_part_of_the_columns_is_enough(write: Write) -> None:
    labels = read_labels(write("some.csv", "Image Index,Finding Labels\na.png,Mass\n"))
    assert labels.format == "nih"
    assert labels.rows["Mass"].tolist() == [1]


def test_a_column_behind_the_commas_is_refused(write: Write) -> None:
    header = "Image Index,Finding Labels,OriginalImage[Width,Height],Patient ID"
    with pytest.raises(ManifestError, match="column 'Patient ID' stands behind"):
        read_labels(nih(write, "a.png,Mass,1,1,7", header=header))


def test_asking_for_nih_where_it_is_not(write: Write) -> None:
    with pytest.raises(ManifestError, match="not the nih layout: no column 'Finding Labels', received Image Index, mass"):
        read_labels(write("labels.csv", "Image Index,mass\na,1\n"), "nih")
