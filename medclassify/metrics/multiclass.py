"""One AUROC for several classes."""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from medclassify.errors import MetricError
from medclassify.metrics.bootstrap import RESAMPLES, percentiles, replicate
from medclassify.metrics.cells import join_notes, not_estimable, status_of
from medclassify.metrics.checks import Patients, check_level, distinct, scored
from medclassify.metrics.ranks import placements
from medclassify.metrics.weighted import WeightedAuroc
from medclassify.records import Estimate, Status


def hand_till(
    y: ArrayLike,
    p: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Hand and Till's M: the mean over pairs of classes (i, j) of the AUROC of i against j, each by its own probability.

    It does not depend on how frequent the classes are. The interval is the percentile bootstrap over patients.

    Args:
        y: int (n,), the class of each sample, 0 … k − 1.
        p: float64 (n, k), k ≥ 2, finite; a column a class.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.
        resamples: How many resamples, at least 100.
        seed: Seed of the resampling.

    Returns:
        ``not_estimable`` where a class has fewer than 5 members (patients, where they repeat), ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Hand & Till, Machine Learning 45:171 (2001).
    """
    check_level(level)
    scores, classes = np.asarray(p), np.asarray(y)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise MetricError(f"p must have a column a class (n, k), k of 2 or more; received shape {scores.shape}.")
    if classes.dtype.kind not in "iu" or (classes.size and not 0 <= classes.min() <= classes.max() < scores.shape[1]):
        raise MetricError(f"y must hold classes 0 to {scores.shape[1] - 1} as integers; received {classes.dtype}.")
    columns = [scored(classes == k, scores[:, k], patients) for k in range(scores.shape[1])]
    codes = columns[0].codes
    units = [distinct(codes[column.positive]) for column in columns]
    status = status_of(min(units))
    note = "" if status is Status.OK else f"class {int(np.argmin(units))}: n={min(units)}"
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    statistics, values = [], []
    for i, j in combinations(range(len(columns)), 2):
        rows = columns[i].positive | columns[j].positive
        for column in (columns[i], columns[j]):
            values.append(placements(column.positive[rows], column.score[rows]).auroc)
            statistics.append(WeightedAuroc(column.positive[rows], column.score[rows], codes[rows]))
    drawn = replicate(statistics, columns[0].n_patients, resamples=resamples, seed=seed).mean(axis=0)
    found = percentiles(drawn, level)
    return Estimate(float(np.mean(values)), found.low, found.high, found.method, status, join_notes(note, found.note))
