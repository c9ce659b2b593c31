"""The demonstration dataset on disk: rendered once by as many processes as there are cores, whole or not there."""

import csv
import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from medclassify.config import PhantomConfig
from medclassify.dicom import NewInstance, write_image
from medclassify.display import png_bytes
from medclassify.errors import ConfigError, StorageError
from medclassify.phantom.findings import FINDINGS
from medclassify.phantom.population import VERSION, Exam, draw_patient
from medclassify.phantom.radiograph import render_radiograph
from medclassify.phantom.workers import run_workers

Progress = Callable[[int, int], object]
"""Called with the number of pictures done and the number in all."""

_FAULTS = ("fainter_in_f", "label_noise_site_b", "site_marker", "patient_in_two_splits")
_RECORD = "dataset.json"
_ABANDONED_S = 3600.0


def render_dataset(
    out: Path | str, config: PhantomConfig, progress: Progress | None = None, *, workers: int | None = None
) -> Path:
    """Renders the dataset of a config below ``out``, or returns the one that is already there.

    The folder holds ``images/*.dcm``, ``masks/<sop_uid>_<finding>.png``, ``labels.csv`` (generic label file), ``truth.csv``
    (what was drawn, for tests of the tests), ``README.txt`` and ``dataset.json``. It appears by a rename when all of it is
    written: a folder that is there is whole. Two renderers at the same time do the work twice and agree.

    Args:
        out: The folder of rendered datasets, e.g. a cache; each config has its own folder in it.
        config: How many patients, which seed, which faults.
        progress: Told of each picture.
        workers: Processes; the cores this process may use when left out. The result does not depend on it.

    Returns:
        The dataset's folder.

    Raises:
        ConfigError: Fewer than one patient, or a fault that is not known.
        StorageError: The disk is full, read-only or not there.
    """
    _check(config)
    folder = Path(out) / dataset_name(config)
    if is_complete(folder, config):
        return folder
    part = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        _sweep(folder)
        (part / "images").mkdir(parents=True)
        (part / "masks").mkdir()
        _render(part, config, progress, workers or len(os.sched_getaffinity(0)))
        return _publish(part, folder, config)
    except OSError as error:
        raise _storage_error(error, folder) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def dataset_name(config: PhantomConfig) -> str:
    """The folder name of a config's dataset."""
    text = json.dumps(_facts(config), sort_keys=True)
    return f"patients{config.patients}-seed{config.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def mask_path(dataset: Path | str, sop_uid: str, finding: str) -> Path:
    """Where a finding's mask stands: a PNG of the picture's size, 255 inside; only present findings have one."""
    return Path(dataset) / "masks" / f"{sop_uid}_{finding}.png"


def is_complete(folder: Path, config: PhantomConfig) -> bool:
    """Whether a folder holds the whole dataset of this config, as this version renders it."""
    try:
        return json.loads((folder / _RECORD).read_text(encoding="utf-8")) == _facts(config)
    except (OSError, ValueError):
        return False


def write_exam(folder: Path, exam: Exam) -> None:
    """Renders one exam and writes its picture and masks."""
    radiograph = render_radiograph(exam.scene)
    write_image(folder / "images" / f"{exam.name}.dcm", radiograph.pixels, _header(exam))
    for finding, mask in radiograph.masks.items():
        mask_path(folder, exam.sop_uid, finding).write_bytes(png_bytes(mask.astype(np.uint8) * 255, level=1))


def write_share(folder: Path, config: PhantomConfig, first: int, step: int) -> Iterator[str]:
    """Writes every ``step``-th patient from ``first`` on; yields the name of each picture when it is written."""
    for number in range(first, config.patients, step):
        for exam in draw_patient(config, number):
            write_exam(folder, exam)
            yield exam.name


def _check(config: PhantomConfig) -> None:
    if config.patients < 1:
        raise ConfigError(f"data.phantom.patients must be at least 1, received {config.patients}.")
    if config.seed < 0:
        raise ConfigError(f"data.phantom.seed must be 0 or more, received {config.seed}.")
    unknown = sorted(set(config.faults) - set(_FAULTS))
    if unknown:
        raise ConfigError(f"data.phantom.faults: {', '.join(unknown)} is not known; choose from {', '.join(_FAULTS)}.")


def _facts(config: PhantomConfig) -> dict[str, object]:
    return {
        "what": "synthetic chest radiographs, not for clinical use",
        "version": VERSION,
        "patients": config.patients,
        "seed": config.seed,
        "faults": sorted(set(config.faults)),
    }


def _render(part: Path, config: PhantomConfig, progress: Progress | None, workers: int) -> None:
    exams = [exam for number in range(config.patients) for exam in draw_patient(config, number)]
    workers = max(1, min(workers, config.patients // 4))
    if progress:
        progress(0, len(exams))
    names = write_share(part, config, 0, 1) if workers == 1 else run_workers(part, config, workers)
    for done, _ in enumerate(names, start=1):
        if progress:
            progress(done, len(exams))
    _write_tables(part, exams, with_split="patient_in_two_splits" in config.faults)
    (part / "README.txt").write_text(
        _README.format(patients=config.patients, images=len(exams), seed=config.seed), encoding="utf-8"
    )
    (part / _RECORD).write_text(json.dumps(_facts(config), indent=2) + "\n", encoding="utf-8")


def _publish(part: Path, folder: Path, config: PhantomConfig) -> Path:
    """Renames the finished folder; where another renderer was faster, its dataset is taken."""
    if folder.exists() and not is_complete(folder, config):
        if not (folder / _RECORD).exists() and any(folder.iterdir()):
            raise StorageError(
                f"{folder}: something else stands where the rendered dataset belongs. Move it away, then run again."
            )
        shutil.rmtree(folder)
    try:
        os.rename(part, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not is_complete(folder, config):
            raise
    return folder


def _sweep(folder: Path) -> None:
    """Removes what killed renderers of this dataset left behind; a living one wrote within the hour."""
    for part in folder.parent.glob(f".{folder.name}.*.part"):
        newest = max((place.stat().st_mtime for place in (part, part / "images") if place.exists()), default=0.0)
        if time.time() - newest > _ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)


def _storage_error(error: OSError, folder: Path) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"{folder}: the disk is full; the dataset needs about 0.3 MB a picture. Free some space, or set MEDCLASSIFY_CACHE."
        )
    return StorageError(f"{folder}: cannot be written ({error.strerror or error}). Check the folder and its permissions.")


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


def _write_tables(folder: Path, exams: list[Exam], *, with_split: bool) -> None:
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


def _write_csv(path: Path, keys: list[str], rows: list[dict[str, object]]) -> None:
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

The names, birth dates and accession numbers in the headers are invented; names and accession numbers hold the word CANARY,
so that a search for it proves whether anything leaked.
"""
