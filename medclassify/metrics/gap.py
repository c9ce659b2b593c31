"""A difference between two groups or two scores, and what to do where no variance can be had."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.metrics.auroc import exact_pairs, logit_interval, without_variance
from medclassify.metrics.bootstrap import percentiles
from medclassify.metrics.cells import join_notes, worst
from medclassify.metrics.checks import ScoredSamples
from medclassify.records import Estimate, Status


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference, first minus second.

    Attributes:
        estimate: The difference with its interval; ``ci_method`` names the test.
        p: Two-sided p of no difference, or None where there is none. A large p is not evidence of equality.
        statistic: The test's z or t, or None.
        df: Degrees of freedom of t, or None.
    """

    estimate: Estimate
    p: float | None
    statistic: float | None = None
    df: float | None = None


def bootstrap_gap(value: float, replicates: NDArray[np.float64], level: float, status: Status, note: str) -> Gap | None:
    """A gap from its replicates, float64 (B,); None where they do not vary."""
    found = percentiles(replicates, level)
    defined = replicates[~np.isnan(replicates)]
    if not defined.size or np.ptp(defined) == 0:
        return None
    one_side = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    p = min(1.0, float(2 * (one_side + 1) / (defined.size + 1)))
    return Gap(Estimate(value, found.low, found.high, found.method, status, join_notes(note, found.note)), p)


def mover(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """The interval of a difference of two independent estimates from their own intervals, each (value, low, high).

    Source:
        Zou & Donner, Statistics in Medicine 27:1693 (2008); with Wilson limits it is Newcombe's method 10 (1998).
    """
    gap = first[0] - second[0]
    down = np.hypot(first[0] - first[1], second[2] - second[0])
    up = np.hypot(first[2] - first[0], second[0] - second[1])
    return float(gap - down), float(gap + up)


def gap_without_variance(
    areas: tuple[float, ...],
    groups: tuple[ScoredSamples, ScoredSamples],
    level: float,
    status: Status,
    note: str,
    variances: Sequence[float] = (0.0, 0.0),
) -> Gap:
    """Where a curve is fully separated: its exact limits, joined by MOVER; no p but for a gap of 0."""
    sides = []
    for area, variance, group in zip(areas, variances, groups, strict=True):
        exact = without_variance(area, variance)
        sides.append((area, *(exact_pairs(area, group, level) if exact else logit_interval(area, variance, level))))
    gap = areas[0] - areas[1]
    low, high = mover(sides[0], sides[1])
    note = join_notes(note, "a curve has no variance: exact limits, no test")
    return Gap(Estimate(gap, low, high, "MOVER exact-pairs", status, note), 1.0 if gap == 0 else None)


def joint_status(first: tuple[Status, str], second: tuple[Status, str]) -> tuple[Status, str]:
    """The status of a difference from those of its two groups, with a note that says which group is small."""
    named = (f"first group: {first[1]}" if first[1] else "", f"second group: {second[1]}" if second[1] else "")
    return worst(first[0], second[0]), join_notes(*named)
