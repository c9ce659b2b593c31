"""Slices beside the samples: what a series is made of, what it is labelled, and how both are kept."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import (
    CORE_COLUMNS,
    Manifest,
    as_series,
    is_of_series,
    keep_samples,
    of_slices,
    own_slices,
    read_manifest,
    slice_table,
    with_neighbours,
    write_manifest,
)
from medclassify.records import Series, SliceGeometry


def piece(name: str, z: float, series: str) -> SliceGeometry:
    return SliceGeometry(
        path=f"/{series}/{name}.dcm", frame=None, sop_uid=name, study_uid="s", series_uid=series, frame_of_reference_uid="",
        patient_key="p", modality="CT", image_type=("ORIGINAL",), kernel="", acquisition="", rows=4, columns=4,
        spacing_mm=(1, 1), position=(0, 0, z), row_direction=(1, 0, 0), column_direction=(0, 1, 0), thickness_mm=1,
        tilt_degrees=None,
    )  # fmt: skip


def series(uid: str, names: str, part: int = 0, parts: int = 1) -> Series:
    pieces = tuple(piece(uid + name, z, uid) for z, name in enumerate(names))
    return Series(uid, part, parts, pieces, (1, 1, 1), (0, 0, 1), 0, 0, even=True)


SLICES = slice_table([series("A", "abc"), series("B", "xy")])


def images(labels: dict[str, list], split: str | None = None) -> Manifest:
    """The slices of A and B as images: three, then two."""
    frame = pd.DataFrame(pd.NA, index=range(5), columns=[*CORE_COLUMNS], dtype="str")
    frame["sample_id"], frame["path"], frame["series_uid"] = SLICES["slice_id"], SLICES["path"], SLICES["series_uid"]
    frame["patient_id"], frame["age"] = ["1", "1", "1", "2", "2"], 50.0
    frame["split"] = pd.Series([split] * 5, dtype="str")
    for name, values in labels.items():
        frame[name] = pd.array(values, "Int8")
    return Manifest(frame, tuple(labels), "labels.csv", "generic")


@pytest.mark.parametrize(
    ("of_a", "label"),
    [([0, 1, 0], 1), ([0, 0, 0], 0), ([0, -1, 0], -1), ([0, None, 0], pd.NA), ([None, 1, -1], 1), ([None, -1, 0], -1)],
)
def test_a_series_has_what_one_of_its_slices_has(of_a: list, label: object) -> None:
    found = as_series(images({"bleeding": [*of_a, 0, 1]}), SLICES)
    assert is_of_series(found) and len(found) == 2
    assert found.frame["bleeding"].tolist() == [label, 1] or (found.frame["bleeding"].isna().tolist() == [True, False])
    assert found.frame["patient_id"].tolist() == ["1", "2"]
    assert found.frame["sop_uid"].isna().all() and found.frame["path"].tolist() == ["/A/Ab.dcm", "/B/By.dcm"]


def test_slices_keep_labels_of_their_own_but_not_those_of_an_examination() -> None:
    found = as_series(images({"slice": [0, 1, 0, 0, 0], "study": [1, 1, 1, 0, 0]}), SLICES)
    assert found.slices is not None
    assert found.slices["slice"].tolist() == [0, 1, 0, 0, 0] and found.slices["study"].isna().all()
    assert found.frame["study"].tolist() == [1, 0]
    assert "labels of whole series: study (every slice of a series has the same)." in found.notes
    slices = of_slices(found)
    assert slices.frame["sample_id"].tolist() == SLICES["slice_id"].tolist()
    assert slices.targets()[1].tolist() == [[True, False]] * 5
    assert slices.frame["patient_id"].tolist() == ["1", "1", "1", "2", "2"]


def test_slices_without_a_label_are_part_of_their_series() -> None:
    labelled = images({"bleeding": [0, 1, 0, 0, 1]})
    some = keep_samples(labelled, labelled.frame["sample_id"].iloc[1:4])
    found = as_series(some, SLICES)
    assert own_slices(found)["slice_id"].tolist() == SLICES["slice_id"].tolist()
    assert found.frame["bleeding"].tolist() == [1, pd.NA]  # B: one slice without, one not labelled


def test_the_slices_of_left_out_samples_are_not_kept(tmp_path: Path) -> None:
    manifest = as_series(images({"bleeding": [0, 1, 0, 0, 1]}), SLICES)
    one = keep_samples(manifest, manifest.frame["sample_id"][:1])
    write_manifest(one, tmp_path / "m.parquet")
    again = read_manifest(tmp_path / "m.parquet")
    assert again.slices is not None and again.slices["path"].tolist() == ["/A/Aa.dcm", "/A/Ab.dcm", "/A/Ac.dcm"]
    pd.testing.assert_frame_equal(again.frame, one.frame)
    assert again.fingerprint == read_manifest(tmp_path / "m.parquet").fingerprint != manifest.fingerprint


@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
def test_slices_are_written_beside_and_go_when_there_are_none(tmp_path: Path, name: str) -> None:
    manifest = with_neighbours(images({"bleeding": [0, 1, 0, 0, 1]}), SLICES)
    assert not is_of_series(manifest)
    write_manifest(manifest, tmp_path / name)
    again = read_manifest(tmp_path / name)
    assert again.slices is not None
    pd.testing.assert_frame_equal(again.slices, SLICES)
    write_manifest(images({"bleeding": [0, 1, 0, 0, 1]}), tmp_path / name)
    assert read_manifest(tmp_path / name).slices is None and not (tmp_path / "m.slices.parquet").exists()


def test_a_damaged_file_of_slices_is_told(tmp_path: Path) -> None:
    write_manifest(as_series(images({"bleeding": [0, 1, 0, 0, 1]}), SLICES), tmp_path / "m.parquet")
    (tmp_path / "m.slices.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ManifestError, match=r"m\.slices\.parquet: not a file of slices"):
        read_manifest(tmp_path / "m.parquet")


def test_the_fingerprint_knows_what_a_series_is_made_of() -> None:
    manifest = as_series(images({"bleeding": [0, 1, 0, 0, 1]}), SLICES)
    moved = SLICES.assign(position_mm=SLICES["position_mm"] + np.arange(5))
    assert as_series(images({"bleeding": [0, 1, 0, 0, 1]}), moved).fingerprint != manifest.fingerprint


def test_stacks_that_share_a_uid_are_samples_of_their_own() -> None:
    assert slice_table([series("A", "ab", 0, 2), series("A", "cd", 1, 2)])["stack"].nunique() == 2


def test_a_series_in_two_splits_is_refused() -> None:
    manifest = images({"bleeding": [0, 1, 0, 0, 1]})
    manifest.frame["split"] = ["train", "test", "train", "test", "test"]
    with pytest.raises(ManifestError, match="slices of 1 series are in two splits"):
        as_series(manifest, SLICES)


def test_images_outside_every_series_are_refused() -> None:
    other = images({"bleeding": [0, 1, 0, 0, 1]})
    other.frame["sample_id"] = list("abcde")
    with pytest.raises(ManifestError, match="no image lies in a series"):
        as_series(other, SLICES)
