"""What acting on a probability is worth: decision curves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError
from medclassify.metrics.checks import Patients, check_level, predicted
from medclassify.metrics.clustered import variance_of_total
from medclassify.metrics.proportions import t_quantile

CI_METHOD = "t of the mean, between patients"


@dataclass(frozen=True, slots=True, eq=False)
class DecisionCurve:
    """Net benefit by threshold probability, in true positives a sample. Calling nobody has a net benefit of 0.

    Attributes:
        threshold: float64 (m,).
        net_benefit: float64 (m,), TP/n − FP/n · t/(1 − t).
        ci_low: float64 (m,), pointwise (``CI_METHOD``).
        ci_high: float64 (m,).
        all_called: float64 (m,), net benefit of calling everybody.
    """

    threshold: NDArray[np.float64]
    net_benefit: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]
    all_called: NDArray[np.float64]


def decision_curve(
    y: ArrayLike, p: ArrayLike, thresholds: ArrayLike, *, patients: Patients = None, level: float = 0.95
) -> DecisionCurve:
    """Net benefit of calling whoever has p ≥ t, for each threshold t.

    A threshold says how many false alarms one hit is worth, (1 − t)/t. It means that only if p is calibrated, and the
    sample has the prevalence of where the model is used.

    Args:
        y: (n,) of 0 and 1, n ≥ 2.
        p: float64 (n,) in [0, 1].
        thresholds: float (m,), each in (0, 1).
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level of the pointwise limits.

    Raises:
        MetricError: The input cannot be scored, or a threshold is outside (0, 1).

    Source:
        Vickers & Elkin, Medical Decision Making 26:565 (2006).
    """
    samples = predicted(y, p, patients)
    check_level(level)
    at = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if at.ndim != 1 or not ((at > 0) & (at < 1)).all():
        raise MetricError(f"thresholds must lie between 0 and 1; received {at.min():g} to {at.max():g}.")
    if samples.n_patients < 2:
        raise MetricError(f"a decision curve needs samples of at least 2 patients; received {samples.n_patients}.")
    price = at / (1 - at)
    values, halves = np.empty(at.size), np.empty(at.size)
    for place, (threshold, lost) in enumerate(zip(at, price, strict=True)):
        gained = np.where(samples.score >= threshold, np.where(samples.positive, 1.0, -lost), 0.0)
        values[place] = gained.mean()
        variance, units = variance_of_total(gained - values[place], samples.patients)
        halves[place] = t_quantile(level, units - 1) * variance**0.5 / gained.size
    prevalence = samples.positive.mean()
    return DecisionCurve(at, values, values - halves, values + halves, prevalence - (1 - prevalence) * price)
