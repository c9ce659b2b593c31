"""Thresholds: chosen on the calibrate split, frozen, and stored before the test split is read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medclassify.calibration.calibrator import SCHEMA_VERSION, check_document, refuse_test
from medclassify.calibration.fit import check_targets
from medclassify.errors import CalibrationError
from medclassify.metrics import STABLE_CELL, wilson
from medclassify.metrics.cells import join_notes
from medclassify.metrics.proportions import normal_quantile
from medclassify.records import OperatingPoint, ProbabilityTable, Split

Criterion = Literal["sensitivity", "specificity", "youden", "cost"]
FALLBACK = 0.90
"""What is held on the class that is there, where the criterion's own class is not."""
HALF = 0.5
"""Below this, the rate that a criterion does not hold is told: what holds the other one is hardly a decision."""


def choose_operating_points(
    prob: ProbabilityTable,
    targets: NDArray[np.float64],
    mask: NDArray[np.bool_],
    *,
    criterion: Criterion = "sensitivity",
    target: float = 0.90,
    cost_ratio: float | None = None,
    split: Split = Split.CALIBRATE,
) -> tuple[OperatingPoint, ...]:
    """Chooses a threshold for each finding; a sample is called where its probability is ≥ the threshold.

    ``sensitivity``: the highest threshold that still calls this share of the positives, and from there down as far as it calls
    no further negative. ``specificity``: the one that leaves this share of the negatives uncalled. ``youden``: the greatest
    sensitivity + specificity, the lowest such threshold. ``cost``: the least cost_ratio · missed + false alarms over the
    split's samples; of equal costs the lowest threshold, which misses fewest; just above the highest probability where
    calling nobody costs least. Each stands midway between the two probabilities seen that it parts: what lies between them
    next time is nearer to the one or to the other. Where a class is missing, 0.90 is held on the other one; where
    there is no label at all, nothing but a certainty is called. Neither is done silently: ``warning`` says so.

    Args:
        prob: Calibrated probabilities (N, K) of the calibrate split.
        targets: float64 (N, K) of 0 and 1 wherever ``mask`` is True.
        mask: bool (N, K), True where there is a label.
        criterion: The rule.
        target: The sensitivity or specificity to hold, in (0, 1).
        cost_ratio: False alarms that one missed finding counts for, 0.001–1000; of ``cost`` alone.
        split: Where the samples are from.

    Returns:
        One a finding, in the order of the columns.

    Raises:
        CalibrationError: The arrays do not fit each other, criterion, target or cost_ratio is out of range, or the split is
            test.

    Source:
        Of ``cost``: Zweig & Campbell, Clinical Chemistry 39:561 (1993); Elkan, IJCAI, 973 (2001).
    """
    refuse_test(split, "an operating point")
    if criterion not in ("sensitivity", "specificity", "youden", "cost"):
        raise CalibrationError(f"criterion must be 'sensitivity', 'specificity', 'youden' or 'cost'; received {criterion!r}.")
    if criterion == "cost" and not (cost_ratio and 0.001 <= cost_ratio <= 1000):
        raise CalibrationError(
            f"cost_ratio must be 0.001–1000 (10: a missed finding is ten false alarms); received {cost_ratio}."
        )
    if not 0 < target < 1:
        raise CalibrationError(f"target must lie between 0 and 1 (0.90 for 90 %); received {target}.")
    targets, mask = check_targets(prob.probabilities.shape, targets, mask, prob.findings)
    points = []
    for column, finding in enumerate(prob.findings):
        rows = mask[:, column]
        p, positive = prob.probabilities[rows, column], targets[rows, column] == 1
        classes = _Classes(np.sort(p[positive]), np.sort(p[~positive]))
        threshold, rule, warning = _choose(classes, criterion, target, cost_ratio)
        counts = classes.positives.size, classes.negatives.size
        points.append(OperatingPoint(finding, threshold, rule, split, *counts, f"{finding}: {warning}" if warning else ""))
    return tuple(points)


def operating_points_to_json(points: Sequence[OperatingPoint]) -> dict[str, Any]:
    """All points, as values that JSON has; thresholds come back bit for bit."""
    listed = [asdict(point) | {"split": point.split.value} for point in points]
    return {"kind": "operating_points", "schema_version": SCHEMA_VERSION, "points": listed}


def operating_points_from_json(value: Mapping[str, Any] | None) -> tuple[OperatingPoint, ...]:
    """Reads what ``operating_points_to_json`` gave.

    Raises:
        CalibrationError: It is something else, of another version, incomplete, or names the test split.
    """
    content = check_document(value, "operating_points")
    try:
        points = tuple(OperatingPoint(**each | {"split": Split(each["split"])}) for each in content["points"])
        for point in points:
            refuse_test(point.split, "an operating point")
            if not 0 <= point.threshold <= 1:
                raise ValueError(f"threshold {point.threshold} of {point.finding} lies outside [0, 1]")
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError(f"operating_points JSON is incomplete or changed ({error}). Fit the model again.") from error
    return points


class _Classes(NamedTuple):
    """Probabilities of the labelled samples of one finding, each float64 (m,), sorted."""

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]

    def sensitivity(self, threshold: float) -> float:
        return float((self.positives >= threshold).mean())

    def specificity(self, threshold: float) -> float:
        return float((self.negatives < threshold).mean())


