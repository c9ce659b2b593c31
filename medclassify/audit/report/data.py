"""The section on data and flow."""

from typing import Any

from medclassify.audit.cells import FindingCells
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import phrases
from medclassify.audit.report.flow import flow_figure
from medclassify.audit.report.listing import flat_table, share
from medclassify.audit.report.views import TableView, Td, count_text, shown, words
from medclassify.audit.results import AuditResult

_MOST_TESTED = 6
"""Findings named in the flow diagram; all stand in the tables below it."""


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """Where the samples come from, how they were split, what was left out, and whether anything crosses."""
    compared, lines = phrases.leakage(facts)
    return {
        "flow": flow_figure(facts, [_tested(each) for each in result.cells[:_MOST_TESTED]]),
        "split_table": split_table(facts),
        "exclusion_table": exclusion_table(facts),
        "demographics_table": demographics_table(facts),
        "labels_table": labels_table(facts),
        "data_table": flat_table("About the data", facts.data),
        "leakage_checked": compared,
        "leakage_lines": lines,
        "masked": ", ".join(f"{each.whole.finding} {each.masked:,}" for each in result.cells if each.masked),
    }


def split_table(facts: ReportFacts) -> TableView | None:
    """Patients, studies and images in each split."""
    if not facts.counts:
        return None
    kinds = list(dict.fromkeys(kind for counted in facts.counts.values() for kind in counted))
    rows = tuple(words([name, *(count_text(counted.get(kind, 0)) for kind in kinds)]) for name, counted in facts.counts.items())
    return TableView(
        f"Patients, studies and {facts.sampled} by split",
        ("Split", *(kind.capitalize() for kind in kinds)),
        rows,
        kind="narrow",
    )


def demographics_table(facts: ReportFacts) -> TableView | None:
    """Images of each subgroup in each split, with shares; missing is counted."""
    if not facts.demographics:
        return None
    splits = list(next(iter(next(iter(facts.demographics.values())).values())))
    rows: list[tuple[Td, ...]] = []
    for attribute, levels in facts.demographics.items():
        totals = {split: sum(level[split] for level in levels.values()) for split in splits}
        rows.append((Td(shown(attribute)),))
        rows += [
            (Td(level), *(_with_share(counted[split], totals[split]) for split in splits)) for level, counted in levels.items()
        ]
    return TableView(f"{facts.sampled.capitalize()} by subgroup and split", ("Subgroup", *splits), tuple(rows), kind="narrow")


def labels_table(facts: ReportFacts) -> TableView | None:
    """Positive of labelled images for each finding and split, and how many have no usable label."""
    if not facts.prevalence:
        return None
    splits = list(next(iter(facts.prevalence.values())))
    rows = []
    for finding, counted in facts.prevalence.items():
        cells = [
            _with_share(positive, positive + negative, f"{count_text(blank)} not labelled" if blank != 0 else "")
            for positive, negative, blank in (counted[split] for split in splits)
        ]
        rows.append((Td(finding), *cells))
    return TableView(
        f"{facts.sampled.capitalize()} with each finding, of those labelled", ("Finding", *splits), tuple(rows), kind="narrow"
    )


def exclusion_table(facts: ReportFacts) -> TableView | None:
    """Files left out, by reason."""
    rows = tuple(words([reason, count_text(count)]) for reason, count in facts.exclusions.items() if count)
    return TableView("Files left out", ("Reason", "Files"), rows, kind="narrow") if rows else None


def _with_share(part: int, whole: int, more: str = "") -> Td:
    """A count with its share below it, so that four splits stand beside each other on a phone."""
    count, _, below = share(part, whole).removesuffix(")").partition(" (")
    return Td(count, sub="; ".join(text for text in (below, more) if text))


def _tested(cells: FindingCells) -> str:
    text = f"{cells.whole.finding}: {cells.whole.n_pos:,} present, {cells.whole.n_neg:,} absent"
    return text + (f", {cells.masked:,} without a usable label" if cells.masked else "")
