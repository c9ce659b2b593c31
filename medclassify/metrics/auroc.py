"""The area under the ROC curve, with an interval that holds near 1 and when patients repeat."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from medclassify.errors import MetricError
from medclassify.metrics.cells import cell_status, join_notes, not_estimable
from medclassify.metrics.checks import Patients, ScoredSamples, check_level, distinct, scored
from medclassify.metrics.clustered import disjoint_pairs, obuchowski_covariance
from medclassify.metrics.proportions import clopper_pearson, normal_quantile
from medclassify.metrics.ranks import Placements, placements
from medclassify.records import Estimate, Status

PSEUDO = 5.0
"""As how many samples of the scarcer class the model counts in ``shrunk_variance``."""
EXACT_PAIRS = "exact-pairs"
"""``ci_method`` where the curve has no variance: positives and negatives fully separated, or every score the same."""


def auroc(
    y: ArrayLike,
    score: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
    interval: Literal["shrunk", "logit", "wald"] = "shrunk",
) -> Estimate:
    """The probability that a positive is scored above a negative (ties count one half).

    The variance is DeLong's, or Obuchowski's where a patient has more than one image (``ci_method`` says which). The
    interval is made on the logit scale: it stays inside (0, 1) and covers better than Wald's near 1. From few positives
    that rank nearly without fault the variance is learnt badly, and mostly too small; it is therefore shrunk towards the one
    that Hanley & McNeil's model gives for this AUROC, which counts as much as five samples of the scarcer class
    (``shrunk_variance``). From 100 on that changes nothing that could be read. Nearer to 1 than that model was made for, the
    logit scale stretches the lower limit towards 0: it is never below the one that follows for full separation.

    Where the variance is 0 (all positives above all negatives, or one score for all) neither works. Full separation
    means that min(n₊, n₋) disjoint pairs, independent of each other, all came out in order, so P(separation) ≤
    A^min(n₊, n₋): the interval is then Clopper–Pearson's over that many pairs, whatever the distribution of scores
    (``ci_method`` ``exact-pairs``).

    Args:
        y: (n,) of 0 and 1.
        score: float64 or integer (n,), finite; higher speaks for the finding.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.
        interval: ``shrunk``; ``logit`` with the variance as it is; or ``wald`` (what pROC prints; a limit outside [0, 1] is
            left there and said in the note).

    Returns:
        ``not_estimable`` below 5 positives or negatives, ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.

    Example:
        >>> found = auroc([0] * 30 + [1] * 30, [*range(0, 30), *range(10, 40)])
        >>> f"{found.value:.3f} ({found.ci_low:.3f} to {found.ci_high:.3f}), {found.ci_method}"
        '0.778 (0.643 to 0.872), logit-DeLong shrunk'
    """
    if interval not in ("shrunk", "logit", "wald"):
        raise MetricError(f"interval must be 'shrunk', 'logit' or 'wald'; received {interval!r}.")
    samples = scored(y, score, patients)
    check_level(level)
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    curve = placements(samples.positive, samples.score)
    variance = float(covariance_of([curve], samples)[0, 0])
    return _with_interval(curve.auroc, variance, samples, level, interval, status, note)


def auroc_covariance(
    y: ArrayLike, scores: ArrayLike, *, patients: Patients = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROCs of several scores on the same samples, and the covariance of their estimates.

    Args:
        y: (n,) of 0 and 1, at least two of each.
        scores: float64 or integer (k, n).
        patients: (n,) ids, or None where no patient repeats.

    Returns:
        float64 (k,) and float64 (k, k).

    Raises:
        MetricError: The input cannot be scored, or a class has fewer than two independent members.
    """
    checked = [scored(y, score, patients) for score in np.asarray(scores)]
    curves = [placements(samples.positive, samples.score) for samples in _both_classes(checked)]
    return np.array([curve.auroc for curve in curves]), covariance_of(curves, checked[0])


