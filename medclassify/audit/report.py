"""Puts results and facts into one self-contained HTML file."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medclassify import __version__
from medclassify.audit import phrases, sections, subgroups, summary
from medclassify.audit.cells import finding_cells
from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import GapVerdict
from medclassify.audit.results import AuditResult
from medclassify.audit.views import few, verdict_chip
from medclassify.audit.workload import coverage_table, workload_table
from medclassify.config import HumanStatements

_TEMPLATES = Path(__file__).parent / "templates"
_SECTIONS = {
    "data": "Data and flow",
    "performance": "Performance",
    "calibration": "Calibration",
    "subgroups": "Subgroups",
    "cases": "Explained cases",
    "methods": "Methods",
    "statements": "Statements",
    "origin": "Model and provenance",
}


def render_report(result: AuditResult, facts: ReportFacts) -> str:
    """The report as HTML: no network, no script, everything escaped.

    Args:
        result: The statistics.
        facts: Everything else.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8"))
    context = {"style": style, "version": __version__, "facts": facts}
    context |= _top(result, facts) | _tables(result, facts) | _texts(result, facts) | _pictures(result, facts)
    return environment.get_template("report.html.j2").render(context)


def _top(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    worst, more_failures = summary.failures(result)
    shown, hidden = summary.most(summary.warnings(result, facts))
    created = str(facts.provenance.get("created") or "").replace("T", " ").replace("+00:00", " UTC")
    backbone = str(facts.model.get("backbone") or "")
    given = ("" if backbone in facts.title else backbone, phrases.counted(len(result.table.findings), "finding"), created)
    return {
        "subtitle": " · ".join(str(part) for part in given if part),
        "created": created,
        "banners": summary.banners(facts),
        "opening": phrases.opening(result, facts),
        "headline": summary.headline(result, facts),
        "findings_table": summary.findings_table(result),
        "verdict_sentence": summary.verdict_sentence(result),
        "failures": worst,
        "more_failures": more_failures,
        "warnings": shown,
        "more_warnings": hidden,
        "sections": [(name, title) for name, title in _SECTIONS.items() if name != "cases" or facts.explanations],
    }


def _tables(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    provenance = {key: value for key, value in facts.provenance.items() if not (key == "weights" and facts.weights)}
    return {
        "split_table": sections.split_table(facts),
        "exclusion_table": sections.exclusion_table(facts),
        "demographics_table": sections.demographics_table(facts),
        "labels_table": sections.labels_table(facts),
        "data_table": sections.flat_table("About the data", facts.data),
        "performance_table": sections.performance_table(result),
        "rates_table": sections.rates_table(result),
        "threshold_table": sections.threshold_table(result, facts),
        "errors_table": sections.errors_table(result),
        "calibration_table": sections.calibration_table(result),
        "coverage_table": coverage_table(result, facts),
        "workload_table": workload_table(result, facts),
        "failing_table": subgroups.failing_table(result),
        "confounded": subgroups.confounding_table(result, alarms=True),
        "unconfounded": subgroups.confounding_table(result, alarms=False),
        "model_table": sections.flat_table("The model", facts.model),
        "weights_table": sections.flat_table("Initial weights", facts.weights),
        "provenance_table": sections.flat_table("What the run was made from and with", provenance),
        "config_table": sections.config_table(facts.config),
    }


def _texts(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    compared, lines = phrases.leakage(facts.leakage)
    said = [
        (phrases.statement_title(field.name), getattr(facts.statements, field.name).strip())
        for field in fields(HumanStatements)
    ]
    return {
        "leakage_checked": compared,
        "leakage_lines": lines,
        "macro_sentence": phrases.macro_sentence(result),
        "evaluated": phrases.evaluated(result, facts),
        "sanity": phrases.sanity(facts.sanity),
        "statements": said,
        "chips": {str(verdict).lower(): verdict_chip(verdict) for verdict in GapVerdict},
        "repeat": result.table.patients_repeat,
        "few": few(result.table.patients_repeat),
        "bootstrap": f"{result.bootstrap:,}",
        "seed": result.seed,
        "margin": f"{result.margin:g} ({100 * result.margin:g} percentage points)",
    }


def _pictures(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    # matplotlib takes half a second to import, and only a report needs it
    from medclassify.audit.figures import forest_figure, learning_figure
    from medclassify.audit.panels import case_view, reliability_panels, roc_panels

    cells = list(finding_cells(result.table))
    rocs = roc_panels(result, cells)
    drawn = {name for name, _, _ in rocs}
    return {
        "masked": ", ".join(f"{each.whole.finding} {each.masked:,}" for each in cells if each.masked),
        "rocs": rocs,
        "undrawn": ", ".join(name for name in result.table.findings if name not in drawn),
        "reliabilities": reliability_panels(result, cells),
        "subgroups": subgroups.subgroup_views(result, forest_figure) if result.table.attributes else [],
        "cases": [case_view(case) for case in facts.explanations],
        "learning": learning_figure(facts.history),
    }
