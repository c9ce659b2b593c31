"""CT examinations: Hounsfield units, findings where their masks say, and particulars that the assembly of series tells."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from medclassify.config import PhantomConfig
from medclassify.dicom import NewSlice, assemble_series, find_images, read_image, write_slice
from medclassify.errors import ConfigError, UnsupportedImageError
from medclassify.phantom import draw_ct_patient, mask_path, render_dataset
from medclassify.phantom.ct.exams import FINDINGS

HEAD = PhantomConfig(kind="head_ct", patients=9, matrix=64)
CHEST = PhantomConfig(kind="chest_ct", patients=8, matrix=64)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("heads"), HEAD, workers=1)


@pytest.fixture(scope="module")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("chests"), CHEST, workers=1)


def labels(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "slices.csv")


def test_every_byte_is_the_same_for_any_number_of_workers(heads: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert digests(render_dataset(tmp_path, HEAD, workers=2)) == digests(heads)


def test_values_are_hounsfield_units_on_both_scanners(heads: Path) -> None:
    seen = set()
    for row in labels(heads).query("any == 0 and 20 < height_mm < 40").itertuples():
        image = read_image(heads / str(row.path), window="none")
        assert str(image.units) == "HU"
        middle = image.pixels[24:40, 24:40]
        assert 20 < np.median(middle) < 42  # white matter and, in some, ventricles
        assert image.pixels.max() > 500  # bone
        corner = image.pixels[0, 30:34]
        assert -1060 < np.median(corner) < -950  # air inside the field of view
        seen.add(image.header.manufacturer)
    assert len(seen) == 2


@pytest.mark.parametrize("fixture", ["heads", "chests"])
def test_a_slice_is_labelled_where_its_mask_stands_and_is_denser_there(fixture: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(fixture)
    table = labels(folder)
    findings = [name for name in table.columns[3:] if name != "any"]
    assert set(table.columns[3:]) in map(set, FINDINGS.values())
    shown = 0
    for row in table.to_dict("records"):
        for finding in findings:
            mask = mask_path(folder, row["sop_uid"], finding)
            assert mask.is_file() == bool(row[finding])
            shown += mask.is_file()
    assert shown > 20
    studies = pd.read_csv(folder / "studies.csv")
    assert studies[findings].to_numpy().sum() > 3
    exam = table["path"].str.split("/").str[1]
    assert table.groupby(exam)[findings].max().to_numpy().tolist() == studies[findings].to_numpy().tolist()


def test_fresh_blood_is_denser_than_brain(heads: Path) -> None:
    import cv2

    values = {True: [], False: []}
    for row in labels(heads).query("epidural == 1").itertuples():
        mask = cv2.imread(str(mask_path(heads, str(row.sop_uid), "epidural")), cv2.IMREAD_GRAYSCALE) > 0
        pixels = read_image(heads / str(row.path), window="none").pixels
        values[True].append(np.median(pixels[mask]))
        values[False].append(np.median(pixels[28:36, 28:36]))
    assert np.median(values[True]) > 55 > 40 > np.median(values[False])


def test_what_is_particular_about_a_series_is_what_its_assembly_tells(heads: Path) -> None:
    series, quarantined = assemble_series(find_images([heads / "images"]))
    truth = pd.read_csv(heads / "truth.csv").set_index("series_uid")
    assert {item.reason for item in quarantined} == {"localizer"} and len(quarantined) == len(truth) == len(series)
    kinds = set()
    for one in series:
        told, row = " ".join(one.warnings), truth.loc[one.series_uid]
        assert ("gantry tilt" in told) == (row["tilt_degrees"] > 0)
        assert one.tilt_degrees == pytest.approx(row["tilt_degrees"], abs=0.2)
        assert (one.missing == 1) == (not np.isnan(row["left_out_mm"]))
        assert ("2 spacings" in told) == (row["spacings"] == 2)
        kinds |= {word for word in ("gantry tilt", "missing", "2 spacings") if word in told}
        first = pydicom.dcmread(one.slices[0].path, stop_before_pixels=True).InstanceNumber
        assert (first > 1) == bool(row["reversed"])
    assert kinds == {"gantry tilt", "missing", "2 spacings"}


def test_the_first_patients_of_many_are_the_same() -> None:
    more = PhantomConfig(kind="head_ct", patients=500, matrix=64)
    assert [exam.heights for exam in draw_ct_patient(more, 3)] == [exam.heights for exam in draw_ct_patient(HEAD, 3)]


def test_faults_of_radiographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="planted in radiographs alone"):
        render_dataset(tmp_path, PhantomConfig(kind="head_ct", patients=20, faults=("site_marker",)))


FACTS = {"sop_uid": "2.25.1", "study_uid": "2.25.2", "series_uid": "2.25.3", "frame_of_reference_uid": "2.25.4"}
FACTS |= {"instance_number": 1, "position": (-10.0, -20.0, 5.0), "spacing_mm": (0.5, 0.5), "thickness_mm": 5.0}


@pytest.mark.parametrize("encoding", ["explicit", "implicit", "rle", "jpeg-ls"])
@pytest.mark.parametrize("bits", [12, 16])
def test_signed_values_are_read_as_written(tmp_path: Path, encoding: str, bits: int) -> None:
    stored = np.linspace(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, 30 * 20).astype(np.int16).reshape(30, 20)
    write_slice(tmp_path / "a.dcm", stored, NewSlice(**FACTS, intercept=-24, bits_stored=bits, transfer_syntax=encoding))
    image = read_image(tmp_path / "a.dcm", window="none")
    np.testing.assert_array_equal(image.pixels, stored.astype(np.float32) - 24)
    assert str(image.units) == "HU"


def test_what_the_bits_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="which 12 signed bits cannot hold"):
        write_slice(tmp_path / "a.dcm", np.full((4, 4), 3000, np.int16), NewSlice(**FACTS, bits_stored=12))
    with pytest.raises(UnsupportedImageError, match=r"pixels must be int16 \(H, W\), received float32"):
        write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.float32), NewSlice(**FACTS))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