def covariance_of(curves: list[Placements], samples: ScoredSamples) -> NDArray[np.float64]:
    """DeLong's covariance, or Obuchowski's where patients repeat: float64 (k, k)."""
    if samples.patients is not None:
        return obuchowski_covariance(curves, samples.positive, samples.patients, samples.n_patients)
    of_positives = np.cov(np.stack([curve.positive for curve in curves]))
    of_negatives = np.cov(np.stack([curve.negative for curve in curves]))
    return np.atleast_2d(of_positives / samples.n_pos + of_negatives / samples.n_neg)


def exact_pairs(area: float, samples: ScoredSamples, level: float) -> tuple[float, float]:
    """Clopper–Pearson's interval over disjoint pairs, as if ``area`` of them were in order; see ``auroc``."""
    pairs = disjoint_pairs(samples.positive, samples.patients)
    return clopper_pearson(area * pairs, pairs, level)


def logit_interval(area: float, variance: float, level: float) -> tuple[float, float]:
    """The interval on the logit scale, by the delta method; ``area`` in (0, 1)."""
    half = normal_quantile(level) * variance**0.5 / (area * (1 - area))
    return float(special.expit(special.logit(area) - half)), float(special.expit(special.logit(area) + half))


def shrunk_variance(area: float, variance: float, n_pos: int, n_neg: int) -> float:
    """The variance of an AUROC, shrunk towards that of the exponential model.

    Weight of the model: k/(k + min(n₊, n₋)), k = 5. The model's variance is Hanley & McNeil's with (n₊ + n₋)/2 − 1 in the place
    of both n₊ − 1 and n₋ − 1, which takes neither class's scores for the more spread (Newcombe's method 4).

    Args:
        area: In (0, 1).
        variance: DeLong's or Obuchowski's.
        n_pos: Positives, patients where they repeat.
        n_neg: Negatives, likewise.

    Source:
        Hanley & McNeil, Radiology 143:29 (1982); Newcombe, Statistics in Medicine 25:559 (2006). k was chosen by simulation:
        docs/metrics.md.
    """
    pairs = (n_pos + n_neg) / 2 - 1
    odds = 1 + pairs * (1 - area) / (2 - area) + pairs * area / (1 + area)
    weight = PSEUDO / (PSEUDO + min(n_pos, n_neg))
    return (1 - weight) * variance + weight * area * (1 - area) * odds / (n_pos * n_neg)


def without_variance(area: float, variance: float) -> bool:
    """Whether the variance is nothing but rounding, or the logit is infinite."""
    return variance < 1e-20 or area in (0.0, 1.0)


def _with_interval(
    area: float, variance: float, samples: ScoredSamples, level: float, interval: str, status: Status, note: str
) -> Estimate:
    if without_variance(area, variance):
        low, high = exact_pairs(area, samples, level)
        why = "positives and negatives are fully separated" if area in (0.0, 1.0) else "the scores do not vary"
        return Estimate(area, low, high, EXACT_PAIRS, status, join_notes(note, why))
    method = "DeLong" if samples.patients is None else "Obuchowski"
    if interval == "logit":
        return Estimate(area, *logit_interval(area, variance, level), f"logit-{method}", status, note)
    if interval == "shrunk":
        units = (distinct(samples.codes[rows]) for rows in (samples.positive, ~samples.positive))
        low, high = logit_interval(area, shrunk_variance(area, variance, *units), level)
        low = max(low, exact_pairs(area, samples, level)[0])
        return Estimate(area, low, high, f"logit-{method} shrunk", status, note)
    half = normal_quantile(level) * variance**0.5
    low, high = area - half, area + half
    beyond = [f"Wald limit {limit:.3f} lies outside [0, 1]" for limit in (low, high) if not 0 <= limit <= 1]
    return Estimate(area, low, high, f"Wald-{method}", status, join_notes(note, *beyond))


def _both_classes(checked: list[ScoredSamples]) -> list[ScoredSamples]:
    if not checked:
        raise MetricError("scores must hold at least one row (k, n); received none.")
    first = checked[0]
    codes = first.codes
    for name, rows in (("positives", first.positive), ("negatives", ~first.positive)):
        units = distinct(codes[rows])
        if units < 2:
            raise MetricError(f"y must hold {name} of at least 2 patients for a variance; received {units}.")
    return checked
