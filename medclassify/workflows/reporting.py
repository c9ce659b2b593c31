"""Gathers what a report and ``metrics.json`` say besides the statistics."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.audit import AuditResult, ReportFacts, describe_splits
from medclassify.config import Config, config_to_yaml
from medclassify.manifest import Manifest, is_of_series
from medclassify.models import WeightsReport
from medclassify.training import TrainingResult
from medclassify.workflows.consent import data_statements
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.environment import code_commit, hardware, versions
from medclassify.workflows.explain_run import Explanations
from medclassify.workflows.index import PHANTOM
from medclassify.workflows.learning import Learnt
from medclassify.workflows.learning_series import FoundSlices
from medclassify.workflows.mitigation import mitigation_facts
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.stacks import in_words

_ASKED = ("modality", "view", "site", "manufacturer")


def report_facts(
    config: Config,
    dataset: Dataset,
    weights: WeightsReport,
    learnt: Learnt,
    scorer: Scorer,
    explanations: Explanations,
    attributes: Sequence[str],
) -> ReportFacts:
    """Everything the audit report prints that is not computed from the predictions."""
    network, preprocessing = scorer.bundle.network, scorer.bundle.preprocessing
    training, probe = learnt.training, learnt.probe
    synthetic, samples = dataset.synthetic, in_words(dataset.manifest, preprocessing)
    return ReportFacts(
        title=f"{scorer.bundle.backbone} on {'synthetic demonstration data' if synthetic else samples}",
        synthetic=synthetic,
        weights=weights.to_json(),
        model={
            "backbone": scorer.bundle.backbone,
            "image_size": preprocessing.image_size,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "task": scorer.bundle.task,
            "weights_sha256": scorer.bundle.fingerprint,
            "recipe": "; ".join(learnt.decisions),
            "kept_epoch": training.best_epoch + 1 if training else None,
            "chosen_by": training.monitor if training else None,
            "head_alone_tune_auroc": probe.tune_auroc if probe else None,
            **mitigation_facts(config.optimizer),
        },
        config=shown_config(config),
        exclusions=dict(Counter(exclusion.reason for exclusion in dataset.exclusions)),
        leakage={**dataset.leakage.to_json(), "allowed": config.data.allow_leakage},
        operating_points=scorer.points,
        calibration_notes=scorer.calibrator.notes,
        preprocessing=asdict(preprocessing),
        conformal=scorer.bundle.conformal or {},
        history=training.history if training else (),
        explanations=explanations.cases,
        sanity=explanations.sanity,
        localisation=_records(explanations.localisation, attribute="all"),
        shortcuts=_records(explanations.shortcuts),
        statements=config.audit.statements,
        provenance=provenance(config, dataset, weights, learnt, scorer),
        warnings=dataset.warnings,
        data={
            **data_statements(config),
            "excluded_on_request": len(config.data.exclude_patients),
        },
        **split_facts(dataset.manifest, dataset.manifest.findings, attributes),
    )


def split_facts(manifest: Manifest, findings: Sequence[str], attributes: Sequence[str]) -> dict[str, Any]:
    """Counts of each split, by the audit's attributes and by what a reader asks of any collection: where, how it was made."""
    asked = [name for name in _ASKED if name in manifest.frame and manifest.frame[name].notna().any()]
    sampled = "series" if is_of_series(manifest) else "images"
    return describe_splits(manifest.frame, findings, tuple(dict.fromkeys((*attributes, *asked))), sampled=sampled)


def audit_options(config: Config) -> dict[str, Any]:
    """What the config says about how an audit is computed."""
    audit = config.audit
    return {
        "intersections": audit.intersections,
        "standardise": audit.standardise,
        "margin": audit.margin,
        "bootstrap": audit.bootstrap,
        "seed": config.seed_everything,
    }


def _records(table: pd.DataFrame | None, **chosen: str) -> list[dict[str, Any]]:
    """The rows of a table with these values as JSON values; blanks are None."""
    if table is None:
        return []
    rows = table
    for name, value in chosen.items():
        rows = rows[rows[name] == value]
    return json.loads(str(rows.to_json(orient="records", double_precision=6)))


def shown_config(config: Config) -> dict[str, Any]:
    """The config as reports show it: without names of folders, files and database users, which may be a person's."""
    shown = asdict(config)
    for part, key in ((shown["data"], "source"), (shown["data"], "labels"), (shown, "run_dir")):
        if part[key] and part[key] != PHANTOM:
            part[key] = f"{'a folder' if not Path(part[key]).suffix else f'a {Path(part[key]).suffix} file'} (see config.yaml)"
    if store := shown["review"]["store"]:
        shown["review"]["store"] = f"{'a PostgreSQL database' if '://' in store else 'a SQLite file'} (see config.yaml)"
    shown["model"]["weights"] = Path(shown["model"]["weights"]).name  # a word such as imagenet stays as it is
    return shown


def provenance(config: Config, dataset: Dataset, weights: WeightsReport, learnt: Learnt, scorer: Scorer) -> dict[str, Any]:
    """What the run was made from and with."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "synthetic": dataset.synthetic,
        "data_sha256": dataset.manifest.fingerprint,
        "config_sha256": sha256(config_to_yaml(config).encode()).hexdigest(),
        **data_statements(config),
        "allow_leakage": config.data.allow_leakage,
        "weights": weights.to_json(),
        "model_sha256": scorer.bundle.fingerprint,
        "decisions_sha256": scorer.bundle.decisions_sha256,
        "learning": list(learnt.decisions),
        "seed": config.seed_everything,
        **mitigation_facts(config.optimizer),
        "versions": versions(),
        "hardware": hardware(),
        "git_commit": code_commit(),
    }


def metrics_json(audit: AuditResult, learnt: Learnt, found: Sequence[FoundSlices], seconds: float) -> dict[str, Any]:
    """The headline figures of the test split, and how the training went."""
    overall = [row for row in audit.estimates if row.attribute == "all"]
    return {
        "split": "test",
        "estimates": [
            {"finding": row.finding, "metric": row.metric, "n": row.n, "n_pos": row.n_pos, **asdict(row.estimate)}
            for row in overall
        ],
        "macro_auroc": audit.macro_auroc,
        "macro_left_out": list(audit.macro_left_out),
        "training": {
            "recipe": learnt.settings.recipe,
            "batch_norm": learnt.settings.batch_norm,
            "decisions": list(learnt.decisions),
            **_course(learnt.training),
            "head_alone": asdict(learnt.probe) if learnt.probe else None,
            **({"attention": asdict(learnt.attention_fit)} if learnt.attention_fit else {}),
        },
        **({"found_slices": [asdict(row) for row in found]} if learnt.attention_fit else {}),
        "seconds": round(seconds, 1),
    }


def _course(training: TrainingResult | None) -> dict[str, Any]:
    """How epochs went; a linear probe has none, and its penalties stand under ``head_alone``."""
    if training is None:
        return {"epochs": 0, "history": []}
    return {
        "epochs": len(training.history),
        "kept_epoch": training.best_epoch + 1,
        "monitor": training.monitor,
        "best_score": training.best_score,
        "stopped_early": training.stopped_early,
        "step_share": training.step_share,
        "history": [{**row, "epoch": row["epoch"] + 1} for row in training.history],  # counted as kept_epoch is
    }
