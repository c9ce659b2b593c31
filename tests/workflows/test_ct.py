"""CT slices through three windows, from DICOM to scored new slices."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

CONFIG = """
seed_everything: 0
data:
  {source: slices, labels: slices/labels.csv, ct_windows: [brain, subdural, bone], image_size: 32, batch_size: 8,
   attributes: [sex]}
model: {backbone: test_efficientnet, weights: none}
trainer: {max_epochs: 1}
explain: {samples: 2}
audit: {bootstrap: 100}
"""
SIDE = 64


def head(rng: np.random.Generator, bleeding: bool) -> np.ndarray:
    """Hounsfield units of a round head: air, skull, brain, and blood of 70 HU."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    radius = np.hypot(x, y)
    hu = np.where(radius < 0.85, 35.0, -1000.0) + rng.normal(0, 4, (SIDE, SIDE))
    hu[(radius > 0.75) & (radius < 0.85)] = 1000
    if bleeding:
        hu[np.hypot(x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3)) < 0.2] = 70
    return hu


def write_slice(path: Path, hu: np.ndarray, patient: str, modality: str = "CT") -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset: Dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientID, dataset.PatientSex, dataset.Modality = patient, "FM"[len(patient) % 2], modality
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    dataset.PixelData = np.clip(hu + 1024, 0, 4095).astype("<u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("ct") / "slices"
    folder.mkdir()
    rows = []
    for number in range(80):
        bleeding = number % 2 == 0
        write_slice(folder / f"{number}.dcm", head(rng, bleeding), patient="P" * (1 + number // 40) + str(number))
        rows.append({"path": f"{number}.dcm", "bleeding": int(bleeding)})
    write_slice(folder / "radiograph.dcm", head(rng, False), "X1", modality="DX")
    pd.DataFrame([*rows, {"path": "radiograph.dcm", "bleeding": 0}]).to_csv(folder / "labels.csv", index=False)
    (folder.parent / "ct.yaml").write_text(CONFIG)
    return folder


def test_three_windows_from_files_to_scored_slices(cli, slices: Path, tmp_path: Path) -> None:
    config = slices.parent / "ct.yaml"
    done = cli("fit", config, "--run_dir", tmp_path / "run", cwd=slices.parent)
    assert done.returncode == 0, done.stderr
    model = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert model["preprocessing"]["ct_windows"] == ["brain", "subdural", "bone"]
    left_out = pd.read_csv(tmp_path / "run" / "exclusions.csv")
    assert left_out["path"].str.endswith("radiograph.dcm").tolist() == [True]
    assert "CT windows need Hounsfield units" in left_out["detail"][0]
    known = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    again = cli("predict", tmp_path / "run", slices, "--out", "p.csv", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    both = known.merge(pd.read_csv(tmp_path / "p.csv"), on=["sample_id", "finding"], suffixes=("", "_again"))
    assert len(both) == len(known)
    np.testing.assert_allclose(both["prob_cal_again"], both["prob_cal"], atol=1e-6)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[brain, bone]", "data.ct_windows must be one window or three (a network has three channels), received 2"),
        ("[brian]", "CT window 'brian' is not known; did you mean brain?"),
    ],
)
def test_windows_that_cannot_be_had(cli, slices: Path, tmp_path: Path, value: str, message: str) -> None:
    done = cli("fit", slices.parent / "ct.yaml", "--data.ct_windows", value, "--run_dir", tmp_path / "run", cwd=slices.parent)
    assert done.returncode == 1 and message in done.stderr and not (tmp_path / "run").exists()
