"""The report's part on subgroups: can an attribute give the finding away, how does each group fare, what may be said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from medclassify.audit.attributes import MISSING
from medclassify.audit.cells import ALL
from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.report.summary import verdict_sentence
from medclassify.audit.report.views import Chip, ForestRow, TableView, Td, count_text, estimate_cell, few, shown, verdict_chip
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, estimate_text, gap_number, gap_text, number, p_value
from medclassify.records import Estimate, EstimateRow, Status

Forest = Callable[[str, list[ForestRow], float | None, str], Markup]
_METRICS = ("auroc", "sensitivity", "specificity", "ppv", "oe_ratio")


@dataclass(frozen=True, slots=True)
class SubgroupView:
    """One finding by subgroup: a forest plot and a table.

    Attributes:
        finding: The finding.
        forest: The plot.
        table: Estimates, with gap and verdict below each.
        chips: Verdict counts.
        failing: Some gap lies beyond the margin.
    """

    finding: str
    forest: Markup
    table: TableView
    chips: tuple[Chip, ...]
    failing: bool


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """What may be said of each attribute and each group."""
    from medclassify.audit.report.figures import forest_figure  # matplotlib takes half a second to import

    return {
        "subgroups": subgroup_views(result, forest_figure) if result.table.attributes else [],
        "verdict_sentence": verdict_sentence(result),
        "failing_table": failing_table(result),
        "confounded": confounding_table(result, alarms=True),
        "unconfounded": confounding_table(result, alarms=False),
        "chips": {str(verdict).lower(): verdict_chip(verdict) for verdict in GapVerdict},
        "few": few(result.table.patients_repeat),
    }


def subgroup_views(result: AuditResult, draw: Forest) -> list[SubgroupView]:
    """Every finding by subgroup, those with gaps beyond the margin first."""
    gaps = {(row.finding, row.attribute, row.subgroup, row.metric): row for row in result.reference_gaps}
    references = {row.attribute: row.reference for row in result.reference_gaps}
    views = [_view(result, finding, gaps, references, draw) for finding in result.table.findings]
    return sorted(views, key=lambda view: not view.failing)


def confounding_table(result: AuditResult, *, alarms: bool) -> TableView | None:
    """Prevalence by subgroup; the attribute alone, the model, and the model within levels, side by side."""
    pairs = sorted((row for row in result.confounding if row.alarm is alarms), key=lambda row: not row.shown)
    rows = []
    for row in pairs:
        shares = " · ".join(f"{level} {_share(n_pos, n)}" for level, n, n_pos in row.levels)
        within = _plain(row.within)
        drop = "" if row.drop is None else f"{gap_number(-row.drop, 'auroc')} to overall"
        chip = (Chip("! confounded", "fail") if row.shown else Chip("? may be chance", "insufficient")) if row.alarm else None
        names = Td(row.finding, sub=f"by {shown(row.attribute)}", chip=chip)
        model, alone = Td(_plain(row.model)), Td(_plain(row.alone))
        rows.append((names, Td(shares, kind="words"), Td(p_value(row.p)), alone, model, Td(within, sub=drop)))
    if not rows:
        return None
    head = (
        "Finding",
        "Prevalence by subgroup",
        "p",
        "AUROC of the attribute alone",
        "AUROC of the model",
        "Model within levels",
    )
    if alarms:
        caption = "Prevalence differs much between these subgroups"
        foot = (
            "? may be chance: the difference is large here, but p is .05 or more, so this sample does not show it either way."
        )
        return TableView(caption, head, tuple(rows), foot if any(not row.shown for row in pairs) else "", "stack")
    foot = (
        "That a difference is small here does not show that there is none: in a small sample see the interval of the "
        "attribute’s AUROC. p “–”: fewer than 10 samples with or without the finding, so nothing is shown either way."
    )
    return TableView("Prevalence by subgroup: no large difference in this sample", head, tuple(rows), foot, "stack")


def failing_table(result: AuditResult) -> TableView | None:
    """All gaps beyond the margin, those against all others too."""
    failed = [row for row in result.gaps if row.verdict is GapVerdict.FAIL]
    failed.sort(key=lambda row: (not row.holds, -abs(row.gap or 0)))
    rows = []
    for row in failed:
        assert row.gap is not None
        assert row.ci_low is not None
        assert row.ci_high is not None
        text = gap_text(row.gap, row.ci_low, row.ci_high, row.metric)
        adjusted = Td(p_value(row.p_adjusted), sub="" if row.holds else "does not hold after adjustment")
        names = (row.finding, shown(row.attribute), f"{row.subgroup} against {row.reference}", LABELS[row.metric])
        rows.append((*(Td(name) for name in names), Td(text, chip=verdict_chip(row.verdict)), adjusted))
    head = ("Finding", "Attribute", "Groups", "Metric", "Gap", "p (Holm)")
    return TableView("Gaps whose whole interval lies beyond the margin", head, tuple(rows), kind="stack") if rows else None


def _view(
    result: AuditResult,
    finding: str,
    gaps: dict[tuple[str, str, str, str], GapRow],
    references: dict[str, str],
    draw: Forest,
) -> SubgroupView:
    metrics = [name for name in _METRICS if result.estimate(finding, name) is not None]
    overall = result.estimate(finding, "auroc")
    rows = [_table_row(result, finding, metrics, ALL, ALL, "Whole test set", gaps)]
    forest = [_forest_row("Whole test set", overall)]
    for attribute, levels in result.table.levels.items():
        rows.append((Td(shown(attribute)),))
        forest.append(ForestRow(shown(attribute)))
        for level in levels:
            name = f"{level} (reference)" if references.get(attribute) == level else level
            rows.append(_table_row(result, finding, metrics, attribute, level, name, gaps))
            forest.append(_forest_row(level, result.estimate(finding, "auroc", attribute, level)))
    verdicts = [row.verdict for row in result.reference_gaps if row.finding == finding]
    counted = [(verdict, verdicts.count(verdict)) for verdict in (GapVerdict.FAIL, GapVerdict.INSUFFICIENT, GapVerdict.PASS)]
    chips = tuple(Chip(f"{verdict_chip(verdict).text} {count}", verdict.lower()) for verdict, count in counted if count)
    text = "AUROC and 95 % interval: " + "; ".join(f"{row.label} {row.text}" for row in forest if row.text)
    value = overall.estimate.value if overall else None
    head = ("Subgroup", "Samples", "With finding", *(LABELS[name] for name in metrics))
    table = TableView(f"{finding} by subgroup", head, tuple(rows), kind="dense stack")
    return SubgroupView(finding, draw(finding, forest, value, text), table, chips, GapVerdict.FAIL in verdicts)


def _table_row(
    result: AuditResult,
    finding: str,
    metrics: list[str],
    attribute: str,
    level: str,
    name: str,
    gaps: dict[tuple[str, str, str, str], GapRow],
) -> tuple[Td, ...]:
    found = [result.estimate(finding, metric, attribute, level) for metric in metrics]
    first = next((row for row in found if row is not None), None)
    counts = (Td("0"), Td("0"))
    if first is not None:
        patients = f"{count_text(first.n_patients)} patients" if first.n_patients != first.n else ""
        counts = (Td(count_text(first.n), sub=patients), Td(count_text(first.n_pos), sub=_percent(first.n_pos, first.n)))
    cells = [
        estimate_cell(row, gaps.get((finding, attribute, level, metric))) for row, metric in zip(found, metrics, strict=True)
    ]
    return (Td(name, kind="muted" if level == MISSING else ""), *counts, *cells)


def _forest_row(label: str, row: EstimateRow | None) -> ForestRow:
    if row is None:
        return ForestRow(label, "–")
    estimate = row.estimate
    text = estimate_text(estimate, "auroc", n_pos=row.n_pos, n_neg=row.n_neg)
    unstable = estimate.status is Status.UNSTABLE
    return ForestRow(label, text + (" *" if unstable else ""), estimate.value, estimate.ci_low, estimate.ci_high, unstable)


def _percent(part: int | None, whole: int | None) -> str:
    return number(part / whole, "prevalence") if part is not None and whole else ""


def _plain(estimate: Estimate) -> str:
    return estimate_text(estimate, "auroc", n_pos=0, n_neg=0)


def _share(part: int, whole: int) -> str:
    return f"{count_text(part)} of {count_text(whole)} ({number(part / whole, 'prevalence')})" if whole else "0 of 0"
