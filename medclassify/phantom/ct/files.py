"""What is written for a CT examination and for a dataset of them: slices, scout, masks, tables."""

import csv
import json
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from medclassify.config import PhantomConfig
from medclassify.dicom import NewSlice, write_slice
from medclassify.display import png_bytes
from medclassify.phantom.ct.exams import FINDINGS, CtExam, draw_ct_patient, uid
from medclassify.phantom.ct.head import Head
from medclassify.phantom.ct.render import render_scout, render_slice
from medclassify.phantom.files import mask_path

_TRUTH = "truth.jsonl"


def write_exam(folder: Path, exam: CtExam, config: PhantomConfig) -> None:
    """Renders an examination: ``images/<exam>/*.dcm``, masks, and what each slice shows beside the slices' folder."""
    rows = []
    for number, height in enumerate(exam.heights):
        rendered = render_slice(exam, number)
        count = len(exam.heights) - number if exam.reversed else number + 1
        sop_uid, path = uid(config, *exam.seed, "slice", number), f"images/{exam.name}/{count:03d}.dcm"
        write_slice(folder / path, rendered.pixels, _facts(exam, config, sop_uid, count, rendered))
        for finding, mask in rendered.masks.items():
            picture = png_bytes(mask.astype(np.uint8) * 255, level=1)
            mask_path(folder, sop_uid, finding).write_bytes(picture)
        shown = {finding: int(finding in rendered.masks) for finding in exam.findings}
        rows.append({"path": path, "sop_uid": sop_uid, "height_mm": height, **shown})
    _write_scout(folder, exam, config)
    (folder / "images" / f"{exam.name}.{_TRUTH}").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")


def write_share(folder: Path, config: PhantomConfig, first: int, step: int) -> Generator[str, None, None]:
    """Writes every ``step``-th patient from ``first`` on; yields the name of each examination when it is written."""
    for number in range(first, config.patients, step):
        for exam in draw_ct_patient(config, number):
            write_exam(folder, exam, config)
            yield exam.name


def write_tables(folder: Path, config: PhantomConfig, exams: Sequence[CtExam]) -> None:
    """Writes ``labels.csv`` (a row a slice), ``studies.csv`` (a row an examination) and ``truth.csv`` (what is particular)."""
    findings = FINDINGS[config.kind]
    slices, studies, truth = [], [], []
    for exam in exams:
        told = folder / "images" / f"{exam.name}.{_TRUTH}"
        rows = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
        told.unlink()
        slices += [{"patient_id": exam.patient_id, **row} for row in rows]
        shown = {finding: max(row[finding] for row in rows) for finding in findings}
        studies.append({"study_uid": exam.study_uid, "patient_id": exam.patient_id, **shown})
        particular = {"tilt_degrees": exam.tilt_degrees, "left_out_mm": exam.left_out, "reversed": int(exam.reversed)}
        steps = len({round(step, 2) for step in np.diff(exam.heights)}) if exam.left_out is None else ""
        truth.append({"series_uid": exam.series_uid, "exam": exam.name, **particular, "spacings": steps})
    _write_csv(folder / "labels.csv", ["path", "patient_id", *findings], slices)
    _write_csv(folder / "studies.csv", ["study_uid", "patient_id", *findings], studies)
    _write_csv(folder / "truth.csv", list(truth[0]), truth)
    _write_csv(folder / "slices.csv", ["path", "sop_uid", "height_mm", *findings], slices)
    text = _README.format(what=config.kind, patients=config.patients, exams=len(exams), seed=config.seed)
    (folder / "README.txt").write_text(text, encoding="utf-8")


def _write_scout(folder: Path, exam: CtExam, config: PhantomConfig) -> None:
    half = exam.field_mm / 2
    facts = NewSlice(
        **_common(exam, config, uid(config, *exam.seed, "scout")),
        instance_number=0,
        image_type="LOCALIZER",
        position=(-half, 0.0, half),
        orientation=(1, 0, 0, 0, 0, -1),
    )
    write_slice(folder / "images" / exam.name / "000.dcm", render_scout(exam), facts)


def _facts(exam: CtExam, config: PhantomConfig, sop_uid: str, count: int, rendered) -> NewSlice:
    return NewSlice(
        **_common(exam, config, sop_uid),
        instance_number=count,
        position=rendered.position,
        orientation=rendered.orientation,
        tilt_degrees=exam.tilt_degrees,
    )


def _common(exam: CtExam, config: PhantomConfig, sop_uid: str) -> dict:
    scanner, is_head = exam.scanner, isinstance(exam.body, Head)
    return {
        "sop_uid": sop_uid,
        "study_uid": exam.study_uid,
        "series_uid": exam.series_uid,
        "frame_of_reference_uid": uid(config, *exam.seed, "frame"),
        "spacing_mm": (exam.field_mm / exam.matrix,) * 2,
        "thickness_mm": scanner.step_mm[not is_head],
        "intercept": scanner.intercept,
        "padding": scanner.outside if scanner.named else None,
        "window": (40.0, 80.0) if is_head else (-600.0, 1500.0),
        "bits_stored": scanner.bits_stored,
        "transfer_syntax": scanner.encoding,
        "patient_id": exam.patient_id,
        "patient_name": f"CANARY^{exam.patient_id}",
        "birth_date": exam.birth_date,
        "accession": f"CANARY{exam.patient_id[-5:]}",
        "sex": exam.sex,
        "age_years": exam.age,
        "study_date": exam.study_date,
        "site": scanner.site,
        "manufacturer": scanner.manufacturer,
        "model_name": scanner.model,
        "kernel": scanner.kernel,
        "body_part": "HEAD" if is_head else "CHEST",
        "series_description": "SYNTHETIC, not for clinical use",
    }


def _write_csv(path: Path, keys: Sequence[str], rows: Sequence[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, keys, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


_README = """SYNTHETIC DATA. NOT FOR CLINICAL USE.

These {exams} examinations ({what}) of {patients} patients (seed {seed}) were computed by medclassify. No person was imaged, and
no hospital, manufacturer or patient named in them exists. What a network learns from them holds for no patient.

images/EXAM/  DICOM CT slices and a scout; file names count as Instance Number does, not as slices lie
masks/        where each finding is: <SOP Instance UID>_<finding>.png, 255 inside
labels.csv    path, patient_id, findings of each slice (1 present, 0 absent)
studies.csv   study_uid, patient_id, findings of each examination
slices.csv    labels.csv with SOP Instance UID and height
truth.csv     what is particular about a series: tilt, a slice left out, spacings, counted from the head
dataset.json  which config and version rendered this; written last

The names, birth dates and accession numbers in the headers are invented. Names and accession numbers hold a fixed word,
so that a search for it shows whether anything of a header leaked.
"""
