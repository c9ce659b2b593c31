"""Scores and audits a labelled manifest with a finished run's frozen model and thresholds."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from medclassify.audit import AuditResult, ReportFacts, write_audit
from medclassify.config import Config, DataConfig, load_config
from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, keep_samples, read_manifest
from medclassify.runs import RunLayout
from medclassify.runs.provenance import read_provenance
from medclassify.workflows.checks import default_folder, finished_run, require_manifest, require_new_folder
from medclassify.workflows.consent import Withdrawn, data_statements, excluded_patients
from medclassify.workflows.console import progress, warn
from medclassify.workflows.dataset import prepare, with_attributes
from medclassify.workflows.index import report_exclusions
from medclassify.workflows.modalities import keep_learnt
from medclassify.workflows.overlap import overlap, rows_to_evaluate
from medclassify.workflows.reporting import audit_options, split_facts
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.tables import write_table


def evaluate(
    run_folder: Path, manifest_path: Path | None, out: Path | None, exclude_patients: Sequence[str] = ()
) -> tuple[AuditResult, Path]:
    """Scores a manifest, or the run's own test split, and audits the result.

    Args:
        run_folder: A finished run.
        manifest_path: A labelled manifest; None takes the run's test split.
        out: Folder for ``predictions.parquet`` and ``audit/``; a folder beside the run when left out.
        exclude_patients: Patients who withdrew consent, besides those whom the run's config leaves out.

    Returns:
        The audit, and the folder.

    Raises:
        ManifestError: The manifest lacks the model's findings or the config's attributes.
        RunError: The folder holds something already.
    """
    run = finished_run(run_folder)
    require_manifest(manifest_path)
    name = manifest_path.stem if manifest_path else "test"
    out = out or default_folder(run_folder, manifest_path)
    require_new_folder(out)
    scorer, config = Scorer.of_run(run.model), load_config(run.config)
    manifest = _labelled(read_manifest(manifest_path or run.manifest), scorer)
    manifest = rows_to_evaluate(manifest)
    withdrawn = Withdrawn.of(exclude_patients, run)
    manifest, left_out = withdrawn.leave_out(manifest)
    manifest, foreign = keep_learnt(manifest, scorer.bundle.modalities)
    manifest, apart = scorer.take(manifest)
    store, unreadable = prepare(manifest, scorer.bundle.preprocessing)
    exclusions = [*left_out, *foreign, *apart, *unreadable]
    report_exclusions(exclusions)
    manifest = keep_samples(manifest, store.sample_ids)
    attributes = with_attributes(manifest, config.data.attributes)
    predictions = scorer.table(manifest, store, attributes=attributes)
    write_table(predictions, out / "predictions.parquet")
    provenance, leakage = read_provenance(run), _leakage(run, config, manifest, manifest_path)
    facts = ReportFacts(
        title=f"{scorer.bundle.backbone} of {run.root.name} on {name}",
        synthetic=scorer.bundle.synthetic,
        weights=provenance["weights"],
        model={
            "backbone": scorer.bundle.backbone,
            "image_size": scorer.bundle.preprocessing.image_size,
            "task": scorer.bundle.task,
            "weights_sha256": scorer.bundle.fingerprint,
        },
        preprocessing=asdict(scorer.bundle.preprocessing),
        exclusions={exclusion.reason: sum(e.reason == exclusion.reason for e in exclusions) for exclusion in exclusions},
        probes_note="Attributes are probed by the fit, on the run's own test split; see the run's report.",
        operating_points=scorer.points,
        calibration_notes=scorer.calibrator.notes,
        conformal=scorer.bundle.conformal or {},
        statements=config.audit.statements,
        provenance={key: value for key, value in provenance.items() if key != "files"},
        leakage=leakage,
        warnings=() if manifest_path is None else leakage["findings"],
        data={
            # The config speaks of the run's own data; nobody has told about another manifest's.
            **data_statements(config if manifest_path is None else replace(config, data=DataConfig())),
            "excluded_on_request": excluded_patients(left_out),
        },
        **split_facts(manifest, scorer.bundle.findings, attributes),
    )
    with progress("resampling patients") as move:
        audit = write_audit(out / "audit", predictions, facts, attributes=attributes, **audit_options(config), progress=move)
    return audit, out


def _labelled(manifest: Manifest, scorer: Scorer) -> Manifest:
    missing = [name for name in scorer.bundle.findings if name not in manifest.frame.columns]
    if missing:
        raise ManifestError(
            f"{manifest.source}: has no column for {', '.join(missing)}, which the model predicts. "
            "Add it with 1, 0 or blank; blank everywhere if it was not labelled."
        )
    return replace(manifest, findings=scorer.bundle.findings) if manifest.findings != scorer.bundle.findings else manifest


def _leakage(run: RunLayout, config: Config, manifest: Manifest, manifest_path: Path | None) -> dict[str, Any]:
    """The run's own check for its own test split; else patients the model has used must not count as evidence in silence."""
    if manifest_path is None:
        return {**json.loads(run.leakage.read_text(encoding="utf-8")), "allowed": config.data.allow_leakage}
    found = overlap(read_manifest(run.manifest), manifest)
    for line in found.found:
        warn(line)
    return found.to_json()
