import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medclassify.errors import ManifestError, StorageError
from medclassify.manifest import Manifest, PatientHasher, read_manifest, write_exclusions, write_manifest
from medclassify.records import Exclusion, Split

Write = Callable[[str, str], Path]
ManifestOf = Callable[..., Manifest]


@pytest.fixture
def manifest(manifest_of: ManifestOf) -> Manifest:
    rows = [
        {"path": "/d/a.png", "patient_id": "00000000000000aa", "age": 40.5, "split": "train",
         "sop_uid": "1.20", "race": "007", "effusion": 1, "edema": None},
        {"path": "/d/b, c.png", "patient_id": "00000000000000aa", "age": None, "split": "test",
         "sop_uid": None, "race": None, "effusion": -1, "edema": 0},
    ]  # fmt: skip
    plain = manifest_of(rows, ("effusion", "edema"))
    return Manifest(plain.frame, plain.findings, "labels.csv", "nih", ("a note",), {"labels": 2})


@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
def test_what_is_written_is_read_again(manifest: Manifest, tmp_path: Path, name: str) -> None:
    write_manifest(manifest, tmp_path / name)
    again = read_manifest(tmp_path / name)
    assert again.frame.equals(manifest.frame)
    assert (again.findings, again.source, again.label_format) == (manifest.findings, "labels.csv", "nih")
    assert (again.notes, again.patient_source) == (("a note",), {"labels": 2})
    assert again.fingerprint == manifest.fingerprint


