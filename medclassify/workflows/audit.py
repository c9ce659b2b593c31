"""Audits a run again, or a predictions table made anywhere."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medclassify.audit import AuditResult, ReportFacts, audit_predictions, write_audit
from medclassify.config import load_config
from medclassify.errors import ConfigError
from medclassify.records import Split
from medclassify.runs import RunLayout
from medclassify.runs.provenance import read_provenance


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
    config, facts = load_config(run.config), read_provenance(run)
    table = pd.read_parquet(run.predictions)
    out = out or run.root.with_name(f"{run.root.name}-audit")
    report = ReportFacts(
        title=f"{run.root.name}, audited again",
        synthetic=facts["synthetic"],
        weights=facts["weights"],
        statements=config.audit.statements,
        provenance={key: value for key, value in facts.items() if key != "files"},
    )
    result = write_audit(
        out,
        table[table["split"] == Split.TEST].reset_index(drop=True),
        report,
        attributes=tuple(attributes) or config.data.attributes,
        margin=config.audit.margin,
        bootstrap=config.audit.bootstrap,
        seed=config.seed_everything,
    )
    return result, out
