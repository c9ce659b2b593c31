"""What the data cannot show, told before anything is trained: interval widths, calibrators, warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medclassify.calibration.fit import MIN_FIT, MIN_PLATT
from medclassify.metrics import MIN_CELL, STABLE_CELL, expected_auroc_interval
from medclassify.planning.choice import Choice
from medclassify.planning.data_rules import learnable
from medclassify.planning.facts import DataFacts, FindingFacts, ImageFacts

ASSUMED_AUROC = 0.85
"""Intervals are foretold for this one; at .95 they are half as wide, at .70 a quarter wider."""
WIDE = 0.15
"""An interval wider than this does not tell a good model from a middling one (.80 from .95)."""
FEW_PER_TARGET = 10
"""Positives in calibrate below which one image more or less moves a sensitivity of .90 by more than a tenth."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What may be expected of a finding's figures.

    Attributes:
        finding: Its name.
        train: Positive images to learn from.
        calibrate: Positive images to calibrate on.
        calibrator: ``Platt``, ``temperature`` or ``none``.
        test: Positive images in test.
        test_patients: Patients with one of them, and patients without.
        interval: 95 % limits of an AUROC of ``ASSUMED_AUROC``, or None where it is not estimable.
    """

    finding: str
    train: int
    calibrate: int
    calibrator: str
    test: int
    test_patients: tuple[int, int]
    interval: tuple[float, float] | None


def expect(finding: FindingFacts, task: str) -> Expected:
    """Foretells calibrator and interval width; patients count, not images, so repeated images do not flatter it."""
    calibrate, test = finding.splits["calibrate"], finding.splits["test"]
    positive, negative = test.positive_patients, test.negative_patients
    estimable = min(positive, negative) >= MIN_CELL
    limits = expected_auroc_interval(ASSUMED_AUROC, positive, negative)[1:] if estimable else None
    return Expected(
        finding.name,
        finding.splits["train"].positive,
        calibrate.positive,
        calibrator(calibrate.positive, calibrate.negative, task),
        test.positive,
        (positive, negative),
        limits,
    )


def calibrator(positive: int, negative: int, task: str) -> str:
    """What ``calibration.method: auto`` fits on so many labels (see ``calibration.fit_calibrator``)."""
    if task == "multiclass":
        return "temperature"
    fewest = min(positive, negative)
    return "Platt" if fewest >= MIN_PLATT else "temperature" if fewest >= MIN_FIT else "none"


def choose_calibration(expected: Sequence[Expected]) -> Choice:
    """The calibrator, and which finding may have which."""
    kinds: dict[str, list[str]] = {}
    for row in expected:
        kinds.setdefault(row.calibrator, []).append(f"{row.finding} {row.calibrate}")
    said = "; ".join(f"{kind}: {', '.join(rows)}" for kind, rows in kinds.items())
    return Choice(
        "calibration.method",
        "auto",
        f"a finding each by its positives in calibrate (Platt from {MIN_PLATT}, one number from {MIN_FIT}): {said}",
    )


def choose_operating_point(expected: Sequence[Expected]) -> tuple[Choice, Choice]:
    """The rule of the threshold."""
    fewest = min(expected, key=lambda row: row.calibrate)
    reason = f"finds nine of ten; for {fewest.finding} that is {0.9 * fewest.calibrate:.0f} of {fewest.calibrate} positives"
    return Choice("calibration.criterion", "sensitivity", reason), Choice(
        "calibration.target", 0.9, "the share of positives that must be called: a clinical decision, so change it to yours"
    )


def warnings(
    data: DataFacts, images: ImageFacts, labelled: Sequence[FindingFacts], expected: Sequence[Expected], leakage: Sequence[str]
) -> list[str]:
    """What a person has to know before they fit, most serious first.

    Args:
        data: The manifest.
        images: The sample of files.
        labelled: Every finding of the labels, those left out too.
        expected: The findings that are learnt.
        leakage: What stands in two splits.
    """
    return [
        *leakage,
        *_about_patients(data.patient_source, data.images),
        *_about_images(images, data.modalities),
        *(
            f"{finding.name}: left out, its {_positives(finding.positive)} of {finding.positive_patients} patients are too few"
            for finding in labelled
            if not learnable(finding)
        ),
        *_about_findings(expected),
        *(
            f"{finding.name}: {100 * unknown / data.images:.0f} % of the images have no certain label; they are masked"
            for finding in labelled
            if learnable(finding) and (unknown := finding.unlabelled + finding.uncertain) > data.images / 2
        ),
    ]


def _about_patients(source: Mapping[str, int], images: int) -> list[str]:
    guessed = {name: count for name in ("study_uid", "image") if (count := source.get(name, 0))}
    words = {"study_uid": "each study counts as its own patient", "image": "each image counts as its own patient"}
    return [
        f"{count} of {images} images have no patient id: {words[name]}, so one person's images may stand in two splits, and "
        f"every interval is too narrow. Give patient_id in the labels"
        for name, count in guessed.items()
    ]


def _about_images(images: ImageFacts, modalities: Mapping[str, int]) -> list[str]:
    said = [
        f"{count} of the {images.decoded + sum(images.failed.values())} images tried cannot be used: {reason}"
        for reason, count in images.failed.items()
    ]
    kinds = {name: count for name, count in modalities.items() if name}
    if len(kinds) > 1:
        said.append(
            f"more than one kind of image ({', '.join(f'{name} {count}' for name, count in kinds.items())}): fit one at a time"
        )
    return said


def _about_findings(expected: Sequence[Expected]) -> list[str]:
    said = []
    for row in expected:
        positive, negative = row.test_patients
        if row.interval is None:
            said.append(f"{row.finding}: {positive} patients with it and {negative} without in test: below {MIN_CELL} no AUROC")
        elif (width := row.interval[1] - row.interval[0]) > WIDE:
            unstable = ", and marked unstable" if min(positive, negative) < STABLE_CELL else ""
            said.append(
                f"{row.finding}: {positive} patients with it in test, so an AUROC of {ASSUMED_AUROC:.2f} would come with "
                f"the interval {row.interval[0]:.2f}-{row.interval[1]:.2f} ({width:.2f} wide{unstable})"
            )
        if row.calibrate < FEW_PER_TARGET:
            said.append(f"{row.finding}: its threshold will rest on {_positives(row.calibrate)} in calibrate")
        if row.calibrator == "none":
            said.append(f"{row.finding}: too few in calibrate for any calibrator; its probabilities will be raw")
    return said


def _positives(count: int) -> str:
    return "1 positive" if count == 1 else f"{count} positives"
