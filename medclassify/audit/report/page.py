"""Puts results and facts into one self-contained HTML file, section by section."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medclassify import __version__
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import (
    abstention,
    benefit,
    calibration,
    data,
    explanation,
    failures,
    intersections,
    items,
    methods,
    origin,
    performance,
    shortcuts,
    standardised,
    statements,
    subgroups,
    summary,
    underdiagnosis,
)
from medclassify.audit.results import AuditResult

_TEMPLATES = Path(__file__).parents[1] / "templates"

Context = Callable[[AuditResult, ReportFacts], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Attributes:
        name: Anchor of its heading, and its partial: ``templates/sections/NAME.html.j2``.
        title: Its heading, and its entry in the list of sections.
        context: What the partial prints; None leaves the section out.
    """

    name: str
    title: str
    context: Context


SECTIONS = (
    Section("data", "Data and flow", data.context),
    Section("performance", "Performance", performance.context),
    Section("calibration", "Calibration", calibration.context),
    Section("benefit", "Net benefit", benefit.context),
    Section("abstention", "When the model does not answer alone", abstention.context),
    Section("subgroups", "Subgroups", subgroups.context),
    Section("intersections", "Intersections", intersections.context),
    Section("underdiagnosis", "Whose illness is overlooked", underdiagnosis.context),
    Section("standardised", "Crude and standardised figures", standardised.context),
    Section("shortcuts", "Attributes that may give the finding away", shortcuts.context),
    Section("explanation", "Explained cases", explanation.context),
    Section("failures", "Failure cases", failures.context),
    Section("methods", "Methods", methods.context),
    Section("statements", "What only a person can state", statements.context),
    Section("items", "Reporting items and their sources", items.context),
    Section("origin", "Model and provenance", origin.context),
)


def render_report(result: AuditResult, facts: ReportFacts) -> str:
    """The report as HTML: no network, no script, everything escaped.

    Args:
        result: The statistics.
        facts: Everything else.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    parts = []
    for section in SECTIONS:
        context = section.context(result, facts)
        if context is not None:
            template = environment.get_template(f"sections/{section.name}.html.j2")
            parts.append((section, Markup(template.render(facts=facts, **context))))  # escaped by the partial itself
    style = Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8"))
    top = summary.context(result, facts)
    return environment.get_template("report.html.j2").render(style=style, version=__version__, facts=facts, parts=parts, **top)
