"""The section that lists every reporting item: what is said of it, where in the report, and from which file it comes."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.keys import said
from medclassify.audit.report import benefit, phrases
from medclassify.audit.report.views import TableView, Td, shown
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, number
from medclassify.config import HumanStatements

NOT_PROVIDED = "NOT PROVIDED"
_ABSENT = "NOT KNOWN to this report"
_TABLE = "the predictions table"
Item = tuple[str, str, str]
"""What is asked for, what is said, and the file it comes from."""


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """All items, under the duties they serve."""
    return {"items_table": items_table(result, facts)}


def items_table(result: AuditResult, facts: ReportFacts) -> TableView:
    """One row an item; what is not known is said, and what only a person can say prints NOT PROVIDED."""
    rows: list[tuple[Td, ...]] = []
    for heading, items in reporting_items(result, facts).items():
        rows.append((Td(heading),))
        rows += [
            (
                Td(item),
                Td(text, kind="words missing" if text.startswith((NOT_PROVIDED, _ABSENT)) else "words"),
                Td(source, kind="words"),
            )
            for item, text, source in items
        ]
    return TableView("Reporting items", ("Item", "What is said", "Source"), tuple(rows), kind="stack items")


def reporting_items(result: AuditResult, facts: ReportFacts) -> dict[str, list[Item]]:
    """The items by heading; each is filled from data, never by hand."""
    return {
        "Model (AI Act Art. 11, 13)": _model(facts),
        "Data (AI Act Art. 10)": _data(result, facts),
        "Performance (AI Act Art. 15)": _performance(result, facts),
        "Oversight (AI Act Art. 13, 14)": _oversight(result, facts),
        "Records (AI Act Art. 12)": _records(facts),
        "Stated by a person": _stated(facts),
    }


def _model(facts: ReportFacts) -> list[Item]:
    model, provenance = facts.model, facts.provenance
    versions = provenance.get("versions") or {}
    source, seed = facts.weights.get("source"), provenance.get("seed")
    hardware = provenance.get("hardware") or {}
    kept = model.get("kept_epoch")
    epoch = f"epoch {kept or '0 (the head alone)'}, by {said((str(model.get('chosen_by')),))}" if kept is not None else ""
    rule = "; ".join(part for part in (str(model.get("recipe") or ""), epoch) if part)
    return [
        ("Model and architecture", _or_absent(model.get("backbone") or provenance.get("backbone")), "model/model.json"),
        (
            "Weights hash (SHA-256)",
            _or_absent(model.get("weights_sha256") or provenance.get("model_sha256")),
            "provenance.json",
        ),
        (
            "Initial weights",
            _or_absent(source and f"{source}; {facts.weights.get('note') or ''}".rstrip("; ")),
            "provenance.json",
        ),
        ("Selection rule", _or_absent(rule), "metrics.json"),
        ("Preprocessing", _or_absent(_listed(facts.preprocessing)), "model/model.json"),
        ("Library versions", _or_absent(_listed(versions)), "provenance.json"),
        ("Seeds", _or_absent(None if seed is None else f"{seed}"), "config.yaml"),
        ("Hardware", _or_absent(_listed(hardware)), "provenance.json"),
    ]


def _data(result: AuditResult, facts: ReportFacts) -> list[Item]:
    counts = "; ".join(
        f"{name}: {', '.join(f'{count:,} {kind}' for kind, count in counted.items())}" for name, counted in facts.counts.items()
    )
    left_out = ", ".join(f"{count:,} × {reason}" for reason, count in facts.exclusions.items() if count)
    flow = (left_out or "No file was left out") if facts.counts else None
    compared, lines = phrases.leakage(facts)
    crossing = None
    if facts.leakage:
        crossing = f"{'Clean' if facts.leakage.get('clean') else 'NOT CLEAN'}: {compared or 'see the section on data'}"
        crossing += f"; {lines[0]}" if lines and not facts.leakage.get("clean") else ""
    labels = "; ".join(
        f"{finding}: {sum(split[2] for split in counted.values()):,} missing or uncertain"
        for finding, counted in facts.prevalence.items()
    )
    if not labels:
        labels = "; ".join(f"{each.whole.finding}: {each.masked:,} missing or uncertain" for each in result.cells)
    return [
        ("Flow, with every exclusion and its reason", _or_absent(flow), "exclusions.csv"),
        ("Patients, studies and images by split", _or_absent(counts), "manifest.parquet"),
        ("Proof that no patient or duplicate image crosses", _or_absent(crossing), "leakage.json"),
        (
            "Demographics, scanner, site and view by split, missing counted",
            _or_absent(", ".join(map(shown, facts.demographics))),
            "manifest.parquet",
        ),
        ("Prevalence by split", _or_absent(", ".join(facts.prevalence)), "manifest.parquet"),
        ("Missing and uncertain labels", _or_absent(labels), "manifest.parquet" if facts.prevalence else _TABLE),
        ("Data licence", str(facts.data.get("licence") or NOT_PROVIDED), "config.yaml"),
        ("Consent", str(facts.data.get("consent") or NOT_PROVIDED), "config.yaml"),
    ]


def _performance(result: AuditResult, facts: ReportFacts) -> list[Item]:
    overall = [row for row in result.estimates if row.attribute == "all" and row.estimate.ci_method]
    by_method = dict.fromkeys((LABELS.get(row.metric, row.metric), row.estimate.ci_method) for row in overall)
    points = "; ".join(
        f"{point.finding} {number(point.threshold, 'auroc')}, {phrases.criterion(point.criterion)} on {point.split}"
        for point in facts.operating_points
    )
    decided = bool(result.table.frame["decision"].notna().any())
    given = "as given in the table" if decided else None
    curves = "Decision curves in the section on net benefit" if benefit.judged(result) else None
    undefined = sum(row.estimate.value is None for row in result.estimates)
    groups = f"{', '.join(map(shown, result.table.attributes))}; {undefined:,} cells not estimable, each with its reason"
    source = "audit/estimates.csv"
    return [
        ("Thresholds and where they came from", _or_absent(points or given), "model/model.json" if points else _TABLE),
        ("2×2 table at the threshold", _or_absent("In the section on performance" if decided else None), "predictions.parquet"),
        ("Each metric with interval and interval method", "; ".join(f"{name}: {method}" for name, method in by_method), source),
        ("Calibration", _or_absent("In the section on calibration" if result.table.is_probability else None), source),
        ("Net benefit", _or_absent(curves), "predictions.parquet"),
        (
            "Subgroup tables with not-estimable cells",
            _or_absent(groups if result.table.attributes else None),
            f"{source}, audit/gaps.csv",
        ),
        (
            "Highest-confidence errors",
            _or_absent("In the section on failure cases" if decided else None),
            "predictions.parquet",
        ),
    ]


def _oversight(result: AuditResult, facts: ReportFacts) -> list[Item]:
    sanity = phrases.sanity(facts.sanity)
    explained = f"{sanity['title']} {sanity['text']}" if facts.sanity is not None or facts.explanations else None
    sets = "Conformal sets; in the section on cases that go to a person" if facts.conformal or result.coverage else None
    return [
        ("Explanation sanity result", _or_absent(explained), "explain/sanity.json"),
        ("Coverage and abstention", _or_absent(sets), "audit/estimates.csv"),
    ]


def _records(facts: ReportFacts) -> list[Item]:
    provenance = facts.provenance
    return [
        ("Data hash (SHA-256)", _or_absent(provenance.get("data_sha256")), "provenance.json"),
        ("Code (commit)", _or_absent(provenance.get("git_commit")), "provenance.json"),
        ("Config hash (SHA-256)", _or_absent(provenance.get("config_sha256")), "provenance.json"),
        ("Decisions hash (calibrators, thresholds, sets)", _or_absent(provenance.get("decisions_sha256")), "provenance.json"),
    ]


def _stated(facts: ReportFacts) -> list[Item]:
    return [
        (
            phrases.statement_title(field.name),
            getattr(facts.statements, field.name).strip() or NOT_PROVIDED,
            "config.yaml, audit.statements",
        )
        for field in fields(HumanStatements)
    ]


def _or_absent(value: Any) -> str:
    return str(value) if value not in (None, "") else _ABSENT


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(_plain, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
