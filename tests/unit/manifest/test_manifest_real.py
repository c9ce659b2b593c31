from collections import Counter
from pathlib import Path

import pytest

from medclassify.config import FractionsConfig
from medclassify.dicom import find_images, read_header
from medclassify.manifest import (
    Manifest,
    PatientHasher,
    assign_splits,
    build_manifest,
    check_leakage,
    check_splits,
    describe,
    read_labels,
    read_manifest,
    require_no_leakage,
    write_exclusions,
    write_manifest,
)
from medclassify.records import Exclusion, InstanceHeader
from medclassify.runs import write_json


@pytest.fixture(scope="module")
def nih_headers(real_data: Path) -> list[InstanceHeader]:
    return [read_header(path) for path in find_images([real_data / "nih" / "images"])]


@pytest.fixture(scope="module")
def cxr_headers(real_data: Path) -> list[InstanceHeader]:
    return [read_header(path) for path in find_images([real_data / "cxr"])]


def index(
    headers: list[InstanceHeader], labels: Path, hasher: PatientHasher, **options: object
) -> tuple[Manifest, list[Exclusion]]:
    return build_manifest(headers, read_labels(labels), hasher, sources=[labels.parent], **options)  # type: ignore[arg-type]


def test_nih_is_read_whole_with_its_own_lists(
    real_data: Path, nih_headers: list[InstanceHeader], hasher: PatientHasher
) -> None:
    manifest, exclusions = index(nih_headers, real_data / "nih" / "Data_Entry_2017.csv", hasher)
    assert exclusions == []
    assert manifest.label_format == "nih"
    assert manifest.patient_source == {"labels": 1000}
    assert manifest.frame["split"].value_counts().to_dict() == {"train": 781, "test": 219}
    counts = describe(manifest)["all"]
    assert (counts["patients"], counts["images"]) == (682, 1000)
    assert counts["findings"]["Pneumonia"]["positive"] == 500
    assert counts["findings"]["No Finding"]["positive"] == 500
    table = manifest.frame.assign(pneumonia=manifest.frame["Pneumonia"] == 1).groupby(["pneumonia", "view"]).size()
    assert table.to_dict() == {(False, "AP"): 342, (False, "PA"): 158, (True, "AP"): 225, (True, "PA"): 275}


def test_nih_labels_and_headers_agree_on_sex_age_and_view(
    real_data: Path, nih_headers: list[InstanceHeader], hasher: PatientHasher
) -> None:
    manifest, _ = index(nih_headers, real_data / "nih" / "Data_Entry_2017.csv", hasher)
    assert not any("differ" in note for note in manifest.notes)


def test_nih_train_is_divided_by_patient_and_the_test_list_kept(
    real_data: Path, nih_headers: list[InstanceHeader], hasher: PatientHasher
) -> None:
    manifest, _ = index(nih_headers, real_data / "nih" / "Data_Entry_2017.csv", hasher, findings=("Pneumonia", "Effusion"))
    split = assign_splits(manifest, fractions=FractionsConfig(), seed=0)
    published = (real_data / "nih" / "test_list.txt").read_text().split()
    test = split.frame[split.frame["split"] == "test"]["path"]
    assert sorted(Path(path).stem for path in test) == sorted(Path(name).stem for name in published)
    require_no_leakage(check_leakage(split))
    assert check_splits(split) == []
    counts = describe(split)
    share = {
        name: counts[name]["findings"]["Pneumonia"]["positive"] / counts[name]["images"]
        for name in ("train", "tune", "calibrate")
    }
    assert max(share.values()) - min(share.values()) < 0.12


def test_cxr_one_person_under_two_ids_is_kept_together(
    real_data: Path, cxr_headers: list[InstanceHeader], hasher: PatientHasher
) -> None:
    manifest, exclusions = index(cxr_headers, real_data / "cxr" / "labels.csv", hasher)
    assert manifest.findings == ("covid_19", "other_pneumonia", "no_finding")
    assert manifest.attributes == ("country",)
    assert dict(Counter(exclusion.reason for exclusion in exclusions)) == {"duplicate SOP Instance UID": 5}
    assert any(note.startswith("WARNING: 2 patient ids share an image") for note in manifest.notes)
    assert manifest.frame["patient_id"].nunique() == 154
    assert describe(manifest)["all"]["attributes"]["sex"]["missing"] == 13
    for seed in range(5):
        assert check_leakage(assign_splits(manifest, fractions=FractionsConfig(), seed=seed)).clean


def test_nothing_that_is_written_names_a_patient(
    real_data: Path, cxr_headers: list[InstanceHeader], nih_headers: list[InstanceHeader], hasher: PatientHasher, tmp_path: Path
) -> None:
    for name, headers, labels in (("cxr", cxr_headers, "cxr/labels.csv"), ("nih", nih_headers, "nih/Data_Entry_2017.csv")):
        manifest, exclusions = index(headers, real_data / labels, hasher, exclude_patients=["P067079", "61"])
        split = assign_splits(manifest, fractions=FractionsConfig(), seed=0)
        write_manifest(split, tmp_path / f"{name}.csv")
        write_manifest(split, tmp_path / f"{name}.parquet")
        write_exclusions(tmp_path / f"{name}-exclusions.csv", exclusions)
        write_json(tmp_path / f"{name}-leakage.json", check_leakage(split).to_json())
        write_json(tmp_path / f"{name}-counts.json", describe(split))
        assert read_manifest(tmp_path / f"{name}.parquet").fingerprint == split.fingerprint
    for file in tmp_path.iterdir():
        assert b"CANARY" not in file.read_bytes(), file.name
        assert b"NIH00" not in file.read_bytes(), file.name
