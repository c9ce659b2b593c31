"""Average precision, the area under the precision–recall curve. Print the prevalence beside it: that is its floor."""

import numpy as np
from numpy.typing import ArrayLike

from medclassify.metrics.bootstrap import RESAMPLES, Percentiles, WeightedAveragePrecision, percentiles, replicate
from medclassify.metrics.cells import cell_status, join_notes, not_estimable, worst
from medclassify.metrics.checks import Patients, ScoredSamples, check_level, distinct, scored
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
        ``not_estimable`` below 5 positives or negatives, ``unstable`` below 20. Undefined resamples are counted in the
        note; more than one in twenty of them makes the estimate ``unstable``.

    Raises:
        MetricError: The input cannot be scored.
    """
    samples = scored(y, score, patients)
    check_level(level)
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    codes = samples.codes
    statistic = WeightedAveragePrecision(samples.positive, samples.score, codes)
    value = float(statistic(np.ones((1, samples.n_patients), np.uint8))[0])
    if samples.score[samples.positive].min() > samples.score[~samples.positive].max():
        low = _unseen_faults(samples, level)
        return Estimate(
            value, low, 1.0, "exact-unseen-faults", status, join_notes(note, "positives and negatives are fully separated")
        )
    found = percentiles(replicate([statistic], samples.n_patients, resamples=resamples, seed=seed)[0], level)
    return Estimate(value, found.low, found.high, found.method, shaken(status, found), join_notes(note, found.note))


def shaken(status: Status, found: Percentiles) -> Status:
    """Lowers the status where more than one resample in twenty was undefined."""
    return worst(status, Status.UNSTABLE) if found.failed * 20 > found.resamples else status


def _unseen_faults(samples: ScoredSamples, level: float) -> float:
    """Average precision under the largest fault that stays unseen with probability (1 − level)/2."""
    tail, codes = (1 - level) / 2, samples.codes
    with_positive, with_negative = distinct(codes[samples.positive]), distinct(codes[~samples.positive])
    positives_last, negatives_first = 1 - tail ** (1 / with_positive), 1 - tail ** (1 / with_negative)
    prevalence = samples.n_pos / samples.positive.size
    odds = negatives_first * (1 - prevalence) / prevalence
    # Mean of u / (u + odds) over recall u in (0, 1), and the last positives found at no more than the prevalence.
    return float(min(1 - positives_last * (1 - prevalence), 1 - odds * np.log1p(1 / odds)))
