"""Writes the audit folder, and audits a table of which nothing else is known."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.audit.coverage import workload
from medclassify.audit.estimates import estimates_frame
from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import gaps_frame
from medclassify.audit.replicates import STANDARDISED
from medclassify.audit.report import model_card, render_report
from medclassify.audit.report.summary import warnings
from medclassify.audit.results import AuditResult, compute_audit
from medclassify.audit.standardised import BY, standardised_estimates
from medclassify.audit.stored_facts import facts_to_json
from medclassify.audit.table import AuditTable, audit_table, require_two_classes
from medclassify.metrics import DecisionCurve
from medclassify.runs import write_json, write_text

SCHEMA_VERSION = 1
NO_EMBEDDINGS = (
    "Whether attributes can be read off the network's embeddings was not looked at: a predictions table holds no embeddings."
)


def write_audit(
    out_dir: Path | str,
    predictions: pd.DataFrame | AuditTable | Path | str,
    facts: ReportFacts,
    *,
    attributes: Sequence[str] = (),
    intersections: Sequence[Sequence[str]] = (),
    standardise: Sequence[str] = BY,
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> AuditResult:
    """Computes the audit and writes ``report.html``, ``model_card.md``, ``estimates.csv``, ``gaps.csv`` and ``audit.json``.

    Each file is written whole or not at all, the report last.

    Args:
        out_dir: The folder; it is made.
        predictions: The contract's predictions table, or anyone's (see `audit_table`).
        facts: What the report tells besides the statistics.
        attributes: Columns to report by.
        intersections: Attributes to cross, two or more each.
        standardise: Attributes whose mix is held equal in standardised figures; those that the table lacks are passed over.
        margin: Equivalence margin of gaps.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.
        progress: Called with (done, total) resamples.

    Returns:
        The statistics.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
        StorageError: The folder cannot be written.
    """
    result = compute_audit(
        predictions,
        attributes=attributes,
        intersections=intersections,
        standardise=standardise,
        margin=margin,
        bootstrap=bootstrap,
        seed=seed,
        progress=progress,
    )
    report, card, out = render_report(result, facts), model_card(result, facts), Path(out_dir)
    rows = [*result.estimates, *standardised_estimates(result.standardised, result.estimates), *result.equalised_odds]
    write_text(out / "estimates.csv", estimates_frame([*rows, *result.coverage]).to_csv(index=False, lineterminator="\n"))
    gaps = [*result.gaps, *(replace(row, metric=row.metric + STANDARDISED) for row in result.standardised_gaps)]
    write_text(out / "gaps.csv", gaps_frame(gaps).to_csv(index=False, lineterminator="\n"))
    write_json(out / "audit.json", audit_json(result, facts))
    write_text(out / "model_card.md", card)
    write_text(out / "report.html", report)
    return result


def audit_predictions(
    predictions: pd.DataFrame | Path | str,
    attributes: Sequence[str] = (),
    *,
    out_dir: Path | str | None = None,
    title: str | None = None,
    intersections: Sequence[Sequence[str]] = (),
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> AuditResult:
    """Audits anyone's predictions table.

    Args:
        predictions: A frame, or a .csv, .tsv or .parquet file: ``target`` (or ``label_value``, ``label``) and ``probability``
            or ``score``, optionally ``finding``, ``sample_id``, ``patient_id``, ``threshold``, ``decision``.
        attributes: Columns to report by.
        out_dir: Where to write the report and its tables; nothing is written when left out.
        title: The report's heading.
        intersections: Attributes to cross, two or more each.
        margin: Equivalence margin of gaps.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.
        progress: Called with (done, total) resamples.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
        StorageError: The folder cannot be written.
    """
    name = "a predictions table" if isinstance(predictions, pd.DataFrame) else Path(predictions).name
    table = audit_table(predictions, attributes, intersections=intersections)
    require_two_classes(table, "predictions" if isinstance(predictions, pd.DataFrame) else str(predictions))
    options: dict[str, Any] = {"margin": margin, "bootstrap": bootstrap, "seed": seed}
    options["progress"] = progress
    if out_dir is None:
        return compute_audit(table, **options)
    return write_audit(out_dir, table, ReportFacts(title or f"Audit of {name}", probes_note=NO_EMBEDDINGS), **options)


def audit_json(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """What the audit found, for programs."""
    return {
        "schema": SCHEMA_VERSION,
        "title": facts.title,
        "synthetic": facts.synthetic,
        "weights_fallback": bool(facts.weights.get("fallback", False)),
        "samples": int(result.table.frame["sample_id"].nunique()),
        "patients": int(result.table.frame["patient_id"].nunique()),
        "findings": list(result.table.findings),
        "attributes": {name: list(levels) for name, levels in result.table.levels.items()},
        "margin": result.margin,
        "bootstrap": result.bootstrap,
        "seed": result.seed,
        "intersections": {name: list(parts) for name, parts in result.table.intersections.items()},
        "macro_auroc": asdict(result.macro),
        "macro_left_out": list(result.macro_left_out),
        "verdicts": result.verdicts,
        "warnings": warnings(result, facts),
        "facts": facts_to_json(facts),
        "gaps": [asdict(row) for row in result.gaps],
        "standardised": [asdict(row) for row in result.standardised],
        "standardised_gaps": [asdict(row) for row in result.standardised_gaps],
        "equalised_odds": [asdict(row) for row in result.equalised_odds],
        "worst_groups": [asdict(row) for row in result.worst_groups],
        "miscalibrated": [asdict(row) for row in result.miscalibrated],
        "no_finding": result.no_finding,
        "underdiagnosis": [asdict(row) for row in result.underdiagnosis],
        "decision_curves": {finding: _curve(curve) for finding, curve in result.decision_curves.items()},
        "coverage": [asdict(row) for row in result.coverage],
        "workload": [asdict(row) for row in workload(result.table, facts.conformal)],
        "confounding": [
            {
                "finding": row.finding,
                "attribute": row.attribute,
                "levels": [{"subgroup": level, "n": n, "n_pos": n_pos} for level, n, n_pos in row.levels],
                "p": row.p,
                "auroc_of_attribute": asdict(row.alone),
                "auroc_of_model": asdict(row.model),
                "auroc_within_levels": asdict(row.within),
                "alarm": row.alarm,
                "shown": row.shown,
            }
            for row in result.confounding
        ],
    }


def _curve(curve: DecisionCurve) -> dict[str, list[float]]:
    return {name: getattr(curve, name).tolist() for name in ("threshold", "net_benefit", "ci_low", "ci_high", "all_called")}
