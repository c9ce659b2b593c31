import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medclassify.dicom import NewInstance, read_header, read_image, write_image
from medclassify.errors import StorageError, UnsupportedImageError

EXACT = ("explicit", "implicit", "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000", "htj2k")


@pytest.mark.parametrize("encoding", EXACT)
@pytest.mark.parametrize("modality", ["CR", "DX"])
def test_what_is_written_is_read_bit_for_bit(tmp_path: Path, ramp: np.ndarray, encoding, modality) -> None:
    path = tmp_path / "deep" / "a.dcm"
    write_image(path, ramp, NewInstance(modality=modality, transfer_syntax=encoding))
    image = read_image(path, window="none")
    np.testing.assert_array_equal(image.pixels, ramp)
    assert not list(path.parent.glob("*.part*"))


@pytest.mark.parametrize("encoding", EXACT)
def test_eight_bits_too(tmp_path: Path, ramp: np.ndarray, encoding) -> None:
    pixels = (ramp >> 4).astype(np.uint8)[:, :31]  # an odd number of bytes
    write_image(tmp_path / "a.dcm", pixels, NewInstance(bits_stored=8, transfer_syntax=encoding))
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", window="none").pixels, pixels)


def test_jpeg_baseline_is_close_and_says_that_it_is_lossy(tmp_path: Path, ramp: np.ndarray) -> None:
    smooth = (ramp[:20, :20] * 0 + np.arange(20, dtype=np.uint16) * 9).astype(np.uint8)
    write_image(tmp_path / "a.dcm", smooth, NewInstance(bits_stored=8, transfer_syntax="jpeg-baseline"))
    assert np.abs(read_image(tmp_path / "a.dcm", window="none").pixels - smooth).max() <= 4
    ds = pydicom.dcmread(tmp_path / "a.dcm", stop_before_pixels=True)
    assert ds.LossyImageCompression == "01"
    assert ds.LossyImageCompressionMethod == "ISO_10918_1"


def test_every_fact_is_written(tmp_path: Path, ramp: np.ndarray) -> None:
    instance = NewInstance(
        modality="CR", photometric="MONOCHROME1", patient_id="p7", patient_name="CANARY^X", birth_date="19010203",
        accession="CANARY9", sex="F", age_years=7, study_date="20240102", view="PA", site="Klinikum Süd", manufacturer="Acme",
        study_uid="2.25.11", series_uid="2.25.12", sop_uid="2.25.13", window_center=2047.5, window_width=3000.25,
        rescale_slope=0.5, rescale_intercept=-100, spacing_mm=(0.139, 0.143), kvp=120, exposure_mas=2.5, model_name="M1",
        series_description="chest",
    )  # fmt: skip
    write_image(tmp_path / "a.dcm", ramp, instance)
    header = read_header(tmp_path / "a.dcm")
    assert (header.patient_key, header.sex, header.age_years, header.view) == ("p7", "F", 7.0, "PA")
    assert (header.site, header.manufacturer) == ("Klinikum Süd", "Acme")
    assert (header.study_uid, header.series_uid, header.sop_uid) == ("2.25.11", "2.25.12", "2.25.13")
    assert (header.spacing_mm, header.spacing_source) == ((0.139, 0.143), "ImagerPixelSpacing")
    assert (header.bits_stored, header.photometric, header.burned_in) == (12, "MONOCHROME1", False)
    ds = pydicom.dcmread(tmp_path / "a.dcm")
    assert (ds.WindowCenter, ds.WindowWidth, ds.RescaleSlope, ds.RescaleIntercept) == (2047.5, 3000.25, 0.5, -100)
    assert (ds.KVP, ds.Exposure, ds.ExposureInuAs) == (120, 2, 2500)
    assert (str(ds.PatientName), ds.PatientBirthDate, ds.AccessionNumber) == ("CANARY^X", "19010203", "CANARY9")


def test_uids_are_drawn_where_none_are_given(tmp_path: Path, ramp: np.ndarray) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / name, ramp, NewInstance())
    first, second = read_header(tmp_path / "a"), read_header(tmp_path / "b")
    assert first.sop_uid.startswith("2.25.")
    assert len({first.sop_uid, second.sop_uid, first.study_uid, second.study_uid}) == 4


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("modality", ["CR", "DX"])
@pytest.mark.parametrize("encoding", ["explicit", "jpeg-ls", "jpeg-baseline"])
def test_an_independent_validator_finds_no_error(tmp_path: Path, ramp: np.ndarray, modality, photometric, encoding) -> None:
    lossy = encoding == "jpeg-baseline"
    pixels = (ramp >> 4).astype(np.uint8) if lossy else ramp
    instance = NewInstance(
        modality=modality, photometric=photometric, transfer_syntax=encoding, bits_stored=8 if lossy else 12, patient_id="p",
        view="PA", sex="M", age_years=60, study_date="20240101", window_center=2000, window_width=3000, spacing_mm=(0.1, 0.1),
        kvp=110, exposure_mas=3,
    )  # fmt: skip
    write_image(tmp_path / "a.dcm", pixels, instance)
    told = subprocess.run(["dciodvfy", tmp_path / "a.dcm"], capture_output=True, text=True, timeout=30, check=False)
    assert [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")] == []


@pytest.mark.parametrize(
    ("pixels", "facts", "message"),
    [
        (np.full((4, 4), 4096, np.uint16), {}, "pixels reach 4096, which 12 bits cannot hold"),
        (np.zeros((4, 4), np.float32), {}, "must be uint8 or uint16 (H, W), received float32"),
        (np.zeros((4, 4, 3), np.uint8), {"bits_stored": 8}, "received uint8 (4, 4, 3)"),
        (np.zeros((0, 4), np.uint16), {}, "received uint16 (0, 4)"),
        (np.zeros((4, 4), np.uint8), {}, "bits_stored must be 1 to 8 for uint8 pixels, received 12"),
        (np.zeros((4, 4), np.uint16), {"bits_stored": 8}, "bits_stored must be 9 to 16"),
        (np.zeros((4, 4), np.uint16), {"transfer_syntax": "jpeg-baseline"}, "holds 8-bit values only"),
        (np.zeros((4, 4), np.uint16), {"transfer_syntax": "jpeg"}, "transfer_syntax must be one of explicit, implicit"),
        (np.zeros((4, 4), np.uint16), {"modality": "MG"}, "modality must be CR or DX, received 'MG'"),
        (np.zeros((4, 4), np.uint16), {"photometric": "RGB"}, "photometric must be MONOCHROME1 or MONOCHROME2"),
        (np.zeros((4, 4), np.uint16), {"window_center": 5}, "window_center and window_width go together, received 5 and None"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path, pixels, facts, message) -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        write_image(tmp_path / "a.dcm", pixels, NewInstance(**facts))
    assert message in str(caught.value)
    assert not (tmp_path / "a.dcm").exists()


def test_a_place_that_cannot_be_written_is_named(ramp: np.ndarray) -> None:
    with pytest.raises(StorageError, match=r"a\.dcm: cannot be written"):
        write_image("/proc/nowhere/a.dcm", ramp, NewInstance())
