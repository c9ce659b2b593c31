"""The points of a ROC curve and of a reliability diagram, for someone else to draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from medclassify.errors import MetricError
from medclassify.metrics.checks import Patients, predicted, scored
from medclassify.metrics.ece import Binning, bin_index
from medclassify.metrics.proportions import normal_quantile, proportion, wilson


@dataclass(frozen=True, slots=True, eq=False)
class RocPoints:
    """A ROC curve from (0, 0) to (1, 1); points on a straight line between others are left out.

    Attributes:
        fpr: float64 (m,), false-positive rate, rising.
        tpr: float64 (m,), sensitivity, rising.
        threshold: float64 (m,), falling; score ≥ threshold gives the point; the first is infinite (nothing is called).
    """

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    threshold: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityBins:
    """A reliability diagram, one entry a bin that holds samples.

    Attributes:
        probability: float64 (b,), mean probability.
        observed: float64 (b,), share with the finding.
        ci_low: float64 (b,), lower Wilson limit of ``observed`` (effective n where patients repeat).
        ci_high: float64 (b,), upper limit.
        n: intp (b,), samples.
    """

    probability: NDArray[np.float64]
    observed: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]
    n: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class CorpCurve:
    """A reliability diagram without bins.

    Attributes:
        probability: float64 (m,), each probability given, rising.
        observed: float64 (m,), the share with the finding by isotonic regression, rising or level.
    """

    probability: NDArray[np.float64]
    observed: NDArray[np.float64]


def corp_curve(y: ArrayLike, p: ArrayLike) -> CorpCurve:
    """The observed share for each probability, by isotonic regression (CORP); no bins to choose.

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
        raise MetricError("y must hold at least one sample for a reliability diagram; received none.")
    values, group, counts = np.unique(samples.score, return_inverse=True, return_counts=True)
    shares = np.bincount(group, weights=samples.positive) / counts
    return CorpCurve(values, np.asarray(optimize.isotonic_regression(shares, weights=counts).x))


def roc_curve_points(y: ArrayLike, score: ArrayLike) -> RocPoints:
    """The corners of the ROC curve.

    Args:
        y: (n,) of 0 and 1, both classes.
        score: float64 or integer (n,), finite.

    Raises:
        MetricError: The input cannot be scored, or one class is missing.
    """
    samples = scored(y, score)
    if not samples.n_pos or not samples.n_neg:
        raise MetricError(f"a ROC curve needs both classes; received n_pos={samples.n_pos}, n_neg={samples.n_neg}.")
    order = np.argsort(-samples.score)
    ordered, positive = samples.score[order], samples.positive[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), ordered.size - 1)
    hits = np.concatenate(([0], np.cumsum(positive)[last]))
    alarms = np.concatenate(([0], np.cumsum(~positive)[last]))
    # A point is a corner where the direction changes: the cross product of the steps before and after is not 0.
    steps = np.diff(hits), np.diff(alarms)
    corner = np.concatenate(([True], steps[0][:-1] * steps[1][1:] != steps[0][1:] * steps[1][:-1], [True]))
    threshold = np.concatenate(([np.inf], ordered[last]))
    return RocPoints(alarms[corner] / samples.n_neg, hits[corner] / samples.n_pos, threshold[corner])


def reliability_bins(
    y: ArrayLike,
    p: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "mass",
    patients: Patients = None,
    level: float = 0.95,
) -> ReliabilityBins:
    """Observed share against mean probability, with Wilson bands.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1].
        bins: How many bins at most; bins without samples are left out.
        binning: Bins of equal ``mass``, or of equal ``width``.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level of the bands.

    Raises:
        MetricError: The input cannot be scored.
    """
    samples = predicted(y, p, patients)
    if not samples.positive.size:
        raise MetricError("y must hold at least one sample for a reliability diagram; received none.")
    index = bin_index(samples.score, bins, binning)
    size = np.bincount(index)
    limits, observed = [], []
    for number in range(size.size):
        rows = index == number
        found = proportion(samples.positive[rows], None if samples.patients is None else samples.patients[rows], level)
        observed.append(found.share)
        limits.append(wilson(found.share, found.effective_n, normal_quantile(level)))
    low, high = np.array(limits).T
    return ReliabilityBins(np.bincount(index, weights=samples.score) / size, np.array(observed), low, high, size)
