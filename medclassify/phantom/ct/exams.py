"""Who comes to be scanned, and how: people, findings, slices, and the particulars that real series have.

A patient depends on the seed and the patient's own number alone: 20 patients are the first 20 of 600.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from medclassify.config import PhantomConfig
from medclassify.phantom.ct.head import BLEEDINGS, Bleed, Head, draw_bleed, draw_head
from medclassify.phantom.ct.scanner import SCANNERS, Scanner
from medclassify.phantom.ct.thorax import LUNG_FINDINGS, LungLesion, Thorax, draw_lung_lesion, draw_thorax

VERSION = 1
"""Of the rendering: raised whenever the same config gives other pixels, headers or labels."""
ANY = "any"
FINDINGS = {"head_ct": (*BLEEDINGS, ANY), "chest_ct": LUNG_FINDINGS}
TILT_DEGREES = 15.0
MATRIX = 96
_FIELD_MM = {"head_ct": 205.0, "chest_ct": 360.0}
_RANGE_MM = {"head_ct": (-44.0, 72.0), "chest_ct": (-112.0, 112.0)}
_MANY = (0.36, 0.34, 0.24, 0.06)  # share of examinations with 0, 1, 2 and 3 kinds of bleeding
_LUNG_SHARE = 0.38


@dataclass(frozen=True, slots=True, kw_only=True)
class CtExam:
    """One examination: one series, a scout in it.

    Attributes:
        name: Of its folder.
        patient_id: Patient ID, as written.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sex: ``F`` or ``M``.
        age: Years.
        study_date: ``YYYYMMDD``.
        birth_date: ``YYYYMMDD``.
        scanner: What took it.
        body: Whom it shows.
        lesions: What is drawn.
        heights: z of each slice, mm, ascending; those of left-out ones are not there.
        left_out: z of a slice that is missing, or None.
        tilt_degrees: Gantry tilt.
        reversed: Instance Number and file names count from the head downwards.
        matrix: Rows and columns.
        field_mm: Side of the picture.
        seed: Of the noise.
    """

    name: str
    patient_id: str
    study_uid: str
    series_uid: str
    sex: str
    age: int
    study_date: str
    birth_date: str
    scanner: Scanner
    body: Head | Thorax
    lesions: tuple[Bleed | LungLesion, ...]
    heights: tuple[float, ...]
    left_out: float | None
    tilt_degrees: float
    reversed: bool
    matrix: int
    field_mm: float
    seed: tuple[int, ...]

    @property
    def files(self) -> int:
        """Slices and scout."""
        return len(self.heights) + 1

    @property
    def findings(self) -> tuple[str, ...]:
        return FINDINGS["head_ct" if isinstance(self.body, Head) else "chest_ct"]


def draw_ct_patient(config: PhantomConfig, number: int) -> list[CtExam]:
    """A patient's examinations, one or two, of one anatomy.

    The particulars go by the patient's number, so that every few patients have each: a tilted gantry (heads), two spacings, a
    missing slice, slices counted from the head.
    """
    rng = np.random.default_rng([config.seed, number, VERSION, 40])
    sex, age = ("F" if rng.random() < 0.5 else "M"), int(np.clip(rng.normal(60, 17), 18, 92))
    scanner = SCANNERS["A" if rng.random() < 0.55 else "B"]
    body = draw_head(rng, age) if config.kind == "head_ct" else draw_thorax(rng)
    day = int(rng.integers(0, 900))
    exams = []
    for study in range(1 + int(rng.random() < 0.2)):
        lesions = _lesions(rng, body)
        heights, left_out = _heights(config.kind, scanner, number, rng)
        exams.append(
            CtExam(
                name=f"C{number:05d}_{study + 1}",
                patient_id=f"PHANTOM{number:05d}",
                study_uid=uid(config, number, study, "study"),
                series_uid=uid(config, number, study, "series"),
                sex=sex,
                age=age,
                study_date=str(np.datetime64("2020-01-01") + day + 30 * study).replace("-", ""),
                birth_date=f"{2020 - age}0101",
                scanner=scanner,
                body=body,
                lesions=lesions,
                heights=heights,
                left_out=left_out,
                tilt_degrees=TILT_DEGREES if config.kind == "head_ct" and number % 4 == 1 else 0.0,
                reversed=number % 2 == 1,
                matrix=config.matrix or MATRIX,
                field_mm=_FIELD_MM[config.kind],
                seed=(config.seed, number, study),
            )
        )
    return exams


def uid(config: PhantomConfig, *names: object) -> str:
    """A UID that the seed and the names give (PS3.5 B.2: 2.25 and a 128-bit number)."""
    text = "/".join(str(name) for name in ("medclassify CT phantom", VERSION, config.kind, config.matrix, config.seed, *names))
    return f"2.25.{int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), 'big')}"


def _lesions(rng: np.random.Generator, body: Head | Thorax) -> tuple[Bleed | LungLesion, ...]:
    if isinstance(body, Head):
        count = int(rng.choice(len(_MANY), p=_MANY))
        return tuple(draw_bleed(rng, str(kind)) for kind in rng.choice(BLEEDINGS, count, replace=False))
    return tuple(
        draw_lung_lesion(rng, kind, body)
        for kind in LUNG_FINDINGS
        if rng.random() < _LUNG_SHARE
        for _ in range(int(rng.integers(1, 3)))
    )


def _heights(kind: str, scanner: Scanner, number: int, rng: np.random.Generator) -> tuple[tuple[float, ...], float | None]:
    low, high = _RANGE_MM[kind]
    usual = scanner.step_mm[kind == "chest_ct"]
    heights = np.arange(low + rng.uniform(0, usual), high, usual)
    if number % 5 == 2:  # thick slices above a level, as sequential scans have
        middle = len(heights) // 3
        heights = np.concatenate([heights[:middle], np.arange(heights[middle], high, 1.5 * usual)])
    left_out = None
    if number % 6 == 3:
        gone = len(heights) // 2 + int(rng.integers(-2, 3))
        left_out, heights = float(heights[gone]), np.delete(heights, gone)
    return tuple(round(float(z), 3) for z in heights), left_out
