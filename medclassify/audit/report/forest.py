"""Forest plots as tables: each figure with its interval as a bar and in words, readable by eye, ear and on a phone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from medclassify.audit.cells import ALL
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.report.svg import tick
from medclassify.audit.report.views import Chip, count_text, shown, verdict_chip
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, estimate_text, number
from medclassify.records import EstimateRow, Status

METRICS = ("auroc", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class Scale:
    """The horizontal scale of one metric.

    Attributes:
        label: The metric.
        low: Where it begins; it ends at 1.
        ticks: Values with their labels, and how far along they stand in percent.
    """

    label: str
    low: float
    ticks: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ForestCell:
    """One figure: its bar, its words, its verdict."""

    bar: Markup
    text: str
    chip: Chip | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ForestLine:
    """A subgroup with its figures; a heading where it has none."""

    label: str
    counts: str = ""
    cells: tuple[ForestCell, ...] = ()


@dataclass(frozen=True, slots=True)
class ForestView:
    """The plot of one finding."""

    caption: str
    scales: tuple[Scale, ...]
    lines: tuple[ForestLine, ...]


def forest(
    result: AuditResult, finding: str, attributes: Sequence[str], gaps: dict[tuple[str, str, str, str], GapRow]
) -> ForestView:
    """The figures of one finding by subgroup, under those of the whole test set.

    Args:
        result: The statistics.
        finding: The finding.
        attributes: The attributes to show.
        gaps: Comparisons with the reference, by finding, attribute, subgroup and metric.
    """
    metrics = [name for name in METRICS if result.estimate(finding, name) is not None]
    groups = [(ALL, ALL), *((attribute, level) for attribute in attributes for level in result.table.levels[attribute])]
    scales = tuple(_scale(name, [result.estimate(finding, name, *group) for group in groups]) for name in metrics)
    references = {row.attribute: row.reference for row in gaps.values()}
    lines = []
    for place, (attribute, level) in enumerate(groups):
        if attribute != groups[place - 1][0] and attribute != ALL:
            lines.append(ForestLine(shown(attribute)))
        cells = []
        for name, scale in zip(metrics, scales, strict=True):
            whole, row = result.estimate(finding, name), result.estimate(finding, name, attribute, level)
            overall = whole.estimate.value if whole else None
            cells.append(_cell(row, scale, overall, gaps.get((finding, attribute, level, name))))
        label = "Whole test set" if attribute == ALL else level
        if references.get(attribute) == level:
            label += " (reference)"
        lines.append(ForestLine(label, _counts(result.estimate(finding, "auroc", attribute, level)), tuple(cells)))
    return ForestView(f"{finding} by subgroup, with 95 % intervals", scales, tuple(lines))


def _scale(metric: str, rows: Sequence[EstimateRow | None]) -> Scale:
    floor = 0.5 if metric == "auroc" else 1.0
    limits = [
        limit
        for row in rows
        if row is not None
        for limit in (row.estimate.value, row.estimate.ci_low)
        if limit is not None and row.estimate.status is Status.OK
    ]
    low = max(0.0, float(np.floor(10 * min([floor, *limits]) + 1e-9) / 10)) if limits else 0.0
    low = min(low, 0.8)
    return Scale(LABELS[metric], low, ((tick(low), 0.0), ("1", 100.0)))


def _cell(row: EstimateRow | None, scale: Scale, overall: float | None, gap: GapRow | None) -> ForestCell:
    if row is None:
        return ForestCell(Markup(""), "–", kind="muted")
    estimate = row.estimate
    text = estimate_text(estimate, row.metric, n_pos=row.n_pos, n_neg=row.n_neg)
    chip = verdict_chip(gap.verdict) if gap is not None and gap.verdict is not GapVerdict.INSUFFICIENT else None
    if estimate.value is None:
        return ForestCell(Markup(""), text, kind="muted")
    unstable = estimate.status is Status.UNSTABLE
    return ForestCell(_bar(row, scale, overall), text + (" *" if unstable else ""), chip)


def _bar(row: EstimateRow, scale: Scale, overall: float | None) -> Markup:
    """The interval as a line and the estimate as a square; places are in percent, so that it is as wide as its cell."""
    estimate, parts = row.estimate, []
    kind = "few" if estimate.status is Status.UNSTABLE else "sure"
    if overall is not None:
        at = f"{_along(overall, scale.low):.1f}%"
        parts.append(Markup('<line class="whole" x1="{0}" x2="{0}" y1="0" y2="16"/>').format(at))
    if estimate.ci_low is not None and estimate.ci_high is not None:
        low, high = (f"{_along(limit, scale.low):.1f}%" for limit in (estimate.ci_low, estimate.ci_high))
        parts.append(Markup('<line class="{}" x1="{}" x2="{}" y1="8" y2="8"/>').format(kind, low, high))
    assert estimate.value is not None
    at = f"{_along(estimate.value, scale.low):.1f}%"
    parts.append(Markup('<rect class="{}" x="{}" y="5" width="6" height="6" transform="translate(-3)"/>').format(kind, at))
    # The cell says the same in words, so that a screen reader need not hear it twice.
    return Markup('<svg class="interval" aria-hidden="true" width="100%" height="16">{}</svg>').format(Markup("").join(parts))


def _along(value: float, low: float) -> float:
    """How far along the scale a value stands, in percent; what lies before the scale begins stands at its beginning."""
    return 100 * min(1.0, max(0.0, (value - low) / (1 - low)))


def _counts(row: EstimateRow | None) -> str:
    if row is None:
        return "0"
    share = f" ({number(row.n_pos / row.n, 'prevalence')})" if row.n else ""
    return f"{count_text(row.n_pos)} of {count_text(row.n)}{share}"
