import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import read_labels

Write = Callable[[str, str], Path]


def test_columns_are_sorted_out_and_that_is_said(write: Write) -> None:
    labels = read_labels(
        write(
            "labels.csv",
            "path,patient_id,sex,effusion,nodule,race,smoker,study_date\n"
            "a.png,1,F,1,0,White,1,2017-01-02\n"
            "b.png,2,M,-1,,Black,0,2018-01-02\n",
        )
    )
    assert labels.format == "generic"
    assert labels.keys == ("path",)
    assert labels.key == "path"
    assert labels.findings == ("effusion", "nodule")
    assert labels.attributes == ("race", "smoker")
    assert labels.rows["effusion"].tolist() == [1, -1]
    assert labels.rows["nodule"].isna().tolist() == [False, True]
    assert labels.rows.index.tolist() == [2, 3]
    assert "study_date" not in labels.rows.columns
    assert labels.notes == (
        "labels.csv: read as generic, 2 rows; images are found by path.",
        "labels.csv: findings: effusion, nodule.",
        "labels.csv: attributes: race, smoker.",
        "labels.csv: column study_date is left out: it looks like a date.",
    )


def test_named_findings_are_the_findings_and_the_rest_attributes(write: Write) -> None:
    path = write("labels.csv", "path,effusion,edema,smoker\na.png,1,0,1\nb.png,0,1,\n")
    labels = read_labels(path, findings=("smoker", "effusion"))
    assert labels.findings == ("smoker", "effusion")
    assert labels.attributes == ("edema",)
    assert labels.rows["edema"].tolist() == ["0", "1"]
    assert labels.rows["smoker"].tolist()[0] == 1
    assert labels.select(("smoker", "effusion")).attributes == ("edema",)


@pytest.mark.parametrize(
    ("header", "core"),
    [
        ("File Name,PatientID,Gender,Institution", ("path", "patient_id", "sex", "site")),
        ("SOPInstanceUID,subject_id,Patient Age,View Position", ("sop_uid", "patient_id", "age", "view")),
        ("filename,PID,gender,hospital", ("path", "patient_id", "sex", "site")),
        ("image,patient,Patient Sex,hospital", ("image_id", "patient_id", "sex", "site")),
    ],
)
def test_usual_spellings_are_understood(write: Write, header: str, core: tuple[str, ...]) -> None:
    labels = read_labels(write("labels.csv", f"{header},mass\n1,2,3,4,1\n"))
    assert set(core) <= set(labels.rows.columns)
    assert labels.findings == ("mass",)


def test_another_spelling_of_a_used_column_is_no_attribute(write: Write) -> None:
    labels = read_labels(write("labels.csv", "path,patient_id,PatientID,mass\na.png,1,7,1\nb.png,2,8,0\n"))
    assert labels.attributes == ()
    assert "labels.csv: column PatientID is left out: another column already says this." in labels.notes


