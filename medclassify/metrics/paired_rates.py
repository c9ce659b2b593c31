"""The difference of the rates of two decisions on the same samples."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from medclassify.errors import MetricError
from medclassify.metrics.bootstrap import RESAMPLES, replicate_ratios
from medclassify.metrics.cells import MIN_DENOMINATOR, not_estimable, status_of
from medclassify.metrics.checks import Patients, check_binary, check_level, check_patients, distinct
from medclassify.metrics.gap import Gap, bootstrap_gap
from medclassify.metrics.proportions import normal_quantile, wilson
from medclassify.records import Estimate, Status

_Table = tuple[float, float, float, float]
_FURTHEST_Z = 38.0  # beyond it the normal tail is 0 in float64


def paired_rate_gap(
    success1: ArrayLike,
    success2: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    name: str = "n",
) -> Gap:
    """Compares two rates of the same samples, first minus second.

    For a sensitivity give the samples with the finding and whether each decision called them; for a specificity those
    without it and whether each decision left them. Newcombe's interval for paired data, and the p at which it touches 0;
    where a patient has more than one sample, patients are resampled.

    Args:
        success1: (n,) of 0 and 1, first decision.
        success2: (n,) of 0 and 1, second decision, in the same order.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.
        resamples: Resamples, where patients repeat.
        seed: Their seed.
        name: What the note calls the denominator, e.g. ``n_pos``.

    Returns:
        ``not_estimable`` below 10 samples (patients are counted where they repeat), ``unstable`` below 20.

    Raises:
        MetricError: The input is not of 0 and 1, or of two lengths.

    Source:
        Newcombe, Statistics in Medicine 17:2635 (1998), method 10.

    Example:
        >>> gap = paired_rate_gap([1] * 48 + [0] * 2, [1] * 36 + [0] * 12 + [1] * 2)
        >>> f"{gap.estimate.value:.2f} ({gap.estimate.ci_low:.4f} to {gap.estimate.ci_high:.4f})"
        '0.20 (0.0569 to 0.3404)'
    """
    first, second = check_binary(success1, "success1"), check_binary(success2, "success2")
    if first.size != second.size:
        raise MetricError(f"success2 must have one value a sample: expected {first.size}, received {second.size}.")
    codes, n_patients = check_patients(patients, first.size)
    check_level(level)
    units = first.size if codes is None else distinct(codes)
    status, note = status_of(units, MIN_DENOMINATOR), ""
    if status is not Status.OK:
        note = f"{name}={first.size}" if units == first.size else f"{name}={first.size} of {units} patients"
    if status is Status.NOT_ESTIMABLE:
        return Gap(not_estimable(note), None)
    if codes is not None and units < first.size:
        drawn = _replicates(first, second, codes, n_patients, resamples, seed)
        found = bootstrap_gap(float(first.mean() - second.mean()), drawn, level, status, note)
        if found is not None:
            return found
    return _newcombe(first, second, units, level, status, note)


def newcombe_paired_interval(table: tuple[float, float, float, float], level: float = 0.95) -> tuple[float, float]:
    """The interval of the difference of two paired shares.

    Args:
        table: Counts of both, only the first, only the second, neither.
        level: Confidence level.

    Source:
        Newcombe, Statistics in Medicine 17:2635 (1998), method 10: Wilson limits, joined with the correlation φ, whose
        numerator is corrected for continuity.
    """
    return _interval(table, normal_quantile(level))


def _newcombe(first: NDArray[np.bool_], second: NDArray[np.bool_], units: int, level: float, status: Status, note: str) -> Gap:
    """By samples; where patients repeat and nothing varies between them, each patient counts once."""
    counts = (first & second, first & ~second, ~first & second, ~first & ~second)
    both, only_first, only_second, neither = (float(np.count_nonzero(each)) * units / first.size for each in counts)
    table = both, only_first, only_second, neither
    gap = (only_first - only_second) / units
    low, high = _interval(table, normal_quantile(level))
    method = "Newcombe paired" if units == first.size else "Newcombe paired, patients counted once"
    return Gap(Estimate(gap, low, high, method, status, note), _p(gap, table))


def _interval(table: _Table, z: float) -> tuple[float, float]:
    both, only_first, only_second, _ = table
    n = sum(table)
    share1, share2 = (both + only_first) / n, (both + only_second) / n
    (low1, high1), (low2, high2) = wilson(share1, n, z), wilson(share2, n, z)
    phi = _correlation(table)

    def joined(a: float, b: float) -> float:
        return float(np.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b)))

    gap = (only_first - only_second) / n
    return gap - joined(share1 - low1, high2 - share2), gap + joined(high1 - share1, share2 - low2)


def _correlation(table: _Table) -> float:
    both, only_first, only_second, neither = table
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_first * only_second
    return float((max(product - sum(table) / 2, 0.0) if product > 0 else product) / np.sqrt(margins))


def _p(gap: float, table: _Table) -> float:
    """The two-sided p whose interval just touches 0, so that test and interval never disagree."""
    if gap == 0:
        return 1.0
    side = 0 if gap > 0 else 1
    if _interval(table, _FURTHEST_Z)[side] * np.sign(gap) > 0:
        return 0.0
    touching = optimize.root_scalar(lambda z: _interval(table, z)[side], bracket=(1e-9, _FURTHEST_Z)).root
    return float(2 * special.ndtr(-touching))


def _replicates(
    first: NDArray[np.bool_], second: NDArray[np.bool_], codes: NDArray[np.intp], n_patients: int, resamples: int, seed: int
) -> NDArray[np.float64]:
    change = np.bincount(codes, weights=first.astype(np.float64) - second, minlength=n_patients).astype(np.float64)
    samples = np.bincount(codes, minlength=n_patients).astype(np.float64)
    return replicate_ratios(change[:, None], samples[:, None], resamples=resamples, seed=seed)[0]
