"""The model card: the report's facts as a page of Markdown that lives beside the model."""

import re
from dataclasses import fields

from medclassify import __version__
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import data, performance, phrases, summary
from medclassify.audit.report.checks import checks_table, verdict_sentence
from medclassify.audit.report.items import NOT_PROVIDED, reporting_items
from medclassify.audit.report.views import TableView, Td
from medclassify.audit.results import AuditResult
from medclassify.config import HumanStatements

_STANDING = (
    "Research decision support; not a medical device, and not for diagnosis without a qualified reader. Input to a technical "
    "file, not evidence of conformity. All figures stand with their methods in `report.html` beside this file."
)


def model_card(result: AuditResult, facts: ReportFacts) -> str:
    """The card as Markdown. Names from files stay text: whatever could be markup is escaped.

    Args:
        result: The statistics.
        facts: Everything else.

    Source:
        Mitchell et al., Model Cards for Model Reporting, FAT* 2019 (its sections).
    """
    warned, unwarned = summary.most(summary.warnings(result, facts))
    parts = [
        f"# Model card: {escaped(facts.title)}",
        *(f"> **{escaped(banner.title)}.** {escaped(banner.text)}" for banner in summary.banners(facts)),
        _STANDING,
        escaped(phrases.opening(result, facts)),
        "## Intended use, limits, owner",
        _statements(facts),
        "## Checks",
        table(checks_table(result, facts)),
        "## Results on the test set",
        table(summary.findings_table(result)),
        table(performance.performance_table(result)),
        "## Subgroups",
        escaped(verdict_sentence(result)),
        _listed(summary.failures(result)[0]),
        "## Warnings",
        _listed([*warned, *unwarned]) or "None.",
        "## Data",
        table(data.split_table(facts)),
        table(data.exclusion_table(facts)),
        table(data.demographics_table(facts)),
        "## Facts and their sources",
        *(f"### {escaped(heading)}\n\n{_items(items)}" for heading, items in reporting_items(result, facts).items()),
        f"Made by medclassify {__version__}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(view: TableView | None) -> str:
    """A table as a pipe table under its caption; a heading row becomes a row of its own in bold."""
    if view is None:
        return ""
    rows = [list(map(escaped, view.head)), ["---"] * len(view.head)]
    for row in view.rows:
        cells = [f"**{escaped(row[0].text)}**"] if len(row) == 1 else [_cell(cell) for cell in row]
        rows.append(cells + [""] * (len(view.head) - len(cells)))
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"**{escaped(view.caption)}**\n\n{lines}" + (f"\n\n{escaped(view.foot)}" if view.foot else "")


def escaped(text: str) -> str:
    """The text on one line, with nothing in it that Markdown or HTML would act on."""
    text = re.sub(r"([\\`*\[\]|~#!])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cell(cell: Td) -> str:
    return "; ".join(escaped(part) for part in (cell.text, cell.chip.text if cell.chip else "", cell.sub) if part)


def _statements(facts: ReportFacts) -> str:
    said = [
        (phrases.statement_title(field.name), getattr(facts.statements, field.name).strip())
        for field in fields(HumanStatements)
    ]
    return "\n".join(f"- **{escaped(name)}:** {escaped(text) or NOT_PROVIDED}" for name, text in said)


def _items(items: list[tuple[str, str, str]]) -> str:
    return "\n".join(f"- **{escaped(item)}:** {escaped(said)} (`{source}`)" for item, said, source in items)


def _listed(lines: list[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)