def test_anyone_can_read_the_files(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.parquet")
    write_manifest(manifest, tmp_path / "m.csv")
    assert pd.read_parquet(tmp_path / "m.parquet")["effusion"].tolist() == [1, -1]
    assert pd.read_csv(tmp_path / "m.csv").columns.tolist() == manifest.frame.columns.tolist()


def test_a_later_version_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.csv")
    beside = tmp_path / "m.csv.json"
    beside.write_text(beside.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(ManifestError, match="manifest version 2, this program reads 1"):
        read_manifest(tmp_path / "m.csv")


def test_facts_that_are_not_json_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.csv")
    (tmp_path / "m.csv.json").write_text("{")
    with pytest.raises(ManifestError, match=r"m\.csv\.json: the facts about m\.csv cannot be read"):
        read_manifest(tmp_path / "m.csv")


def test_a_value_spoilt_in_a_csv_is_named(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text((tmp_path / "m.csv").read_text().replace(",1,\n", ",7,\n"))
    with pytest.raises(ManifestError, match="row 2, column effusion: '7' is not a label"):
        read_manifest(tmp_path / "m.csv")


def test_files_that_are_no_manifest(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match=r"none\.parquet: no such manifest"):
        read_manifest(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(ManifestError, match="not a Parquet file"):
        read_manifest(tmp_path / "bad.parquet")
    with pytest.raises(ManifestError, match=r"a manifest is a \.parquet or a \.csv file, received '\.xlsx'"):
        read_manifest(tmp_path / "m.xlsx")
    with pytest.raises(ManifestError, match="received 'no ending'"):
        write_manifest(manifest, tmp_path / "m")


def test_a_folder_that_cannot_be_written_is_a_storage_error(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "m.parquet").mkdir()
    with pytest.raises(StorageError, match=r"m\.parquet: cannot be written"):
        write_manifest(manifest, tmp_path / "m.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["m.parquet"]


# ---- hand-made manifests


def test_a_hand_made_table_is_completed(write: Write, tmp_path: Path, hasher: PatientHasher) -> None:
    path = write(
        "mine.csv",
        "path,patient_id,split,sex,age,patient_name,ward,mass\nx/a.png,61,train,female,40,DOE^J,7B,1\nb.png,,,M,,DOE^K,7A,\n",
    )
    manifest = read_manifest(path, hasher=hasher)
    frame = manifest.frame.set_index("path")
    assert sorted(frame.index) == [f"{tmp_path}/b.png", f"{tmp_path}/x/a.png"]
    assert frame.loc[f"{tmp_path}/x/a.png", ["patient_id", "sex", "age_band"]].tolist() == [hasher.hash("61"), "F", "40-59"]
    assert frame["patient_id"].notna().all()
    assert manifest.attributes == ("ward",)
    assert manifest.patient_source == {"labels": 1, "image": 1}
    assert manifest.notes == (
        "mine.csv: read as a hand-made manifest; findings: mass.",
        "mine.csv: column patient_name is left out: it looks like a name.",
    )


def test_a_fact_about_the_patient_is_no_finding_of_a_hand_made_table(write: Write) -> None:
    manifest = read_manifest(write("mine.csv", "path,mass,smoker\na.png,1,1\nb.png,0,0\n"))
    assert manifest.findings == ("mass",) and manifest.attributes == ("smoker",)


def test_hashes_in_a_hand_made_table_stay(write: Write) -> None:
    manifest = read_manifest(write("mine.csv", "path,patient_id,mass\na,00000000000000aa,1\n"))
    assert manifest.frame["patient_id"].tolist() == ["00000000000000aa"]


def test_a_hand_made_parquet_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a", "b"], "mass": [1, 0], "age": [40.0, 50.0]}), tmp_path / "mine.parquet")
    manifest = read_manifest(tmp_path / "mine.parquet")
    assert manifest.frame["mass"].tolist() == [1, 0]
    assert manifest.frame["age"].tolist() == [40.0, 50.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,mass\na,1\n", "not a manifest: no column path"),
        ("path,ward\na,7\n", "not a manifest: no finding"),
        ("path,mass\na,1\n,0\n", "row 3: path is blank"),
        ("path,split,mass\na,holdout,1\n", "row 2, column split: 'holdout' is not a split"),
        ("path,sample_id,mass\na,1,1\nb,1,1\n", r"sample_id must be unique; 1 stand twice \(first: 1\)"),
    ],
)
def test_hand_made_tables_that_cannot_be_used(write: Write, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(write("mine.csv", text))


def test_an_empty_parquet_table_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": pa.array([], pa.string())}), tmp_path / "mine.parquet")
    with pytest.raises(ManifestError, match="not a manifest: no rows"):
        read_manifest(tmp_path / "mine.parquet")


# ---- the record itself


def test_targets_mask_uncertain_and_missing(manifest: Manifest) -> None:
    targets, mask = manifest.targets()
    assert targets.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert mask.tolist() == [[True, False], [False, True]]
    assert targets.dtype == "float64"


def test_the_fingerprint_follows_content_and_not_place_order_or_key(manifest: Manifest) -> None:
    frame = manifest.frame
    same = frame.assign(path="/elsewhere", patient_id="00000000000000bb").iloc[::-1].reset_index(drop=True)
    assert Manifest(same, manifest.findings, "x", "y").fingerprint == manifest.fingerprint
    for changed in (
        frame.assign(split="train"),
        frame.assign(effusion=frame["effusion"].replace(-1, 0)),
        frame.assign(patient_id=["00000000000000aa", "00000000000000bb"]),
        frame.assign(race="x"),
    ):
        assert Manifest(changed, manifest.findings, "x", "y").fingerprint != manifest.fingerprint


def test_a_split_is_taken_out_by_name(manifest: Manifest) -> None:
    assert manifest.of_split(Split.TEST).frame["sample_id"].tolist() == ["s000001"]
    assert len(manifest.of_split(Split.TUNE)) == 0


def test_a_frame_without_its_columns_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match="lacks the columns split"):
        Manifest(manifest.frame.drop(columns="split"), manifest.findings, "labels.csv", "generic")


def test_exclusions_are_sorted_and_quoted(tmp_path: Path) -> None:
    write_exclusions(tmp_path / "e.csv", [Exclusion("b", "no label", 'a "b", c'), Exclusion("a", "unreadable", "x")])
    assert (tmp_path / "e.csv").read_text() == 'path,reason,detail\na,unreadable,x\nb,no label,"a ""b"", c"\n'
    write_exclusions(tmp_path / "e.csv", [])
    assert (tmp_path / "e.csv").read_text() == "path,reason,detail\n"


def test_the_facts_beside_a_csv_are_plain_json(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.csv")
    assert json.loads((tmp_path / "m.csv.json").read_text())["findings"] == ["effusion", "edema"]