def _choose(classes: _Classes, criterion: Criterion, target: float, cost_ratio: float | None) -> tuple[float, str, str]:
    """Threshold, rule in words, and warning."""
    positives, negatives = classes
    if not positives.size and not negatives.size:
        return 1.0, "certainty", "no label in the split: nothing but a probability of 1 is called. Label some samples."
    if not positives.size:
        why = f"no positive in the split: the threshold holds a specificity of {FALLBACK:.2f}; its sensitivity is not known"
        return _at_specificity(classes, FALLBACK), f"specificity >= {FALLBACK:.2f}", why
    if not negatives.size:
        why = f"no negative in the split: the threshold holds a sensitivity of {FALLBACK:.2f}; its specificity is not known"
        return _at_sensitivity(classes, FALLBACK), f"sensitivity >= {FALLBACK:.2f}", why
    if criterion == "youden":
        threshold = _at_youden(classes)
        return threshold, "greatest sensitivity + specificity", _doubts(classes, threshold, "")
    if criterion == "cost" and cost_ratio:
        threshold = _at_least_cost(classes, cost_ratio)
        rule = f"least cost, a missed finding as {cost_ratio:g} false alarms"
        return threshold, rule, _doubts(classes, threshold, "")
    threshold = _at_sensitivity(classes, target) if criterion == "sensitivity" else _at_specificity(classes, target)
    doubts = _doubts(classes, threshold, criterion)
    if criterion == "specificity" and classes.specificity(threshold) < target:
        doubts = join_notes(doubts, f"a specificity of {target:.2f} cannot be held: too many negatives have a probability of 1")
    return threshold, f"{criterion} >= {target:.2f}", doubts


def _at_sensitivity(classes: _Classes, target: float) -> float:
    positives, negatives = classes
    highest = positives[-_share(target, positives.size)]
    below = negatives[negatives < highest]
    if not below.size:
        return _midway(classes, float(highest))
    # down to the next negative nothing is lost: a finding that is parted well would else be missed at a probability of .98
    return _midway(classes, float(positives[positives > below[-1]][0]))


def _at_specificity(classes: _Classes, target: float) -> float:
    last = classes.negatives[_share(target, classes.negatives.size) - 1]
    everyone = np.concatenate(classes)
    above = everyone[everyone > last]
    if not above.size:
        return float(min(np.nextafter(last, 2.0), 1.0))
    return _midway(classes, float(above.min()))


def _at_youden(classes: _Classes) -> float:
    positives, negatives = classes
    candidates = np.unique(positives)
    called = positives.size - np.searchsorted(positives, candidates, side="left")
    spared = np.searchsorted(negatives, candidates, side="left")
    # Counted in whole pairs: equal sums must compare equal.
    gain = called * negatives.size + spared * positives.size
    return _midway(classes, float(candidates[gain.argmax()]))


def _at_least_cost(classes: _Classes, cost_ratio: float) -> float:
    positives, negatives = classes
    # Between two positives nothing is gained by calling more; nobody is called from just above the highest probability.
    nobody = min(float(np.nextafter(max(positives[-1], negatives[-1]), 2.0)), 1.0)
    candidates = np.unique(np.r_[positives, nobody])
    missed = np.searchsorted(positives, candidates, side="left")
    alarms = negatives.size - np.searchsorted(negatives, candidates, side="left")
    # Counted in whole numbers: equal costs must compare equal.
    ratio = Fraction(cost_ratio).limit_denominator(1000)
    cost = missed.astype(np.int64) * ratio.numerator + alarms.astype(np.int64) * ratio.denominator
    return _midway(classes, float(candidates[cost.argmin()]))


def _midway(classes: _Classes, threshold: float) -> float:
    """Halfway down to the next probability seen, which changes no call of the split.

    Where positives end at .999 and negatives at .001, a threshold of .999 would miss the next positive of .99.
    """
    everyone = np.concatenate(classes)
    below = everyone[everyone < threshold]
    if not below.size:
        return threshold
    middle = float((below.max() + threshold) / 2)
    return middle if below.max() < middle else threshold


def _share(target: float, size: int) -> int:
    """The least number of ``size`` that is a share of ``target``; 0.9 · 10 is 9, whatever rounding makes of it."""
    return max(1, int(np.ceil(target * size - 1e-9)))


def _doubts(classes: _Classes, threshold: float, held: str) -> str:
    sensitivity, specificity = classes.sensitivity(threshold), classes.specificity(threshold)
    parts = [("sensitivity", sensitivity, classes.positives.size), ("specificity", specificity, classes.negatives.size)]
    doubts = []
    for rate, value, size in parts:
        if size < STABLE_CELL and held in ("", rate):
            low, high = wilson(value, size, normal_quantile(0.95))
            name = ("positive" if rate == "sensitivity" else "negative") + ("" if size == 1 else "s")
            doubts.append(f"chosen from {size} {name}: the true {rate} may be anything from {low:.2f} to {high:.2f}")
    if held == "sensitivity" and 0 < specificity < HALF:
        doubts.append(f"it calls {1 - specificity:.0%} of the negatives of the split too")
    if held == "specificity" and 0 < sensitivity < HALF:
        doubts.append(f"it calls only {sensitivity:.0%} of the positives of the split")
    if sensitivity == 0:
        doubts.append("it calls no positive of the split")
    if specificity == 0:
        doubts.append("it calls every negative of the split")
    return join_notes(*doubts)
