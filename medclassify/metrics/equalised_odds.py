"""How far apart the error rates of groups lie."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError
from medclassify.metrics.bootstrap import RESAMPLES, percentiles, replicate_ratios
from medclassify.metrics.cells import MIN_DENOMINATOR, join_notes, not_estimable, status_of, worst
from medclassify.metrics.checks import Patients, check_binary, check_level, check_patients, distinct
from medclassify.records import Estimate, Status


def equalised_odds_difference(
    y: ArrayLike,
    decision: ArrayLike,
    group: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """The larger of two spreads between groups: of sensitivity, and of the false-positive rate.

    It is the worst of many differences and above 0 by chance alone; the percentile bootstrap over patients shows how
    sure it is, and not whether it is 0.

    Args:
        y: (n,) of 0 and 1.
        decision: (n,) of 0 and 1, at a frozen threshold.
        group: (n,), the subgroup of each sample.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.
        resamples: How many resamples, at least 100.
        seed: Seed of the resampling.

    Returns:
        In [0, 1]. Groups with fewer than 10 positives or negatives are left out and named in the note; ``not_estimable``
        where fewer than two are left, ``unstable`` where one of them has fewer than 20.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Hardt, Price & Srebro, NeurIPS (2016).
    """
    positive, called, names = check_binary(y, "y"), check_binary(decision, "decision"), np.asarray(group)
    if not positive.size == called.size == names.size:
        raise MetricError(f"y, decision and group must be as long; received {positive.size}, {called.size}, {names.size}.")
    check_level(level)
    found, n_patients = check_patients(patients, positive.size)
    codes = np.arange(positive.size) if found is None else found
    statuses, left_out, over, under = [], [], [], []
    for name in np.unique(names):
        classes = [(names == name) & positive, (names == name) & ~positive]
        status = worst(*(status_of(distinct(codes[rows]), MIN_DENOMINATOR) for rows in classes))
        if status is Status.NOT_ESTIMABLE:
            left_out.append(str(name))
            continue
        statuses.append(status)
        over += [np.bincount(codes[rows & called], minlength=n_patients) for rows in classes]
        under += [np.bincount(codes[rows], minlength=n_patients) for rows in classes]
    note = f"left out, too small: {', '.join(left_out)}" if left_out else ""
    if len(statuses) < 2:
        return not_estimable(join_notes("fewer than two groups are large enough", note))
    sums = np.stack(over, axis=1).astype(np.float64), np.stack(under, axis=1).astype(np.float64)
    drawn = percentiles(larger_spread(replicate_ratios(*sums, resamples=resamples, seed=seed)), level)
    value = float(larger_spread((sums[0].sum(axis=0) / sums[1].sum(axis=0))[:, None])[0])
    return Estimate(value, drawn.low, drawn.high, drawn.method, worst(*statuses), join_notes(note, drawn.note))


def larger_spread(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The larger spread, (b,), of rates (2 · groups, b) in which sensitivity and false-positive rate alternate."""
    return np.maximum(np.ptp(rates[::2], axis=0), np.ptp(rates[1::2], axis=0))
