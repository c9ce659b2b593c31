"""Label files of CT joined to series; faults of series as docs/ct.md says; models told from manifests that do not suit them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.config import DataConfig, PhantomConfig
from medclassify.dicom import NewSlice, find_images, read_image, write_slice
from medclassify.errors import ManifestError
from medclassify.manifest import HEADER_FIELDS, PatientHasher, header_table, is_of_series, unlabelled_manifest
from medclassify.phantom import render_dataset
from medclassify.records import InstanceHeader
from medclassify.workflows.headers import read_headers
from medclassify.workflows.index import Indexed, index_files
from medclassify.workflows.stacks import in_stacks_of

BLEEDINGS = ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("heads"), PhantomConfig(kind="head_ct", patients=3, matrix=32), workers=1)


def indexed(heads: Path, labels: Path, **data: object) -> Indexed:
    config = replace(DataConfig(source=str(heads), labels=str(labels), ct_windows=("brain",)), **data)
    return index_files(config, [heads / "images"])


def test_rsna_bleedings_are_joined_to_series(heads: Path, tmp_path: Path) -> None:
    slices = pd.read_csv(heads / "slices.csv")
    images = tmp_path / "images"
    images.mkdir()
    for row in slices.itertuples():  # as published: named by image
        (images / f"ID_{row.Index:06d}.dcm").symlink_to(heads / str(row.path))
    rows = [f"ID_{row.Index:06d}_{name},{getattr(row, name)}" for row in slices.itertuples() for name in BLEEDINGS]
    (tmp_path / "stage_2_train.csv").write_text("\n".join(["ID,Label", *rows]) + "\n")
    data = DataConfig(source=str(images), labels=str(tmp_path / "stage_2_train.csv"), ct_windows=("brain",), sample="series")
    found = index_files(data, [images]).manifest
    studies = pd.read_csv(heads / "studies.csv").set_index("study_uid")
    table = found.frame.set_index("study_uid")
    assert is_of_series(found) and found.label_format == "rsna-ich"
    assert table.loc[studies.index, BLEEDINGS].to_numpy().tolist() == studies[BLEEDINGS].to_numpy().tolist()
    assert found.slices is not None and found.slices[BLEEDINGS].sum().sum() == slices[BLEEDINGS].to_numpy().sum()


def test_rsna_embolism_is_joined_to_series(heads: Path, tmp_path: Path) -> None:
    from medclassify.manifest.formats.rsna_pe import ATTRIBUTES, FINDINGS, OF_SLICES

    headers, _ = read_headers([heads / "images"], PatientHasher(tmp_path / "key"))
    known = headers.merge(pd.read_csv(heads / "slices.csv")[["sop_uid", "any"]], on="sop_uid")
    table = pd.DataFrame(
        {"StudyInstanceUID": known["study_uid"], "SeriesInstanceUID": known["series_uid"], "SOPInstanceUID": known["sop_uid"]}
    )
    of_study = known.groupby("study_uid")["any"].transform("max")
    values = {name: of_study if name == "central_pe" else 0 * of_study for name in (*FINDINGS, *ATTRIBUTES)}
    table.assign(**{**values, OF_SLICES: known["any"]}).to_csv(tmp_path / "train.csv", index=False)
    found = indexed(heads, tmp_path / "train.csv", sample="series").manifest
    assert found.label_format == "rsna-pe" and found.slices is not None
    assert found.frame["central_pe"].tolist() == found.frame[OF_SLICES].tolist()
    assert found.slices[OF_SLICES].sum() == known["any"].sum() and found.slices["central_pe"].isna().all()
    assert set(ATTRIBUTES) <= set(found.attributes)


def test_labels_of_examinations_go_to_their_series(heads: Path) -> None:
    found = indexed(heads, heads / "studies.csv", sample="series").manifest
    studies = pd.read_csv(heads / "studies.csv").set_index("study_uid")["any"]
    assert found.frame.set_index("study_uid")["any"].to_dict() == studies.to_dict()
    assert found.slices is not None and found.slices["any"].isna().all()


def series(
    folder: Path, heights: list[float], *, patient: str = "p", uid: str = "2.25.3", name: str = "s", hu: int = 0
) -> None:
    for number, z in enumerate(heights):
        facts = NewSlice(
            sop_uid=f"2.25.{int.from_bytes(f'{uid}{name}{number}'.encode()[-14:], 'big')}",
            study_uid="2.25.1",
            series_uid=uid,
            frame_of_reference_uid="2.25.2",
            instance_number=number,
            position=(0, 0, z),
            spacing_mm=(1, 1),
            thickness_mm=5,
            patient_id=patient,
        )
        write_slice(folder / f"{name}{number:03d}.dcm", np.full((8, 8), number, np.int16), facts)


def unlabelled(folder: Path, tmp_path: Path):
    hasher = PatientHasher(tmp_path / "key")
    headers, _ = read_headers([folder], hasher)
    return unlabelled_manifest(headers, hasher, sources=[folder])[0]


@pytest.mark.parametrize(
    ("heights", "told"),
    [
        ([0, 5, 10, 20, 25, 30], "missing slices: 1"),
        ([0, 5, 10, 15, 25, 35, 45], "2 spacings in one stack"),
        ([0, 5, 11.5, 15, 20, 27], "uneven spacing"),
    ],
)
def test_what_is_wrong_with_a_series_is_told_and_it_is_kept(
    heights: list[float], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series(tmp_path / "ct", heights[::-1])  # reversed: files count from the head
    found, exclusions = in_stacks_of(unlabelled(tmp_path / "ct", tmp_path), neighbours=0, series=True)
    assert len(found) == 1 and not exclusions and found.slices is not None
    assert found.slices["position_mm"].tolist() == sorted(heights)
    said = capsys.readouterr()
    assert told in said.err and "series: 1 stack of" in said.out


def test_series_of_two_patients_under_one_uid_are_left_out(tmp_path: Path) -> None:
    series(tmp_path / "ct", [0, 5, 10])
    series(tmp_path / "ct", [15, 20], patient="q", name="t")
    series(tmp_path / "ct", [0, 5], uid="2.25.4", name="u")
    found, exclusions = in_stacks_of(unlabelled(tmp_path / "ct", tmp_path), neighbours=0, series=True)
    assert len(found) == 1 and {each.reason for each in exclusions} == {"mixed patients"} and len(exclusions) == 5


def test_pictures_without_a_place_are_refused(tmp_path: Path) -> None:
    header = InstanceHeader(
        "/a.png", "", "", "", "p", "", "MONOCHROME2", 8, 8, 1, 8, "", None, "", "", "", "", "", "", None, False
    )
    hasher = PatientHasher(tmp_path / "key")
    table = header_table({name: [getattr(header, name)] for name in HEADER_FIELDS}, hasher)
    manifest, _ = unlabelled_manifest(table, hasher)
    with pytest.raises(ManifestError, match="no image lies in a series"):
        in_stacks_of(manifest, neighbours=1, series=False)


def test_a_manifest_that_suits_is_left_as_it_is(tmp_path: Path) -> None:
    series(tmp_path / "ct", [0, 5, 10])
    manifest = unlabelled(tmp_path / "ct", tmp_path)
    assert in_stacks_of(manifest, neighbours=0, series=False)[0] is manifest
    beside, _ = in_stacks_of(manifest, neighbours=1, series=False)
    assert in_stacks_of(beside, neighbours=1, series=False)[0] is beside
    whole, _ = in_stacks_of(beside, neighbours=1, series=True)
    assert is_of_series(whole) and len(whole) == 1


def test_real_slices_lie_in_stacks_and_hold_hounsfield_units(real_data: Path, tmp_path: Path) -> None:
    makers: dict[str, list[tuple[float, float]]] = {}
    for path in find_images([real_data / "ct"]):
        image = read_image(path, window="none")
        inside = image.pixels[(image.pixels > -1100) & (image.pixels < 150)]
        air, tissue = inside[inside < -850], inside[inside > -20]
        makers.setdefault(image.header.manufacturer, []).append((float(np.median(air)), float(np.median(tissue))))
    assert len(makers) == 2  # GE and Toshiba, two rescale intercepts
    for found in makers.values():
        air, tissue = np.median(found, axis=0)
        assert -1050 < air < -850 and 0 < tissue < 80
    found, exclusions = in_stacks_of(unlabelled(real_data / "ct", tmp_path), neighbours=0, series=True)
    assert len(found) == 20 and not exclusions  # one slice a series was published
