"""The Brier score, and what it is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from medclassify.errors import MetricError
from medclassify.metrics.cells import cell_status, join_notes, not_estimable
from medclassify.metrics.checks import Patients, check_level, predicted
from medclassify.metrics.clustered import disjoint_pairs, variance_of_total
from medclassify.metrics.curves import corp_curve
from medclassify.metrics.proportions import t_quantile
from medclassify.records import Estimate, Status


@dataclass(frozen=True, slots=True)
class BrierParts:
    """brier = miscalibration − discrimination + uncertainty.

    Attributes:
        brier: Mean squared difference of probability and label.
        miscalibration: What recalibration would take away (0 is best).
        discrimination: What ranking is worth (higher is better).
        uncertainty: The Brier score of always giving the prevalence.
    """

    brier: float
    miscalibration: float
    discrimination: float
    uncertainty: float


def brier(y: ArrayLike, p: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Estimate:
    """The mean squared difference of probability and label; 0 is best.

    The interval is the delta method's on the logit scale, with t, and with variance between patients where they repeat.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1].
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        ``not_estimable`` below 5 positives or negatives, ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.
    """
    samples = predicted(y, p, patients)
    check_level(level)
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    squared = (samples.score - samples.positive) ** 2
    value, n = float(squared.mean()), squared.size
    variance, units = variance_of_total(squared - value, samples.patients)
    if value in (0.0, 1.0) or variance / n**2 < 1e-20:
        return _without_variance(value, disjoint_pairs(samples.positive, samples.patients), level, status, note)
    half = t_quantile(level, units - 1) * variance**0.5 / n / (value * (1 - value))
    low, high = (float(special.expit(special.logit(value) + side * half)) for side in (-1, 1))
    method = "logit-delta" if samples.patients is None else "logit-delta by patient"
    return Estimate(value, low, high, method, status, note)


def brier_parts(y: ArrayLike, p: ArrayLike) -> BrierParts:
    """Divides the Brier score by isotonic regression of the labels on the probabilities (CORP); no bins to choose.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1].

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Dimitriadis, Gneiting & Jordan, PNAS 118:e2016191118 (2021).
    """
    samples = predicted(y, p)
    if not samples.positive.size:
        raise MetricError("y must hold at least one sample to divide a Brier score; received none.")
    label, curve = samples.positive.astype(np.float64), corp_curve(samples.positive, samples.score)
    recalibrated = curve.observed[np.searchsorted(curve.probability, samples.score)]
    score = float(((samples.score - label) ** 2).mean())
    best = float(((recalibrated - label) ** 2).mean())
    uncertainty = float(label.var())
    return BrierParts(score, score - best, uncertainty - best, uncertainty)


def _without_variance(value: float, units: int, level: float, status: Status, note: str) -> Estimate:
    """Every sample errs alike: the largest share of other samples that would not have been seen bounds the change."""
    unseen = 1 - ((1 - level) / 2) ** (1 / units)
    low, high = value * (1 - unseen), value + (1 - value) * unseen
    return Estimate(value, low, high, "exact-unseen-faults", status, join_notes(note, "the squared error does not vary"))