def test_a_study_uid_does_not_spread_labels_where_images_are_named(write: Write) -> None:
    assert read_labels(write("labels.csv", "study_uid,sop_uid,mass\n1.2,1.2.3,1\n")).keys == ("sop_uid",)
    assert read_labels(write("labels.csv", "study_uid,mass\n1.2,1\n")).keys == ("study_uid",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_and_a_byte_order_mark(write: Write, delimiter: str) -> None:
    text = "\ufeff" + "path,mass\na.png,1\n\nb.png,0\n".replace(",", delimiter)
    labels = read_labels(write("labels.csv", text))
    assert labels.rows["path"].tolist() == ["a.png", "b.png"]
    assert labels.rows.index.tolist() == [2, 4]


def test_a_gzipped_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(gzip.compress(b"path,mass\na.png,1\n"))
    assert read_labels(path).findings == ("mass",)


def test_ids_and_uids_stay_text(write: Write) -> None:
    labels = read_labels(write("labels.csv", "path,patient_id,sop_uid,mass\na.png,007,1.20,1\n"))
    assert labels.rows["patient_id"].tolist() == ["007"]
    assert labels.rows["sop_uid"].tolist() == ["1.20"]


@pytest.mark.parametrize("blank", ["", "nan", "NaN", "NA", "null", " "])
def test_blank_spellings_are_not_labelled(write: Write, blank: str) -> None:
    labels = read_labels(write("labels.csv", f"path,mass\na.png,1.0\nb.png,{blank}\nc.png,-1.0\nd.png, 0\n"))
    assert labels.rows["mass"].isna().tolist() == [False, True, False, False]
    assert labels.rows["mass"].dropna().tolist() == [1, -1, 0]


def test_a_value_that_is_no_label_is_named(write: Write) -> None:
    path = write("labels.csv", "path,mass,edema\na.png,1,0\nb.png,2,0\nc.png,yes,0\n")
    with pytest.raises(ManifestError, match=r"labels\.csv: row 3, column mass: '2' is not a label \(2 such values\)\. Write 1"):
        read_labels(path, findings=("mass",))


def test_a_column_that_is_nearly_all_labels_is_not_dropped_in_silence(write: Write) -> None:
    path = write("labels.csv", "path,edema,mass\n" + "".join(f"{n}.png,{n % 2},{n % 2}\n" for n in range(30)) + "x.png,1,l\n")
    labels = read_labels(path)
    assert labels.attributes == ("mass",)
    said = "labels.csv: column mass is taken as an attribute because of 1 value that is no label (first: row 32, 'l'); "
    assert labels.doubts == (said + "correct it if it is a finding.",)
    assert labels.doubts[0] in labels.notes


def test_an_unknown_finding_suggests_the_nearest(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"no finding 'Efusion'; did you mean 'effusion'\?"):
        read_labels(write("labels.csv", "path,effusion\na.png,1\n"), findings=("Efusion",))


@pytest.mark.parametrize("findings", [(), ("mass", "mass")])
def test_findings_are_named_once_each(write: Write, findings: tuple[str, ...]) -> None:
    with pytest.raises(ManifestError, match="findings must be named once each and at least one"):
        read_labels(write("labels.csv", "path,mass\na.png,1\n"), findings=findings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header line"),
        ("\n", "no header line"),
        ("path,mass\n", "no rows below the header"),
        ("name_of_scan,mass\nx,1\n", r"no label format fits its columns \(name_of_scan, mass\)"),
        ("path,mass,mass\na,1,1\n", r"1 column names stand twice \(first: 'mass'\)"),
        ("path,mass\na.png,1,0\nb.png,1,0\n", "a line does not fit the header"),
        ("path,mass\na.png,1\nb.png,1,0\n", "a line does not fit the header"),
    ],
)
def test_files_that_are_not_labels(write: Write, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_labels(write("labels.csv", text))


def test_a_file_without_a_key_says_which_columns_it_has(write: Write) -> None:
    with pytest.raises(
        ManifestError, match="no column finds an image: one of path, image_id, sop_uid, study_uid is needed, received x, mass"
    ):
        read_labels(write("labels.csv", "x,mass\na,1\n"), "generic")


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.csv: no such label file"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "labels.csv").write_bytes(b"path,\xff\xfe\n")
    with pytest.raises(ManifestError, match="not a text table in UTF-8"):
        read_labels(tmp_path / "labels.csv")
    (tmp_path / "labels.csv").write_bytes(b"path,mass\na\xff.png,1\n")
    with pytest.raises(ManifestError, match="a line does not fit the header"):
        read_labels(tmp_path / "labels.csv")
    (tmp_path / "labels.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(ManifestError, match="not a text table in UTF-8"):
        read_labels(tmp_path / "labels.csv.gz")


def test_an_unknown_format_is_refused(write: Write) -> None:
    with pytest.raises(ManifestError, match="label format 'brax' is not known; known are generic, nih, chexpert, "):
        read_labels(write("labels.csv", "path,mass\na,1\n"), "brax")
