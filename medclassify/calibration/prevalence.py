"""Probabilities for a place where a finding is more or less frequent than where the calibrator was fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from medclassify.calibration.calibrator import Calibrator
from medclassify.errors import CalibrationError
from medclassify.records import OperatingPoint, ProbabilityTable


@dataclass(frozen=True, slots=True)
class PrevalenceShift:
    """What is added to the logit of one finding's calibrated probability.

    Attributes:
        finding: The finding.
        source: Its prevalence among the labelled samples of the calibrate split, in (0, 1).
        target: Its prevalence where the model is used, in (0, 1).
        shift: log-odds of target minus log-odds of source.
    """

    finding: str
    source: float
    target: float
    shift: float

    @property
    def note(self) -> str:
        """The correction in words."""
        return (
            f"{self.finding}: probabilities corrected from a prevalence of {self.source:.3g} to {self.target:.3g} "
            f"(logit {self.shift:+.3g}); valid where the finding is rarer or more frequent and looks the same"
        )

    def apply(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shifts probabilities; 0 and 1 stay, and the order stays."""
        return special.expit(special.logit(p) + self.shift)

    def to_json(self) -> dict[str, Any]:
        """All fields, as values that JSON has."""
        return asdict(self)


def prevalence_shifts(calibrator: Calibrator, prevalence: Mapping[str, float]) -> tuple[PrevalenceShift, ...]:
    """The correction by prior odds.

    Valid under label shift only: the share of patients with the finding differs, and how the finding (and its absence) looks
    does not. Another scanner, another severity or another definition of the label are not mended by it. The set of a conformal
    rule needs no correction: it promises within each class.

    Args:
        calibrator: Fitted, multi-label.
        prevalence: Finding → prevalence where the model is used, in (0, 1).

    Raises:
        CalibrationError: A finding is not known or was not calibrated, a prevalence is out of range, or the task is multiclass.

    Source:
        Saerens, Latinne & Decaestecker, Neural Computation 14:21 (2002); Elkan, IJCAI, 973 (2001).
    """
    maps = {each.finding: each for each in calibrator.maps}
    if prevalence and calibrator.task == "multiclass":
        raise CalibrationError("a prevalence can be corrected for in multilabel models; this one is multiclass. Leave it out.")
    shifts = []
    for finding, target in prevalence.items():
        if finding not in maps:
            raise CalibrationError(f"prevalence of {finding!r}: the model predicts {', '.join(maps)}. Correct the name.")
        if not 0 < target < 1:
            raise CalibrationError(f"prevalence of {finding} must lie between 0 and 1 (0.02 for 2 %), received {target:g}.")
        if not correctable(calibrator, finding):
            raise CalibrationError(
                f"prevalence of {finding}: it was not calibrated: its probabilities rest on no known prevalence. Leave it out."
            )
        each = maps[finding]
        source = each.n_pos / (each.n_pos + each.n_neg)
        shifts.append(PrevalenceShift(finding, source, target, float(special.logit(target) - special.logit(source))))
    return tuple(shifts)


def correctable(calibrator: Calibrator, finding: str) -> bool:
    """Whether the finding was calibrated on samples of both classes."""
    each = next(each for each in calibrator.maps if each.finding == finding)
    return each.method != "identity" and each.n_pos > 0 and each.n_neg > 0


def shift_probabilities(prob: ProbabilityTable, shifts: Sequence[PrevalenceShift]) -> ProbabilityTable:
    """Calibrated probabilities (N, K) at the target prevalence; the other findings stay bit for bit."""
    p = prob.probabilities.copy()
    for each in shifts:
        column = prob.findings.index(each.finding)
        p[:, column] = each.apply(p[:, column])
    return replace(prob, probabilities=p)


def shift_points(points: Sequence[OperatingPoint], shifts: Sequence[PrevalenceShift]) -> tuple[OperatingPoint, ...]:
    """Thresholds moved along with the probabilities: the same samples are called, at the same sensitivity and specificity."""
    by_finding = {each.finding: each for each in shifts}
    return tuple(
        replace(point, threshold=float(by_finding[point.finding].apply(np.array([point.threshold]))[0]))
        if point.finding in by_finding
        else point
        for point in points
    )
