"""The main job: index → split → prepare → fine-tune → calibrate → evaluate on test → explain a sample → audit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medclassify.audit import AuditResult, write_audit
from medclassify.config import Config, config_to_yaml
from medclassify.manifest import (
    keep_boxes,
    keep_samples,
    read_boxes,
    read_manifest,
    uncertainty_policies,
    write_boxes,
    write_exclusions,
    write_manifest,
)
from medclassify.models import backbone_name, save_bundle, scaling_of
from medclassify.records import Split
from medclassify.runs import RunLayout, atomic_path, write_json, write_provenance, write_text
from medclassify.training import require_growth
from medclassify.training.compiling import require_compiler
from medclassify.workflows.checks import require_data
from medclassify.workflows.consent import without_ids
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.dataset import Dataset, make_dataset, preprocessing_for, with_attributes
from medclassify.workflows.explain_run import explain_run
from medclassify.workflows.index import PHANTOM, Indexed, index_data
from medclassify.workflows.learning import calibrated, learn, start_network
from medclassify.workflows.learning_series import found_slices, learn_series
from medclassify.workflows.mitigation import require_attribute
from medclassify.workflows.probes import attribute_probes
from medclassify.workflows.ranks import Call, Leader, crowding, follow, leading, roll_call
from medclassify.workflows.reporting import audit_options, metrics_json, report_facts
from medclassify.workflows.run_folder import new_run, stage, unfinished_run


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a fit leaves.

    Attributes:
        run: The run directory.
        audit: Estimates and gaps of the test split.
        seconds: Wall time.
    """

    run: RunLayout
    audit: AuditResult
    seconds: float


def fit(config_path: Path, overrides: Sequence[str] = (), *, resume: bool = False) -> Fitted | None:
    """Fits a run, or goes on with one.

    Where several ranks are started, each calls this; rank 0 leads, and the others take part in the training and leave.

    Args:
        config_path: The YAML file.
        overrides: ``--dotted.key value`` words over it.
        resume: Go on from the run's last checkpoint.

    Returns:
        What it leaves; None on another rank than 0.

    Raises:
        MedclassifyError: Something in config, data or disk has to be mended first; nothing is left half-written.
    """
    config, ranks = roll_call(config_path, overrides)
    if ranks.rank:
        follow(ranks)
        return None
    with leading(ranks) as leader:
        return _lead(without_ids(config), config_path, leader, resume)


def _lead(config: Config, config_path: Path, leader: Leader, resume: bool) -> Fitted:
    started = time.monotonic()
    if not resume:
        require_data(config.data)
    if config.model.compile:
        require_compiler()
    if crowded := crowding(leader.ranks, config.trainer.accelerator):
        warn(crowded)
    run = unfinished_run(config, config_path.stem) if resume else new_run(config, config_path.stem)
    config = replace(config, run_dir=str(run.root))
    with stage("reading the data", run):
        network, weights = start_network(config)
        backbone = backbone_name(config.model.backbone, config.model.scale)
        preprocessing = preprocessing_for(config)
        scaling = replace(scaling_of(backbone), dropout=network.drop_rate)  # the config may have chosen another
        say(f"network: {backbone}, {scaling}, {preprocessing.image_size} pixels")
        require_growth(config.optimizer, preprocessing.image_size)
        indexed = _resumed(run, config) if resume else index_data(config.data)
        uncertainty_policies(config.data.uncertain, indexed.manifest.findings)  # a wrong name is told before images are decoded
        require_attribute(indexed.manifest, config.optimizer)
        dataset = make_dataset(indexed, config, preprocessing)
        attributes = with_attributes(dataset.manifest, config.data.attributes)
        _write_inputs(run, config, dataset, indexed.boxes)
    with stage("training", run):
        call = Call(str(run.root.resolve()), str(dataset.store.folder), pretrained=weights.loaded > 0, resume=resume)
        learnt = (learn_series if dataset.store.stacks else learn)(
            network,
            dataset,
            config,
            preprocessing,
            run,
            pretrained=call.pretrained,
            resume=resume,
            ranks=leader.ranks,
            call=lambda: leader.call(call),
        )
    with stage("calibrating", run):
        scorer = calibrated(network, dataset, config, preprocessing, learnt)
        save_bundle(run.model, scorer.bundle)  # frozen before the test split is read
    with stage("testing", run):
        evaluated = keep_samples(
            dataset.manifest, dataset.manifest.frame["sample_id"][dataset.manifest.frame["split"] != Split.TRAIN]
        )
        predictions = scorer.table(evaluated, dataset.store, attributes=attributes)
        with atomic_path(run.predictions) as temporary:
            predictions.to_parquet(temporary)
        test = predictions[predictions["split"] == Split.TEST].reset_index(drop=True)
        found = found_slices(scorer, dataset)
    with stage("explaining", run):
        explanations = explain_run(run, scorer, dataset, test, keep_boxes(indexed.boxes, dataset.manifest), config)
    with stage("auditing", run):
        options, frozen = audit_options(config), call.pretrained
        lots = {"bootstrap": options["bootstrap"], "seed": options["seed"]}
        probes, why_none = attribute_probes(scorer, dataset, learnt, attributes, pretrained=frozen, **lots)
        facts = report_facts(config, dataset, weights, learnt, scorer, explanations, attributes)
        facts = replace(facts, probes=probes, probes_note=why_none)
        with progress("resampling patients") as move:
            audit = write_audit(run.audit, test, facts, attributes=attributes, **options, progress=move)
        seconds = time.monotonic() - started
        write_json(run.metrics, metrics_json(audit, learnt, found, seconds))
        write_provenance(run, {**facts.provenance, "ranks": leader.ranks.number, "seconds": round(seconds, 1)})
    return Fitted(run, audit, seconds)


def _resumed(run: RunLayout, config: Config) -> Indexed:
    """The samples and splits the run was started with: indexing again could draw others."""
    return Indexed(read_manifest(run.manifest), [], synthetic=config.data.source == PHANTOM, boxes=read_boxes(run.manifest))


def _write_inputs(run: RunLayout, config: Config, dataset: Dataset, boxes: pd.DataFrame | None) -> None:
    """What the run was made from; ``config.yaml`` last, for its presence marks a run that can be gone on with."""
    write_manifest(dataset.manifest, run.manifest)
    write_boxes(run.manifest, keep_boxes(boxes, dataset.manifest))
    if not run.exclusions.exists():  # a resumed run keeps the list of its first start
        write_exclusions(run.exclusions, dataset.exclusions)
    write_json(run.leakage, dataset.leakage.to_json())
    write_text(run.config, config_to_yaml(config))
