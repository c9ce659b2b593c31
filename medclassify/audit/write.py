"""Writes the audit folder, and audits a table of which nothing else is known."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.audit.coverage import workload
from medclassify.audit.estimates import estimates_frame
from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import gaps_frame
from medclassify.audit.report import model_card, render_report
from medclassify.audit.report.summary import warnings
from medclassify.audit.results import AuditResult, compute_audit
from medclassify.audit.stored_facts import facts_to_json
from medclassify.audit.table import AuditTable, audit_table, require_two_classes
from medclassify.runs import write_json, write_text

SCHEMA_VERSION = 1


def write_audit(
    out_dir: Path | str,
    predictions: pd.DataFrame | AuditTable | Path | str,
    facts: ReportFacts,
    *,
    attributes: Sequence[str] = (),
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
) -> AuditResult:
    """Computes the audit and writes ``report.html``, ``model_card.md``, ``estimates.csv``, ``gaps.csv`` and ``audit.json``.

    Each file is written whole or not at all, the report last.

    Args:
        out_dir: The folder; it is made.
        predictions: The contract's predictions table, or anyone's (see `audit_table`).
        facts: What the report tells besides the statistics.
        attributes: Columns to report by.
        margin: Equivalence margin of gaps.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.

    Returns:
        The statistics.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
        StorageError: The folder cannot be written.
    """
    result = compute_audit(predictions, attributes=attributes, margin=margin, bootstrap=bootstrap, seed=seed)
    report, card, out = render_report(result, facts), model_card(result, facts), Path(out_dir)
    write_text(
        out / "estimates.csv", estimates_frame([*result.estimates, *result.coverage]).to_csv(index=False, lineterminator="\n")
    )
    write_text(out / "gaps.csv", gaps_frame(result.gaps).to_csv(index=False, lineterminator="\n"))
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
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
) -> AuditResult:
    """Audits anyone's predictions table.

    Args:
        predictions: A frame, or a .csv, .tsv or .parquet file: ``target`` (or ``label_value``, ``label``) and ``probability``
            or ``score``, optionally ``finding``, ``sample_id``, ``patient_id``, ``threshold``, ``decision``.
        attributes: Columns to report by.
        out_dir: Where to write the report and its tables; nothing is written when left out.
        title: The report's heading.
        margin: Equivalence margin of gaps.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
        StorageError: The folder cannot be written.
    """
    name = "a predictions table" if isinstance(predictions, pd.DataFrame) else Path(predictions).name
    table = audit_table(predictions, attributes)
    require_two_classes(table, "predictions" if isinstance(predictions, pd.DataFrame) else str(predictions))
    options = {"margin": margin, "bootstrap": bootstrap, "seed": seed}
    if out_dir is None:
        return compute_audit(table, **options)
    return write_audit(out_dir, table, ReportFacts(title or f"Audit of {name}"), **options)


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
        "macro_auroc": asdict(result.macro),
        "macro_left_out": list(result.macro_left_out),
        "verdicts": result.verdicts,
        "warnings": warnings(result, facts),
        "facts": facts_to_json(facts),
        "gaps": [asdict(row) for row in result.gaps],
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
