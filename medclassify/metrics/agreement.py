"""Agreement of readers beyond chance, with intervals that hold where a patient has several images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError
from medclassify.metrics.cells import MIN_DENOMINATOR, join_notes, not_estimable, status_of
from medclassify.metrics.checks import Patients, check_level, check_patients
from medclassify.metrics.clustered import variance_of_total
from medclassify.metrics.proportions import t_quantile
from medclassify.records import Estimate, Status


def cohen_kappa(first: ArrayLike, second: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Estimate:
    """Cohen's kappa: agreement of two readers, beyond what their own frequencies would give by chance.

    The variance is that of the delta method, which is Fleiss, Cohen and Everitt's times n/(n − 1); patients with several
    images count as clusters. Where one answer is rare, kappa is small although readers agree: look at `gwet_ac1` too.

    Args:
        first: (n,) category codes of one reader, integers from 0.
        second: (n,) of the other.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        ``not_estimable`` below 10 samples (patients are counted where they repeat), or where both only ever gave one answer.

    Raises:
        MetricError: The input is not two lists of codes of one length.

    Source:
        Cohen, Educ Psychol Meas 20:37 (1960); Fleiss, Cohen & Everitt, Psychol Bull 72:323 (1969).

    Example:
        >>> found = cohen_kappa([0, 0, 1, 1] * 10, [0, 0, 1, 0] * 10)
        >>> f"{found.value:.2f} ({found.ci_low:.2f} to {found.ci_high:.2f})"
        '0.50 (0.26 to 0.74)'
    """
    ratings = _ratings([np.asarray(first), np.asarray(second)])
    if (ratings < 0).any():
        raise MetricError("kappa needs an answer of both readers for each sample. Leave out samples that one has not read.")
    counts = _counts(ratings)
    a, b = ratings
    n = a.size
    if n == 0:
        return not_estimable("n=0")
    of_first, of_second = (np.bincount(each, minlength=counts.shape[1]) / n for each in (a, b))
    agreed, chance = (a == b).astype(np.float64), float(of_first @ of_second)
    if chance == 1:
        return not_estimable("both gave one and the same answer throughout")
    value = (float(agreed.mean()) - chance) / (1 - chance)
    pull = (agreed - agreed.mean()) / (1 - chance)
    pull -= (1 - agreed.mean()) * (of_second[a] + of_first[b] - 2 * chance) / (1 - chance) ** 2
    return _estimate(value, pull, patients, level)


def fleiss_kappa(ratings: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Estimate:
    """Fleiss' kappa of any number of readers, not all of whom need to have read all samples.

    Args:
        ratings: (readers, n) category codes, integers from 0; -1 where a reader has not read a sample.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        As `cohen_kappa`; with two readers it is Scott's pi. The variance is Gwet's, which does not suppose that readers are
        independent.

    Raises:
        MetricError: The input is not a table of codes.

    Source:
        Fleiss, Psychol Bull 76:378 (1971); variance: Gwet, Br J Math Stat Psychol 61:29 (2008).
    """
    table = _read_twice(ratings)
    shares = table.shares.mean(axis=0)
    return _beyond_chance(table, float(shares @ shares), table.shares @ shares, patients, level)


def gwet_ac1(ratings: ArrayLike, *, categories: int | None = None, patients: Patients = None, level: float = 0.95) -> Estimate:
    """Gwet's AC1: agreement beyond chance that stays meaningful where one answer is rare.

    Args:
        ratings: As of `fleiss_kappa`.
        categories: How many answers there are to choose from; those that were given when left out.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        As `fleiss_kappa`.

    Raises:
        MetricError: The input is not a table of codes, or holds more answers than ``categories``.

    Source:
        Gwet, Br J Math Stat Psychol 61:29 (2008).
    """
    table = _read_twice(ratings)
    number = table.shares.shape[1] if categories is None else categories
    if table.shares[:, number:].any():
        raise MetricError(f"ratings hold codes up to {table.shares.shape[1] - 1}, and categories is {categories}.")
    if number < 2:
        return not_estimable("one answer throughout")
    shares = table.shares.mean(axis=0)
    chance = float(shares @ (1 - shares)) / (number - 1)
    return _beyond_chance(table, chance, table.shares @ (1 - shares) / (number - 1), patients, level)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Of each sample that somebody read: how its pairs of readers agree, and the shares of its answers; and which these are."""

    agreed: NDArray[np.float64]
    twice: NDArray[np.bool_]
    shares: NDArray[np.float64]
    rows: NDArray[np.bool_]


def _read_twice(ratings: ArrayLike) -> _Table:
    counts = _counts(_ratings(ratings))
    rows = counts.sum(axis=1) > 0
    counts = counts[rows].astype(np.float64)
    readers = counts.sum(axis=1)
    twice = readers >= 2
    pairs = np.where(twice, readers * (readers - 1), 1)
    agreed = (counts * (counts - 1)).sum(axis=1) / pairs
    return _Table(agreed, twice, counts / readers[:, None], rows)


def _beyond_chance(table: _Table, chance: float, chance_of: NDArray[np.float64], patients: Patients, level: float) -> Estimate:
    n, pairs = table.twice.size, int(table.twice.sum())
    if pairs == 0:
        return not_estimable("no sample was read twice")
    if chance >= 1:
        return not_estimable("one answer throughout")
    value = (float(table.agreed[table.twice].mean()) - chance) / (1 - chance)
    own = n / pairs * np.where(table.twice, table.agreed - chance, 0) / (1 - chance)
    pull = own - 2 * (1 - value) * (chance_of - chance) / (1 - chance) - value
    ids = None if patients is None else [each for each, kept in zip(patients, table.rows, strict=True) if kept]
    return _estimate(value, pull, ids, level)


def _estimate(value: float, pull: NDArray[np.float64], patients: Patients, level: float) -> Estimate:
    """The interval from each sample's pull on the estimate: their sum's variance, by Student's t over units."""
    check_level(level)
    codes, _ = check_patients(patients, pull.size)
    variance, units = variance_of_total(pull - pull.mean(), codes)
    status = status_of(units, MIN_DENOMINATOR)
    counted = "" if status is Status.OK else f"n={pull.size}" + ("" if codes is None else f" of {units} patients")
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(counted)
    half = t_quantile(level, units - 1) * float(variance) ** 0.5 / pull.size
    low, high = value - half, value + half
    beyond = [f"limit {limit:.3f} lies outside [-1, 1]" for limit in (low, high) if not -1 <= limit <= 1]
    return Estimate(value, low, high, "delta, patients" if codes is not None else "delta", status, join_notes(counted, *beyond))


def _ratings(ratings: ArrayLike | list[NDArray[np.int64]]) -> NDArray[np.int64]:
    table = np.asarray(ratings)
    if table.ndim != 2 or table.dtype.kind not in "biu":
        raise MetricError(
            f"ratings must be whole numbers (readers, n); received {table.dtype} of shape {table.shape}. "
            "Give -1 where a reader has not read a sample."
        )
    if table.size and table.min() < -1:
        raise MetricError(f"ratings are codes from 0, or -1 for not read; received {table.min()}.")
    return table.astype(np.int64)


def _counts(ratings: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many readers gave each answer: (n, categories)."""
    categories = int(ratings.max()) + 1 if ratings.size else 0
    return (ratings[:, :, None] == np.arange(max(categories, 1))).sum(axis=0)
