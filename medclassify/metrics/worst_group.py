"""The spread between groups, and the spread that groups without any difference would show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError
from medclassify.metrics.cells import MIN_CELL
from medclassify.metrics.checks import Patients, check_count, check_level, scored
from medclassify.metrics.weighted import WeightedAuroc

_BLOCK = 1 << 21


@dataclass(frozen=True, slots=True)
class WorstGroup:
    """The largest difference of AUROC between groups.

    Attributes:
        gap: Highest minus lowest AUROC.
        null_mean: Its mean where groups do not differ.
        null_high: What it stays below in ``level`` of samples where groups do not differ.
        p: Share of such samples with as large a gap.
        left_out: Groups with fewer than 5 positives or negatives.
    """

    gap: float
    null_mean: float
    null_high: float
    p: float
    left_out: tuple[str, ...]


def worst_group_gap(
    y: ArrayLike,
    score: ArrayLike,
    group: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
    permutations: int = 1000,
    seed: int = 0,
) -> WorstGroup:
    """Compares the largest gap with that of groups of the same sizes that are drawn by lot from the same patients.

    The best and the worst of several groups differ by chance alone, and the more so the more groups there are.

    Args:
        y: (n,) of 0 and 1.
        score: float64 or integer (n,), finite.
        group: (n,), the subgroup of each sample.
        patients: (n,) ids, or None where no patient repeats. All samples of a patient are of one group.
        level: Of ``null_high``.
        permutations: How often groups are drawn, at least 100.
        seed: Seed of the draws.

    Raises:
        MetricError: The input cannot be scored, a patient is in two groups, or fewer than two groups can be compared.
    """
    samples = scored(y, score, patients)
    check_level(level)
    check_count(permutations, 100, "permutations")
    levels, member = np.unique(np.asarray(group), return_inverse=True)
    if member.size != samples.positive.size:
        raise MetricError(f"group must have one value a label: expected {samples.positive.size}, received {member.size}.")
    of_patient = np.empty(samples.n_patients, np.intp)
    of_patient[samples.codes] = member
    if (of_patient[samples.codes] != member).any():
        raise MetricError("group must be one a patient; a patient is in two. Compare such groups in pairs: auroc_gap.")
    classes = np.stack([np.bincount(member[rows], minlength=levels.size) for rows in (samples.positive, ~samples.positive)])
    small = classes.min(axis=0) < MIN_CELL
    large = int((~small).sum())
    if large < 2:
        raise MetricError(f"two groups need {MIN_CELL} positives and negatives each; received {large} of {levels.size} groups.")
    kept = ~small[member]
    codes = np.unique(samples.codes[kept], return_inverse=True)[1]
    statistic = WeightedAuroc(samples.positive[kept], samples.score[kept], codes)
    drawn = of_patient[np.unique(samples.codes[kept])][None, :]
    gap = float(_spread(statistic, drawn, np.flatnonzero(~small))[0])
    generator, null = np.random.default_rng(seed), []
    block = max(1, _BLOCK // drawn.size)
    for start in range(0, permutations, block):
        lots = generator.permuted(np.repeat(drawn, min(block, permutations - start), axis=0), axis=1)
        null.append(_spread(statistic, lots, np.flatnonzero(~small)))
    spread = np.concatenate(null)
    p = (np.count_nonzero(spread >= gap) + 1) / (permutations + 1)
    high = float(np.nanquantile(spread, level))
    return WorstGroup(gap, float(np.nanmean(spread)), high, p, tuple(str(each) for each in levels[small]))


def _spread(statistic: WeightedAuroc, member: NDArray[np.intp], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Highest minus lowest AUROC of each line of group numbers, (b, n_patients); a group is its patients weighted with 1."""
    areas = np.stack([statistic((member == number).astype(np.uint16)) for number in groups])
    return np.nanmax(areas, axis=0) - np.nanmin(areas, axis=0)
