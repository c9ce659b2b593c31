"""The section on crude figures beside those that each subgroup would have with the same mix of cases."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import GapRow
from medclassify.audit.report.views import Folded, TableView, Td, gap_line, shown, verdict_chip, verdict_chips
from medclassify.audit.results import AuditResult
from medclassify.audit.standardised import Standardised
from medclassify.audit.words import LABELS, estimate_text, number
from medclassify.records import Estimate, Status


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """One table a finding; nothing where nothing was standardised."""
    if not result.standardised:
        return None
    by = dict.fromkeys(tuple(shown(name) for name in row.by) for row in result.standardised)
    return {
        "tables": [_folded(result, finding) for finding in dict.fromkeys(row.finding for row in result.standardised)],
        "by": "; or ".join(" and ".join(names) for names in by),
    }


def standardised_table(result: AuditResult, finding: str) -> TableView:
    """The standardised figures by subgroup; below each the crude one, and the gap that is left."""
    gaps = {(row.attribute, row.subgroup, row.metric): row for row in result.standardised_gaps if row.finding == finding}
    found = {(row.attribute, row.subgroup, row.metric): row for row in result.standardised if row.finding == finding}
    metrics = tuple(dict.fromkeys(metric for _, _, metric in found))
    rows: list[tuple[Td, ...]] = []
    heading = ""
    for attribute, level in dict.fromkeys((attribute, level) for attribute, level, _ in found):
        row = next(found[attribute, level, metric] for metric in metrics if (attribute, level, metric) in found)
        if attribute != heading:
            rows.append((Td(f"{shown(attribute)}, with the same mix of {' and '.join(map(shown, row.by))}"),))
            heading = attribute
        cells = [_cell(found.get((attribute, level, metric)), gaps.get((attribute, level, metric))) for metric in metrics]
        rows.append((Td(level), *cells, _effective(row)))
    head = ("Subgroup", *(f"{LABELS[metric]}, standardised" for metric in metrics), "Effective samples")
    return TableView(f"{finding}: standardised and crude figures", head, tuple(rows), kind="dense stack")


def _folded(result: AuditResult, finding: str) -> Folded:
    verdicts = [row.verdict for row in result.standardised_gaps if row.finding == finding]
    return Folded(finding, standardised_table(result, finding), verdict_chips(verdicts))


def _cell(row: Standardised | None, gap: GapRow | None) -> Td:
    if row is None:
        return Td("–", kind="muted")
    crude = f"crude {_text(row.crude, row.metric)}"
    if gap is None:
        return Td(_text(row.standardised, row.metric), sub=crude)
    return Td(_text(row.standardised, row.metric), sub=f"{crude}; {gap_line(gap)}", chip=verdict_chip(gap.verdict))


def _effective(row: Standardised) -> Td:
    """Kish's numbers, and how much of the mix the subgroup has samples for."""
    numbers = ((row.n_eff_pos, "with"), (row.n_eff_neg, "without"))
    text = ", ".join(f"{value:.0f} {name}" for value, name in numbers if value is not None)
    return Td(text or "–", sub=f"{number(row.covered, 'prevalence')} of the mix covered")


def _text(estimate: Estimate, metric: str) -> str:
    star = " *" if estimate.status is Status.UNSTABLE else ""
    return estimate_text(estimate, metric, n_pos=0, n_neg=0) + star
