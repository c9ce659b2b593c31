"""One finding by subgroup: a forest plot, and every figure with its gap."""

from collections.abc import Sequence
from dataclasses import dataclass

from medclassify.audit.attributes import MISSING
from medclassify.audit.cells import ALL
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.report.forest import ForestView, forest
from medclassify.audit.report.views import Chip, TableView, Td, count_text, estimate_cell, shown, verdict_chips
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, number

_METRICS = ("auroc", "sensitivity", "specificity", "ppv", "oe_ratio", "bpsn_auroc", "bnsp_auroc")
_Gaps = dict[tuple[str, str, str, str], GapRow]


@dataclass(frozen=True, slots=True)
class GroupView:
    """One finding by subgroup.

    Attributes:
        finding: The finding.
        forest: The plot.
        table: Every figure, with gap and verdict below each.
        chips: Verdict counts.
        failing: Some gap lies beyond the margin.
    """

    finding: str
    forest: ForestView
    table: TableView
    chips: tuple[Chip, ...]
    failing: bool


def group_views(result: AuditResult, attributes: Sequence[str]) -> list[GroupView]:
    """Every finding by the subgroups of these attributes, those with gaps beyond the margin first."""
    gaps = {
        (row.finding, row.attribute, row.subgroup, row.metric): row
        for row in result.reference_gaps
        if row.attribute in attributes
    }
    views = [_view(result, finding, attributes, gaps) for finding in result.table.findings]
    return sorted(views, key=lambda view: not view.failing)


def _view(result: AuditResult, finding: str, attributes: Sequence[str], gaps: _Gaps) -> GroupView:
    metrics = [name for name in _METRICS if any(row.metric == name and row.finding == finding for row in result.estimates)]
    references = {row.attribute: row.reference for row in gaps.values()}
    rows = [_table_row(result, finding, metrics, ALL, ALL, "Whole test set", gaps)]
    for attribute in attributes:
        rows.append((Td(shown(attribute)),))
        for level in result.table.levels[attribute]:
            name = f"{level} (reference)" if references.get(attribute) == level else level
            rows.append(_table_row(result, finding, metrics, attribute, level, name, gaps))
    verdicts = [row.verdict for row in gaps.values() if row.finding == finding]
    head = ("Subgroup", "Samples", "With finding", *(LABELS[name] for name in metrics))
    table = TableView(f"{finding} by subgroup: every figure and gap", head, tuple(rows), kind="dense stack")
    return GroupView(
        finding, forest(result, finding, attributes, gaps), table, verdict_chips(verdicts), GapVerdict.FAIL in verdicts
    )


def _table_row(
    result: AuditResult, finding: str, metrics: list[str], attribute: str, level: str, name: str, gaps: _Gaps
) -> tuple[Td, ...]:
    found = [result.estimate(finding, metric, attribute, level) for metric in metrics]
    first = next((row for row in found if row is not None), None)
    counts = (Td("0"), Td("0"))
    if first is not None:
        patients = f"{count_text(first.n_patients)} patients" if first.n_patients != first.n else ""
        share = number(first.n_pos / first.n, "prevalence") if first.n else ""
        counts = (Td(count_text(first.n), sub=patients), Td(count_text(first.n_pos), sub=share))
    cells = [
        estimate_cell(row, gaps.get((finding, attribute, level, metric))) for row, metric in zip(found, metrics, strict=True)
    ]
    return (Td(name, kind="muted" if level == MISSING else ""), *counts, *cells)
