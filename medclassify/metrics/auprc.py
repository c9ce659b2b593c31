"""Average precision, the area under the precision–recall curve. Print the prevalence beside it: that is its floor."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.metrics.bootstrap import RESAMPLES, Percentiles, percentiles, replicate
from medclassify.metrics.cells import cell_status, join_notes, not_estimable
from medclassify.metrics.checks import Patients, ScoredSamples, check_count, check_level, distinct, patient_codes, scored
from medclassify.metrics.weighted import WeightedAveragePrecision
from medclassify.records import Estimate, Status


def auprc(
    y: ArrayLike,
    score: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Average precision: precision at each positive's threshold, averaged over positives (no interpolation).

    The interval is the percentile bootstrap over patients. Where every positive stands above every negative, all
    resamples give 1; the lower limit is then the average precision of the worse of two faults that the sample would
    have missed with probability (1 − level)/2: some positives ranked last, or some negatives ranked first
    (``ci_method`` ``exact-unseen-faults``).

    Args:
        y: (n,) of 0 and 1.
        score: float64 or integer (n,), finite; higher speaks for the finding.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.
        resamples: How many resamples, at least 100.
        seed: Seed of the resampling.

    Returns:
        ``not_estimable`` below 5 positives or negatives, ``unstable`` below 20. Resamples without a positive are counted
        in the note; with 20 patients of each class they do not happen.

    Raises:
        MetricError: The input cannot be scored.
    """
    ids = np.arange(np.size(y)) if patients is None else patients
    return auprc_cells([(y, score, ids)], level=level, resamples=resamples, seed=seed)[0]


def auprc_cells(
    cells: Sequence[tuple[ArrayLike, ArrayLike, Collection[Any]]],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """``auprc`` of many cells (findings, subgroups) on the same resamples of patients, which are drawn only once.

    Args:
        cells: For each cell labels (n,), scores (n,) and patient ids (n,); an id is the same person in every cell.
        level: Confidence level.
        resamples: How many resamples, at least 100.
        seed: Seed of the resampling.

    Returns:
        An estimate for each cell.

    Raises:
        MetricError: The input cannot be scored.
    """
    check_level(level)
    check_count(resamples, 100, "resamples")
    checked = [scored(*cell) for cell in cells]
    codes, n_patients = patient_codes(_joined([ids for _, _, ids in cells]))
    ends = np.cumsum([samples.positive.size for samples in checked], dtype=np.intp)
    parts = [codes[end - samples.positive.size : end] for end, samples in zip(ends, checked, strict=True)]
    points = [_point(samples, part, n_patients, level) for samples, part in zip(checked, parts, strict=True)]
    statistics = [statistic for _, statistic in points if statistic]
    drawn = iter(replicate(statistics, n_patients, resamples=resamples, seed=seed))
    return [_interval(found, percentiles(next(drawn), level)) if statistic else found for found, statistic in points]


def auprc_from(
    y: ArrayLike, score: ArrayLike, replicates: NDArray[np.float64], *, patients: Patients = None, level: float = 0.95
) -> Estimate:
    """``auprc`` where its replicates on resamples of patients are at hand, float64 (B,).

    Raises:
        MetricError: The input cannot be scored.
    """
    samples = scored(y, score, patients)
    found, statistic = _point(samples, samples.codes, samples.n_patients, check_level(level))
    return _interval(found, percentiles(replicates, level)) if statistic else found


def _point(
    samples: ScoredSamples, codes: NDArray[np.intp], n_patients: int, level: float
) -> tuple[Estimate, WeightedAveragePrecision | None]:
    """An estimate, and what to resample for its interval; None where that is not needed."""
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note), None
    statistic = WeightedAveragePrecision(samples.positive, samples.score, codes)
    value = float(statistic(np.ones((1, n_patients), np.uint16))[0])
    if samples.score[samples.positive].min() > samples.score[~samples.positive].max():
        note = join_notes(note, "positives and negatives are fully separated")
        return Estimate(value, _unseen_faults(samples, level), 1.0, "exact-unseen-faults", status, note), None
    return Estimate(value, None, None, "", status, note), statistic


def _interval(one: Estimate, found: Percentiles) -> Estimate:
    return Estimate(one.value, found.low, found.high, found.method, one.status, join_notes(one.note, found.note))


def _joined(ids: list[Collection[Any]]) -> Collection[Any]:
    """One list of ids; integers stay an array, which is a hundred times faster to number."""
    if ids and all(isinstance(each, np.ndarray) and each.dtype.kind in "iu" for each in ids):
        return np.concatenate([np.asarray(each) for each in ids])
    return [one for each in ids for one in each]


def _unseen_faults(samples: ScoredSamples, level: float) -> float:
    """Average precision under the largest fault that stays unseen with probability (1 − level)/2."""
    tail, codes = (1 - level) / 2, samples.codes
    with_positive, with_negative = distinct(codes[samples.positive]), distinct(codes[~samples.positive])
    positives_last, negatives_first = 1 - tail ** (1 / with_positive), 1 - tail ** (1 / with_negative)
    prevalence = samples.n_pos / samples.positive.size
    odds = negatives_first * (1 - prevalence) / prevalence
    # Mean of u / (u + odds) over recall u in (0, 1), and the last positives found at no more than the prevalence.
    return float(min(1 - positives_last * (1 - prevalence), 1 - odds * np.log1p(1 / odds)))
