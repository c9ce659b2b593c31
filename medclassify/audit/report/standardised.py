"""The section on crude figures beside those that each subgroup would have with the same mix of cases."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.views import TableView, Td, gap_line, shown
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, estimate_text, number
from medclassify.records import Estimate, Status


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """One table a finding; nothing where nothing was standardised."""
    if not result.standardised:
        return None
    by = dict.fromkeys(tuple(shown(name) for name in row.by) for row in result.standardised)
    return {
        "tables": [table for finding in result.table.findings if (table := standardised_table(result, finding)) is not None],
        "by": "; or ".join(" and ".join(names) for names in by),
    }


def standardised_table(result: AuditResult, finding: str) -> TableView | None:
    """Crude, standardised and the gap that is left, by subgroup."""
    gaps = {(row.attribute, row.subgroup, row.metric): row for row in result.standardised_gaps if row.finding == finding}
    rows: list[tuple[Td, ...]] = []
    heading = ""
    for row in (each for each in result.standardised if each.finding == finding):
        title = f"{shown(row.attribute)}, {LABELS[row.metric]}, with the same mix of {' and '.join(map(shown, row.by))}"
        if title != heading:
            rows.append((Td(title),))
            heading = title
        gap = gaps.get((row.attribute, row.subgroup, row.metric))
        effective = [
            f"{value:.0f} {name}" for value, name in ((row.n_eff_pos, "with"), (row.n_eff_neg, "without")) if value is not None
        ]
        rows.append(
            (
                Td(row.subgroup),
                Td(_text(row.crude, row.metric)),
                Td(_text(row.standardised, row.metric)),
                Td("–" if gap is None else gap_line(gap).removeprefix("gap ")),
                Td(", ".join(effective) or "–", sub=f"{number(row.covered, 'prevalence')} of the mix covered"),
            )
        )
    head = ("Subgroup", "Crude", "Standardised", "Gap to the reference, standardised", "Effective samples")
    return TableView(f"{finding}: crude and standardised", head, tuple(rows), kind="stack") if rows else None


def _text(estimate: Estimate, metric: str) -> str:
    star = " *" if estimate.status is Status.UNSTABLE else ""
    return estimate_text(estimate, metric, n_pos=0, n_neg=0) + star
