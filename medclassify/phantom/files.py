"""What is written for an exam and for a dataset: pictures, masks, tables, and the note that none of it is real."""

import csv
import io
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import numpy as np

from medclassify.config import PhantomConfig
from medclassify.dicom import NewInstance, write_image
from medclassify.display import png_bytes
from medclassify.errors import StorageError
from medclassify.phantom.findings import FINDINGS
from medclassify.phantom.population import Exam, draw_patient
from medclassify.phantom.radiograph import render_radiograph
from medclassify.runs import storage_error

FULL_CACHE = "A dataset needs about 0.25 MB a picture: free some space, or set MEDCLASSIFY_CACHE."


def mask_path(dataset: Path | str, sop_uid: str, finding: str) -> Path:
    """Where a finding's mask stands: a PNG of the picture's size, 255 inside; only present findings have one."""
    return Path(dataset) / "masks" / f"{sop_uid}_{finding}.png"


def find_masks(dataset: Path | str, findings: Sequence[str]) -> dict[tuple[str, str], Path]:
    """The masks of a dataset that are there, by SOP Instance UID and finding: ``mask_path`` the other way round."""
    found: dict[tuple[str, str], Path] = {}
    for path in (Path(dataset) / "masks").glob("*.png"):
        for finding in findings:
            if path.stem.endswith(f"_{finding}"):
                found[path.stem.removesuffix(f"_{finding}"), finding] = path
    return found


def write_exam(folder: Path, exam: Exam) -> None:
    """Renders one exam and writes its picture and masks."""
    radiograph = render_radiograph(exam.scene)
    picture = folder / "images" / f"{exam.name}.dcm"
    try:
        write_image(picture, radiograph.pixels, _header(exam))
        for finding, mask in radiograph.masks.items():
            mask_path(folder, exam.sop_uid, finding).write_bytes(png_bytes(mask.astype(np.uint8) * 255, level=1))
    except OSError as error:
        raise storage_error(error, picture, remedy=FULL_CACHE) from error
    except StorageError as error:
        if isinstance(error.__cause__, OSError):  # say how to mend it here: this is a cache and no run
            raise storage_error(error.__cause__, picture, remedy=FULL_CACHE) from error
        raise


def write_share(folder: Path, config: PhantomConfig, first: int, step: int) -> Generator[str, None, None]:
    """Writes every ``step``-th patient from ``first`` on; yields the name of each picture when it is written."""
    for number in range(first, config.patients, step):
        for exam in draw_patient(config, number):
            write_exam(folder, exam)
            yield exam.name


def _header(exam: Exam) -> NewInstance:
    site, exposure = exam.scene.site, exam.scene.exposure
    return NewInstance(
        modality=site.modality,
        photometric=site.photometric,
        bits_stored=12,
        transfer_syntax=exam.encoding,
        patient_id=exam.patient_id,
        patient_name=f"CANARY^{exam.patient_id}",
        birth_date=exam.birth_date,
        accession=f"CANARY{exam.patient_id[-5:]}{exam.study}",
        sex=exam.sex,
        age_years=exam.age,
        study_date=exam.study_date,
        view=exam.scene.view,
        site=site.name,
        manufacturer=site.manufacturer,
        model_name=site.model,
        series_description="SYNTHETIC, not for clinical use",
        study_uid=exam.study_uid,
        series_uid=exam.series_uid,
        sop_uid=exam.sop_uid,
        window_center=site.window[0],
        window_width=site.window[1],
        spacing_mm=(site.spacing, site.spacing),
        kvp=exposure.kvp,
        exposure_mas=exposure.mas,
    )


def write_tables(folder: Path, config: PhantomConfig, exams: Sequence[Exam]) -> None:
    """Writes ``labels.csv``, the generic label file, ``truth.csv``, what was drawn, and the note that none of it is real."""
    with_split = "patient_in_two_splits" in config.faults
    keys = ["path", "patient_id", *FINDINGS, *(["split"] if with_split else [])]
    labels = [
        {"path": f"images/{exam.name}.dcm", "patient_id": exam.patient_id, "split": exam.split, **exam.labels} for exam in exams
    ]
    _write_csv(folder / "labels.csv", keys, labels)
    keys = ["path", "sop_uid", "heart_ratio", "mas", *FINDINGS, *(f"{name}_severity" for name in FINDINGS), "letters"]
    truth = [
        {
            "path": f"images/{exam.name}.dcm",
            "sop_uid": exam.sop_uid,
            "heart_ratio": f"{exam.scene.anatomy.heart_ratio:.4f}",
            "mas": exam.scene.exposure.mas,
            **exam.truth,
            **{f"{name}_severity": f"{value:.3f}" for name, value in exam.severity.items()},
            "letters": "".join(text for text, _ in exam.scene.letters),
        }
        for exam in exams
    ]
    _write_csv(folder / "truth.csv", keys, truth)
    text = _README.format(patients=config.patients, images=len(exams), seed=config.seed)
    (folder / "README.txt").write_text(text, encoding="utf-8")


def _write_csv(path: Path, keys: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


_README = """SYNTHETIC DATA. NOT FOR CLINICAL USE.

These {images} chest radiographs of {patients} patients (seed {seed}) were computed by medclassify. No person was imaged, and
no hospital, manufacturer or patient named in them exists. What a network learns from them holds for no patient.

images/      DICOM CR and DX, 12 bit
masks/       where each finding is: <SOP Instance UID>_<finding>.png, 255 inside
labels.csv   path, patient_id, findings (1 present, 0 absent)
truth.csv    what was drawn: severity of each finding, heart-to-thorax ratio, dose, lead letters
dataset.json which config and version rendered this; written last

The names, birth dates and accession numbers in the headers are invented. Names and accession numbers hold a fixed word,
so that a search for it shows whether anything of a header leaked.
"""
