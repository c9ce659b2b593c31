"""Maps as DICOM: in the study of their image, accepted by the standard's own checkers, and refused where there is no study."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medclassify.dicom import NewInstance, SaliencyPicture, write_image, write_saliency
from medclassify.display import png_bytes
from medclassify.errors import UnsupportedImageError

ROWS, COLUMNS = 120, 100


def bump(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns]
    return (2 * np.exp(-(((y - 0.4 * rows) / 12) ** 2) - ((x - 0.3 * columns) / 12) ** 2) - 0.3).astype(np.float32)


def picture(raw: np.ndarray) -> SaliencyPicture:
    overlay = np.zeros((60, 50, 3), np.uint8)
    text = "effusion: called, probability 0.830. Saliency by grad_cam, sanity check passed"
    return SaliencyPicture("effusion", "grad_cam", raw, 1.5, overlay, text, "ab" * 32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "image.dcm"
    instance = NewInstance(modality="DX", photometric="MONOCHROME2", bits_stored=12, transfer_syntax="explicit",
        patient_id="P1", patient_name="Doe^Jane", birth_date="19700101", accession="A1", sex="F", age_years=50,
        study_date="20200101", view="PA", window_center=2000, window_width=3000)  # fmt: skip
    write_image(path, np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS) % 4000, instance)
    return path


def errors(path: Path) -> list[str]:
    """What dciodvfy and, for a presentation state, dcmpschk find wrong."""
    found = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
    lines = [line for line in (found.stdout + found.stderr).splitlines() if line.startswith("Error")]
    if path.name.endswith(".pr.dcm"):
        checked = subprocess.run(["dcmpschk", str(path)], capture_output=True, text=True, check=False)
        lines += [] if "Test passed" in checked.stdout + checked.stderr else [checked.stdout + checked.stderr]
    return lines


needs_checkers = pytest.mark.skipif(not (shutil.which("dciodvfy") and shutil.which("dcmpschk")), reason="no dicom3tools, dcmtk")


@needs_checkers
def test_a_radiographs_map_is_accepted(source: Path, tmp_path: Path) -> None:
    written = write_saliency(source, tmp_path / "maps" / "s1_effusion", picture(bump()))
    assert [path.name for path in written] == ["s1_effusion.sc.dcm", "s1_effusion.pr.dcm"]
    assert [errors(path) for path in written] == [[], []]


@needs_checkers
def test_real_files_maps_are_accepted_and_ct_gets_its_raw_values(real_data: Path, tmp_path: Path) -> None:
    for folder in ("nih", "cxr", "ct"):
        image = sorted((real_data / folder).rglob("*.dcm"))[0]
        header = dcmread(image, stop_before_pixels=True)
        raw = bump(header.Rows, header.Columns)
        written = write_saliency(image, tmp_path / folder, picture(raw))
        assert [errors(path) for path in written] == [[] for _ in written], folder
        assert len(written) == (3 if folder == "ct" else 2)
    stored = dcmread(written[-1])
    values = np.frombuffer(stored.FloatPixelData, np.float32).reshape(raw.shape)
    np.testing.assert_array_equal(values, raw)
    assert stored.FrameOfReferenceUID == header.FrameOfReferenceUID


def test_it_joins_the_study_and_says_no_more_of_the_patient_than_the_study(source: Path, tmp_path: Path) -> None:
    header = dcmread(source)
    for path in write_saliency(source, tmp_path / "s1", picture(bump())):
        made = dcmread(path)
        for name in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "AccessionNumber"):
            assert made[name].value == header[name].value, name
        assert made.SeriesInstanceUID != header.SeriesInstanceUID and made.SOPInstanceUID != header.SOPInstanceUID
        names = {element.keyword for element in made.iterall() if element.VR == "PN" and element.value}
        assert names == {"PatientName"}
        assert made.SeriesDescription.startswith("NOT FOR DIAGNOSIS: saliency") and "effusion" in made.SeriesDescription


def test_contours_enclose_what_reaches_half_the_reference(source: Path, tmp_path: Path) -> None:
    _, path = write_saliency(source, tmp_path / "s1", picture(bump()))
    annotation = dcmread(path).GraphicAnnotationSequence[0]
    points = np.array(annotation.GraphicObjectSequence[0].GraphicData).reshape(-1, 2)
    assert (points[0] == points[-1]).all()
    hot = np.argwhere(bump() >= 0.75)
    np.testing.assert_allclose(points.min(axis=0)[::-1], hot.min(axis=0) + 0.5)
    np.testing.assert_allclose(points.max(axis=0)[::-1], hot.max(axis=0) + 0.5)
    assert "sanity check passed" in annotation.TextObjectSequence[0].UnformattedTextValue
    _, flat = write_saliency(source, tmp_path / "s2", picture(np.full((ROWS, COLUMNS), -1, np.float32)))
    assert "GraphicObjectSequence" not in dcmread(flat).GraphicAnnotationSequence[0]


def test_a_picture_without_a_study_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(png_bytes(np.zeros((ROWS, COLUMNS), np.uint8)))
    with pytest.raises(UnsupportedImageError, match=r"image.png: not DICOM, so there is no study that a map could join"):
        write_saliency(path, tmp_path / "s1", picture(bump()))
    assert not list(tmp_path.glob("s1*"))
