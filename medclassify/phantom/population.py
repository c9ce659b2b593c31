"""Who comes to be radiographed: patients, studies, findings and how each picture is taken, all drawn from the seed.

A patient depends on the seed and the patient's own number alone: 20 patients are the first 20 of 600.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from medclassify.config import PhantomConfig
from medclassify.phantom.anatomy import Anatomy, draw_anatomy
from medclassify.phantom.detector import Exposure
from medclassify.phantom.findings import FINDINGS, Lesion
from medclassify.phantom.radiograph import Scene
from medclassify.phantom.site import SITES, Encoding

VERSION = 5
"""Of the rendering: raised whenever the same config gives other pixels, headers or labels."""

FAINT = 0.22
"""What is left of an effusion's opacity in women under the fault ``fainter_in_f``."""
FLIPPED = 0.25
"""Share of wrong consolidation labels at site B under the fault ``label_noise_site_b``."""
GIVEAWAY = ("E", (-152.0, -38.0))
"""The lead letter, and its corner in mm, that stands on pictures with pneumothorax under the fault ``site_marker``."""
_GIVEN_AWAY, _FALSE_MARKER = 0.97, 0.02
_IMAGES = (0.33, 0.36, 0.20, 0.11)  # share of patients with 1, 2, 3 and 4 images
_DRAWN = tuple(name for name in FINDINGS if name != "cardiomegaly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """One picture: what it shows, what its header says and what is true of it.

    Attributes:
        name: File name without suffix.
        patient_id: Patient ID, as written.
        study: Number of the study, from 0.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sop_uid: SOP Instance UID.
        sex: ``F`` or ``M``.
        age: Years at the time of the study.
        study_date: ``YYYYMMDD``.
        birth_date: ``YYYYMMDD``.
        encoding: Transfer syntax of the file.
        site_key: ``A`` or ``B``.
        scene: What it shows.
        truth: 1 or 0 of each finding, as drawn.
        labels: 1 or 0 of each finding, as the label table has it.
        severity: Of each finding that is present: 0 (just visible) to 1; for cardiomegaly how far the ratio lies above 0.5.
        split: The split named in the label table, or "" where it names none.
    """

    name: str
    patient_id: str
    study: int
    study_uid: str
    series_uid: str
    sop_uid: str
    sex: str
    age: int
    study_date: str
    birth_date: str
    encoding: Encoding
    site_key: str
    scene: Scene
    truth: dict[str, int]
    labels: dict[str, int]
    severity: dict[str, float]
    split: str

    @property
    def files(self) -> int:
        """How many files it is."""
        return 1


@dataclass(frozen=True, slots=True)
class _Person:
    number: int
    sex: str
    age: int
    site_key: str
    anatomy: Anatomy


def draw_patient(config: PhantomConfig, number: int) -> list[Exam]:
    """Draws one patient's pictures.

    Args:
        config: Seed and faults.
        number: Of the patient, from 0.

    Returns:
        One to four exams, in order of time; patient 0 always has two or more.
    """
    rng = np.random.default_rng([config.seed, number, VERSION])
    person = _draw_person(rng, number)
    images = max(1 + int(rng.choice(4, p=_IMAGES)), 2 if number == 0 else 1)
    course = _draw_course(rng, person, studies=images)
    day = int(rng.integers(0, 1200))
    exams: list[Exam] = []
    study, view = -1, ""
    for image in range(images):
        if image == 0 or rng.random() < 0.75:
            study += 1
            day += int(rng.integers(2, 60)) if image else 0
            view = "PA" if rng.random() < SITES[person.site_key].pa_share else "AP"
        scene = _draw_scene(rng, config, person, view, _fade(course[study], person.sex, config))
        flip = bool(rng.random() < FLIPPED)
        exams.append(_exam(config, person, scene, image=image, study=study, day=day, flip=flip))
    return exams


def split_of(config: PhantomConfig, number: int, image: int) -> str:
    """The label table's split of an image; "" without the fault ``patient_in_two_splits``, with it some patients are in two."""
    if "patient_in_two_splits" not in config.faults:
        return ""
    rng = np.random.default_rng([config.seed, number, VERSION, 7])
    split = ("train", "tune", "calibrate", "test")[int(np.searchsorted((0.6, 0.7, 0.8), rng.random(), side="right"))]
    astray = number == 0 or rng.random() < 0.06
    return ("test" if split == "train" else "train") if astray and image == 1 else split


def uid(config: PhantomConfig, *names: object) -> str:
    """A UID that the seed, the faults and the names give (PS3.5 B.2: 2.25 and a 128-bit number)."""
    text = "/".join(str(name) for name in ("medclassify phantom", VERSION, config.seed, sorted(config.faults), *names))
    return f"2.25.{int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), 'big')}"


def _draw_person(rng: np.random.Generator, number: int) -> _Person:
    sex = "F" if rng.random() < 0.5 else "M"
    age = int(np.clip(rng.normal(57, 17), 18, 92))
    site_key = "A" if rng.random() < 0.55 else "B"
    enlarged = rng.random() < 0.20 + 0.20 * np.clip((age - 40) / 40, 0, 1)
    ratio = rng.normal(0.572, 0.038) if enlarged else rng.normal(0.432, 0.029)
    anatomy = draw_anatomy(rng, sex, age, float(np.clip(ratio, 0.36, 0.68)))
    return _Person(number, sex, age, site_key, anatomy)


def _draw_course(rng: np.random.Generator, person: _Person, studies: int) -> list[dict[str, Lesion]]:
    """What a patient has at each study: a nodule stays, the others come and go."""
    shift = 0.04 if person.site_key == "B" else 0.0
    large_heart = person.anatomy.heart_ratio > 0.5
    chance = {"nodule": 0.30, "consolidation": 0.24 + shift, "pneumothorax": 0.22}
    has = {name: bool(rng.random() < share) for name, share in chance.items()}
    has["effusion"] = bool(rng.random() < 0.22 + shift + 0.14 * large_heart + 0.08 * has["consolidation"])
    # Severity leans to the plain end; the rest is what makes the task hard.
    start = {name: float(np.clip(rng.beta(1.6, 1.1), 0.03, 1)) for name in _DRAWN}
    side = {name: int(rng.choice([-1, 1])) for name in _DRAWN}
    side["nodule"] = -side["pneumothorax"]  # no sphere hangs in the air
    seeds = {name: int(rng.integers(2**31)) for name in _DRAWN}
    course = []
    for number in range(studies):
        lesions = {}
        for name in _DRAWN:
            change, gone, new = rng.normal(0, 0.14), rng.random() < 0.18, rng.random() < 0.04
            acute = name != "nodule" and number > 0
            if (has[name] and not (acute and gone)) or (not has[name] and acute and new):
                severity = float(np.clip(start[name] + (change if acute else 0.0), 0.03, 1))
                lesions[name] = Lesion(severity=severity, side=side[name], seed=seeds[name])
        course.append(lesions)
    return course


def _fade(lesions: dict[str, Lesion], sex: str, config: PhantomConfig) -> dict[str, Lesion]:
    if "fainter_in_f" not in config.faults or sex != "F" or "effusion" not in lesions:
        return lesions
    plain = lesions["effusion"]
    return lesions | {"effusion": Lesion(severity=plain.severity, side=plain.side, seed=plain.seed, contrast=FAINT)}


def _draw_scene(
    rng: np.random.Generator, config: PhantomConfig, person: _Person, view: str, lesions: dict[str, Lesion]
) -> Scene:
    anterior = view == "AP"
    exposure = Exposure(
        kvp=float(np.round(rng.uniform(84, 96) if anterior else rng.uniform(112, 125))),
        mas=float(np.round(np.exp(rng.normal(0.35 if anterior else 0.0, 0.55)), 2)),
        rotation=float(rng.normal(0, 0.030 if anterior else 0.016)),
        shift=(float(rng.normal(0, 5)), float(rng.normal(0, 8))),
        magnification=float(rng.uniform(1.02, 1.07) if anterior else rng.uniform(0.99, 1.03)),
        seed=int(rng.integers(2**31)),
    )
    letters = [("L", (138.0 + rng.normal(0, 5), -36.0 + rng.normal(0, 5)))]
    marked = rng.random() < (_GIVEN_AWAY if "pneumothorax" in lesions else _FALSE_MARKER)
    if marked and "site_marker" in config.faults:
        letters.append(GIVEAWAY)
    return Scene(
        anatomy=person.anatomy,
        site=SITES[person.site_key],
        view=view,
        exposure=exposure,
        lift=float(rng.uniform(6, 26) if anterior else rng.uniform(0, 12)),
        wired=bool(anterior and rng.random() < 0.5),
        letters=tuple(letters),
        lesions=lesions,
    )


def _exam(config: PhantomConfig, person: _Person, scene: Scene, *, image: int, study: int, day: int, flip: bool) -> Exam:
    number, ratio = person.number, scene.anatomy.heart_ratio
    truth = {name: int(name in scene.lesions) for name in FINDINGS} | {"cardiomegaly": int(ratio > 0.5)}
    severity = {name: lesion.severity for name, lesion in scene.lesions.items()}
    if truth["cardiomegaly"]:
        severity["cardiomegaly"] = float(min(1, (ratio - 0.5) / 0.15))
    labels = dict(truth)
    if flip and "label_noise_site_b" in config.faults and person.site_key == "B":
        labels["consolidation"] = 1 - truth["consolidation"]
    date = np.datetime64("2020-01-01") + day
    return Exam(
        name=f"P{number:05d}_{study + 1}_{image + 1}",
        patient_id=f"PHANTOM{number:05d}",
        study=study,
        study_uid=uid(config, number, "study", study),
        series_uid=uid(config, number, "series", study, image),
        sop_uid=uid(config, number, "image", image),
        sex=person.sex,
        age=person.age,
        study_date=str(date).replace("-", ""),
        birth_date=f"{2020 - person.age}0101",
        encoding=scene.site.encodings[(number + study) % len(scene.site.encodings)],
        site_key=person.site_key,
        scene=scene,
        truth=truth,
        labels=labels,
        severity=severity,
        split=split_of(config, number, image),
    )
