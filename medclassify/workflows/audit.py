"""Audits a run again, or a predictions table made anywhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.audit import AuditResult, ReportFacts, audit_predictions, facts_from_json, write_audit
from medclassify.config import load_config
from medclassify.errors import ConfigError, RunError
from medclassify.records import Split
from medclassify.runs import RunLayout
from medclassify.workflows.explanations import stored_cases


def audit(
    run_folder: Path | None, predictions: Path | None, attributes: Sequence[str], out: Path | None
) -> tuple[AuditResult, Path]:
    """Writes an audit.

    Args:
        run_folder: A finished run; its test split is audited by the config's attributes or the given ones.
        predictions: Instead of a run: anyone's table.
        attributes: Columns to report by.
        out: Where to write.

    Raises:
        ConfigError: Neither or both were named.
        MedclassifyError: The table is not usable.
    """
    if (run_folder is None) == (predictions is None):
        raise ConfigError(
            "audit needs either RUN or --predictions FILE, e.g. medclassify audit --predictions theirs.csv --attributes sex"
        )
    if predictions is not None:
        out = out or predictions.with_name(f"{predictions.stem}-audit")
        return audit_predictions(predictions, attributes, out_dir=out), out
    assert run_folder is not None
    run = RunLayout.open(run_folder)
    config, table = load_config(run.config), pd.read_parquet(run.predictions)
    out = out or run.root.with_name(f"{run.root.name}-audit")
    facts = _stored_facts(run, asdict(config))
    result = write_audit(
        out,
        table[table["split"] == Split.TEST].reset_index(drop=True),
        replace(facts, title=f"{facts.title}, audited again"),
        attributes=tuple(attributes) or config.data.attributes,
        margin=config.audit.margin,
        bootstrap=config.audit.bootstrap,
        seed=config.seed_everything,
    )
    return result, out


def _stored_facts(run: RunLayout, config: Mapping[str, Any]) -> ReportFacts:
    """What the run's own report told: its model, the way of the samples, the explained cases."""
    path = run.audit / "audit.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["facts"]
        return facts_from_json(stored, config=config, explanations=stored_cases(run))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: the facts of the first report cannot be read ({error!r}). "
            f"Check the run with: medclassify verify {run.root}"
        ) from error
