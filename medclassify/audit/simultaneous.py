"""Intervals that hold together: every comparison of one metric with a reference, on the same resamples."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.gap_row import COMPLEMENT, GapRow
from medclassify.audit.replicates import Replicates
from medclassify.records import Status

_LEAST = 100


def with_simultaneous(rows: Sequence[GapRow], replicates: Replicates, suffix: str = "") -> list[GapRow]:
    """Adds max-T limits and family-wise p to the stable comparisons with a reference, one family a metric.

    Args:
        rows: All comparisons.
        replicates: Of the figures compared.
        suffix: What their names have besides the metric's.
    """
    done, families = list(rows), {}
    for place, row in enumerate(rows):
        drawn = None if row.gap is None or row.status is not Status.OK else gap_replicates(row, replicates, suffix)
        if drawn is not None and row.reference != COMPLEMENT and np.ptp(drawn[np.isfinite(drawn)]) > 0:
            families.setdefault(row.metric, []).append((place, drawn))
    for members in families.values():
        drawn = np.stack([each for _, each in members])
        if np.isfinite(drawn).all(axis=0).sum() < _LEAST:
            continue
        found = metrics.max_t([rows[place].gap for place, _ in members], drawn)
        for number, (place, _) in enumerate(members):
            limits = float(found.low[number]), float(found.high[number])
            done[place] = replace(rows[place], sim_low=limits[0], sim_high=limits[1], p_max_t=float(found.p[number]))
    return done


def gap_replicates(row: GapRow, replicates: Replicates, suffix: str = "") -> NDArray[np.float64] | None:
    """Subgroup minus reference on every resample, or None where one of them has no replicates."""
    of, levels, metric = (row.finding, row.attribute), (row.subgroup, row.reference), row.metric + suffix
    first, second = (replicates.figures.get((*of, level, metric)) for level in levels)
    return None if first is None or second is None else first - second
