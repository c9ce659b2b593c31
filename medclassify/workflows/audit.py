"""Audits a run again, or a predictions table made anywhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.audit import (
    AuditResult,
    ReportFacts,
    audit_predictions,
    describe_splits,
    facts_from_json,
    write_audit,
)
from medclassify.audit.reading import read_table
from medclassify.audit.table import file_finding
from medclassify.config import load_config
from medclassify.errors import ConfigError, RunError
from medclassify.manifest import read_manifest, without_patients
from medclassify.manifest.identity import PATIENT_EXCLUDED
from medclassify.records import Split
from medclassify.runs import RunLayout
from medclassify.workflows.consent import Withdrawn, excluded_patients
from medclassify.workflows.console import progress, say


def audit(
    run_folder: Path | None,
    predictions: Path | None,
    attributes: Sequence[str],
    out: Path | None,
    exclude_patients: Sequence[str] = (),
    intersections: Sequence[Sequence[str]] = (),
) -> tuple[AuditResult, Path]:
    """Writes an audit.

    Args:
        run_folder: A finished run; its test split is audited by the config's attributes or the given ones.
        predictions: Instead of a run: anyone's table.
        attributes: Columns to report by.
        out: A new or empty folder.
        exclude_patients: Patients who withdrew consent: nothing counts or shows them.
        intersections: Attributes to cross; the config's where none are named for a run.

    Raises:
        ConfigError: Neither or both were named.
        RunError: The folder is not empty.
        MedclassifyError: The table is not usable.
    """
    if (run_folder is None) == (predictions is None):
        raise ConfigError(
            "audit needs either RUN or --predictions FILE, e.g. medclassify audit --predictions theirs.csv --attributes sex"
        )
    if predictions is not None:
        out = _empty(out or predictions.with_name(f"{predictions.stem}-audit"))
        result = _audit_table(predictions, attributes, out, exclude_patients, intersections)
    else:
        assert run_folder is not None
        run = RunLayout.open(run_folder)
        out = _empty(out or run.root.with_name(f"{run.root.name}-audit"))
        result = _audit_run(run, attributes, out, exclude_patients, intersections)
    _tell(result)
    return result, out


def _audit_table(
    predictions: Path,
    attributes: Sequence[str],
    out: Path,
    exclude_patients: Sequence[str],
    intersections: Sequence[Sequence[str]],
) -> AuditResult:
    table, title = predictions, None
    if exclude_patients:
        table = Withdrawn.of(exclude_patients).leave_out_rows(read_table(predictions), str(predictions))
        table = table if "finding" in table else table.assign(finding=file_finding(predictions))
        title = f"Audit of {predictions.name}"
    with progress("resampling patients") as move:
        return audit_predictions(table, attributes, out_dir=out, title=title, intersections=intersections, progress=move)


def _audit_run(
    run: RunLayout,
    attributes: Sequence[str],
    out: Path,
    exclude_patients: Sequence[str],
    intersections: Sequence[Sequence[str]],
) -> AuditResult:
    from medclassify.workflows.reporting import audit_options, shown_config  # imports torch, which a table does not need

    config, table = load_config(run.config), pd.read_parquet(run.predictions)
    facts = _stored_facts(run, shown_config(config))
    withdrawn = Withdrawn.of(exclude_patients, run)
    kept = withdrawn.leave_out_rows(table, str(run.predictions))
    everyone = len(kept) == len(table)
    if not everyone:
        facts = _without(facts, run, withdrawn, set(kept["sample_id"]))
        table = kept
    chosen = tuple(attributes) or config.data.attributes
    facts = _probed(facts, chosen, config.data.attributes, everyone=everyone)
    options = audit_options(config)
    declared = [parts for parts in options["intersections"] if set(parts) <= set(chosen)]
    options["intersections"] = tuple(intersections) or tuple(declared)
    with progress("resampling patients") as move:
        return write_audit(
            out,
            table[table["split"] == Split.TEST].reset_index(drop=True),
            replace(facts, title=f"{facts.title}, audited again"),
            attributes=chosen,
            **options,
            progress=move,
        )


def _probed(facts: ReportFacts, attributes: Sequence[str], asked: Sequence[str], *, everyone: bool) -> ReportFacts:
    """The run's probes of these attributes; they rest on embeddings, which are made by ``fit`` alone.

    Args:
        facts: The run's.
        attributes: What is audited now.
        asked: What the fit was asked to look at; why it could not probe some of them is in its own note.
        everyone: No patient is left out now who was there then.
    """
    if not everyone:
        return replace(
            facts, probes=(), probes_note="The run's probes counted patients who are left out here, and are not shown."
        )
    kept = [probe for probe in facts.probes if probe.attribute in attributes]
    missing = [name for name in attributes if name not in {*asked, *(probe.attribute for probe in kept)}]
    new = f"Not probed when the run was made: {', '.join(missing)} (fit looks at data.attributes)." if missing else ""
    return replace(facts, probes=kept, probes_note=" ".join(filter(None, (facts.probes_note, new))))


def _empty(out: Path) -> Path:
    """Refuses a folder that holds anything: the earlier report would be lost."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: exists and is not an empty folder. Choose another one with --out.")
    return out


def _tell(result: AuditResult) -> None:
    """What the reader of the console must know about the table, before its figures."""
    for note in result.table.notes:
        say(f"note: {note}")
    if not result.table.attributes:
        say("note: No --attributes were given, so nothing is said about subgroups.")


def _without(facts: ReportFacts, run: RunLayout, withdrawn: Withdrawn, kept: set[str]) -> ReportFacts:
    """The run's facts, counted again without the excluded patients, and without their pictures."""
    manifest = read_manifest(run.manifest)
    rest, left_out, _ = without_patients(manifest, withdrawn.everyone, withdrawn.hasher)
    return replace(
        facts,
        explanations=[case for case in facts.explanations if case.sample_id in kept],
        localisation=(),  # sums over everyone: without the maps they cannot be made again for the rest
        shortcuts=(),
        exclusions={**facts.exclusions, PATIENT_EXCLUDED: facts.exclusions.get(PATIENT_EXCLUDED, 0) + len(left_out)},
        data={**facts.data, "excluded_from_this_audit": excluded_patients(left_out)},
        **describe_splits(rest.frame, rest.findings, tuple(facts.demographics), sampled=facts.sampled),
    )


def _stored_facts(run: RunLayout, config: Mapping[str, Any]) -> ReportFacts:
    """What the run's own report told: its model, the way of the samples, the explained cases."""
    from medclassify.workflows.explanations import stored_cases  # imports torch

    path = run.audit / "audit.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["facts"]
        return facts_from_json(stored, config=config, explanations=stored_cases(run))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: the facts of the first report cannot be read ({error!r}). "
            f"Check the run with: medclassify verify {run.root}"
        ) from error
