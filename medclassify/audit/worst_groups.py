"""The largest difference between subgroups, beside the one that subgroups of these sizes show when they do not differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medclassify.audit.cells import Cell, FindingCells
from medclassify.audit.replicates import Replicates
from medclassify.records import EstimateRow, Status


@dataclass(frozen=True, slots=True)
class WorstGroups:
    """The spread of one metric over the subgroups of one attribute.

    Attributes:
        finding: The finding.
        attribute: The attribute.
        metric: ``auroc``, ``sensitivity`` or ``specificity``.
        worst: The subgroup with the lowest figure, or None where fewer than two can be compared.
        best: The one with the highest.
        gap: Highest minus lowest.
        null_mean: Its mean where subgroups do not differ.
        null_high: What it stays below in 95 of 100 samples where subgroups do not differ.
        p: Share of such samples with as large a gap.
        left_out: Subgroups with too few samples to be called worst or best.
        note: Why there is no gap, or "".
    """

    finding: str
    attribute: str
    metric: str
    worst: str | None
    best: str | None
    gap: float | None
    null_mean: float | None
    null_high: float | None
    p: float | None
    left_out: tuple[str, ...]
    note: str = ""


def worst_group_rows(
    cells: Sequence[FindingCells], estimates: Mapping[tuple[str, str, str, str], EstimateRow], replicates: Replicates
) -> list[WorstGroups]:
    """One row a finding, attribute and metric, over subgroups whose figure is stable.

    The null comes from the replicates: each subgroup's, moved so that all subgroups have the same figure, and the largest
    difference taken again in every resample (the recentred bootstrap; Westfall & Young 1993). It needs no subgroup to be made
    of whole patients, and keeps each subgroup's own size and spread.

    Args:
        cells: The cells of the table.
        estimates: (finding, attribute, subgroup, metric) → its estimate.
        replicates: Of the same figures.
    """
    rows = []
    for each in cells:
        for attribute, groups in each.groups.items():
            for metric in ("auroc", "sensitivity", "specificity"):
                found = {level: estimates.get((each.whole.finding, attribute, level, metric)) for level in groups}
                if any(row is not None for row in found.values()):
                    rows.append(_row(each.whole.finding, attribute, metric, groups, found, replicates))
    return rows


def _row(
    finding: str,
    attribute: str,
    metric: str,
    groups: Mapping[str, Cell],
    found: Mapping[str, EstimateRow | None],
    replicates: Replicates,
) -> WorstGroups:
    values, drawn, left_out = {}, [], []
    for level, cell in groups.items():
        row, figures = found[level], replicates.of(cell, metric)
        if row is None or row.estimate.value is None or row.estimate.status is not Status.OK or figures is None:
            left_out.append(level)
            continue
        values[level] = row.estimate.value
        drawn.append(figures - row.estimate.value)
    if len(values) < 2:
        note = "fewer than two subgroups are large enough"
        return WorstGroups(finding, attribute, metric, None, None, None, None, None, None, tuple(left_out), note)
    null = np.ptp(np.stack(drawn), axis=0)
    null = null[~np.isnan(null)]
    worst, best = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    gap = values[best] - values[worst]
    p = (np.count_nonzero(null >= gap) + 1) / (null.size + 1)
    high = float(np.quantile(null, 0.95))
    return WorstGroups(finding, attribute, metric, worst, best, gap, float(null.mean()), high, float(p), tuple(left_out))
