"""From a dataset and a config to a fine-tuned, calibrated model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, seed_everything
from timm.models.efficientnet import EfficientNet

from medclassify.calibration import (
    CURVE_ALPHAS,
    Calibrator,
    choose_operating_points,
    conformal_to_json,
    correctable,
    decision_fingerprint,
    fit_calibrator,
    fit_conformal,
    operating_points_to_json,
    prevalence_shifts,
)
from medclassify.config import Config, OptimizerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.errors import ConfigError
from medclassify.manifest import Manifest, apply_uncertainty, uncertainty_notes
from medclassify.models import (
    GatedAttention,
    ModelBundle,
    WeightsReport,
    backbone_name,
    create_network,
    load_weights,
    state_fingerprint,
    whole_state,
)
from medclassify.records import ConformalRule, Preprocessing, ProbabilityTable, Split
from medclassify.runs import RunLayout
from medclassify.training import (
    FINE_STRENGTHS,
    RARE,
    STRENGTHS,
    AttentionFit,
    Classifier,
    Growth,
    HeadProbe,
    Ranks,
    TrainingResult,
    class_weights,
    fine_tune,
    growth_notes,
    opening_line,
    settle_recipe,
    start_head,
)
from medclassify.workflows.console import say, warn
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.device import best_device
from medclassify.workflows.heads import embed_store, probe_head
from medclassify.workflows.mitigation import mitigate
from medclassify.workflows.modalities import modalities_of
from medclassify.workflows.scoring import Scorer, deciding


def start_network(config: Config) -> tuple[EfficientNet, WeightsReport]:
    """Builds the network and loads its initial weights; before the data are read, so that missing weights stop a run at once.

    Raises:
        WeightsError: The weights cannot be had.
    """
    seed_everything(config.seed_everything, verbose=False)
    model = config.model
    network = create_network(
        backbone_name(model.backbone, model.scale),
        findings=1,
        drop_rate=model.drop_rate,
        drop_path_rate=model.drop_path_rate,
        grad_checkpointing=model.grad_checkpointing,
    )
    weights = load_weights(network, model.weights, allow_random=model.allow_random_weights)
    (warn if weights.fallback else say)(f"weights: {weights.note}")
    return network, weights


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """How the weights were learnt.

    Attributes:
        settings: What was done: the config's, settled.
        decisions: What was decided and why, in words; the first line names the recipe.
        probe: How the head alone did, or None where it was not fitted.
        training: How the training went, or None where there was none (``linear_probe``).
        embeddings: Of every image of the store, where the network that made them is the model (``linear_probe``, series).
        attention: Weighs the slices of series; None where samples are images.
        attention_fit: How that was learnt.
        initial: Of every image of the store, by the weights that learning started from; None where no head was fitted on them.
    """

    settings: OptimizerConfig
    decisions: tuple[str, ...]
    probe: HeadProbe | None
    training: TrainingResult | None
    embeddings: NDArray[np.float32] | None = None
    attention: GatedAttention | None = None
    attention_fit: AttentionFit | None = None
    initial: NDArray[np.float32] | None = None


def learn(
    network: EfficientNet,
    dataset: Dataset,
    config: Config,
    preprocessing: Preprocessing,
    run: RunLayout,
    *,
    pretrained: bool,
    resume: bool,
    ranks: Ranks,
    call: Callable[[], None] = lambda: None,
    callbacks: Sequence[Callback] = (),
) -> Learnt:
    """Learns the network's weights in place, by the config's recipe.

    Args:
        network: Built by ``start_network``.
        dataset: Split and prepared.
        config: The run's config.
        preprocessing: What the network expects.
        run: Where checkpoints and logs go.
        pretrained: The backbone's weights were loaded; no head is fitted on random features, whose scale changes with the
            first step.
        resume: Go on from ``last.ckpt`` where there is one.
        ranks: Who trains together.
        call: Calls the other ranks, once there is something to do for them.
        callbacks: What else looks on while the network learns.
    """
    findings, task = dataset.manifest.findings, config.data.task
    require_known(config.calibration.prevalence, findings)
    torch.manual_seed(config.seed_everything)
    network.reset_classifier(len(findings))
    checkpoint = run.last_checkpoint if resume and run.last_checkpoint.is_file() else None
    train, tune = _to_learn(dataset, config), dataset.of_split(Split.TUNE)
    batch_size = min(config.data.batch_size, len(train) // ranks.number)
    settings, decisions = settle_recipe(config.optimizer, pretrained=pretrained, batch_size=batch_size)
    for line in decisions:
        (warn if " instead of " in line else say)(line)
    if settings.recipe == "linear_probe":
        embeddings = embed_store(network, dataset.store, preprocessing)
        probe = probe_head(network, findings, (train, tune), embeddings, task=task, strengths=FINE_STRENGTHS)
        return Learnt(settings, decisions, probe, None, embeddings, initial=embeddings)
    weights = class_weights(train.targets.numpy(), train.mask.numpy() > 0, settings.class_weighting)
    mitigation = mitigate(dataset.manifest, train, config)
    probe = initial = None
    if settings.recipe == "full":
        known = train.mask.numpy() > 0
        start_head(network, train.targets.numpy(), known, weights.numpy(), task=task, rarer_than=RARE)
    elif not ranks.rank:  # the others get its head with its weights
        initial = embed_store(network, dataset.store, preprocessing)
        probe = probe_head(network, findings, (train, tune), initial, task=task, strengths=STRENGTHS)
    start = {name: value.clone() for name, value in network.state_dict().items()} if probe else {}
    data = PreparedDataModule(
        train,
        tune,
        preprocessing,
        batch_size=config.data.batch_size,
        num_workers=config.data.num_workers,
        augment=settings.augment,
        seed=config.seed_everything,
        order=mitigation.order,
        say=say,
    )
    classifier = Classifier(network, findings, task, settings, weights, mitigation.group_dro)
    step = config.data.batch_size * ranks.number
    say(f"fine-tuning: {len(train)} images, {step} a step, at most {config.trainer.max_epochs} epochs")
    if settings.recipe == "gradual":
        say(f"  learning from epoch: {opening_line(network, config.trainer.max_epochs)}")
    growing = growth_notes(settings, preprocessing.image_size, config.trainer.max_epochs)
    for line in growing:
        say(f"  {line}")
    growth = [Growth(settings, preprocessing.image_size, say)] if growing else []
    extra = [*callbacks, *growth]
    monitor = _monitor(dataset)
    call()
    result = fine_tune(classifier, data, config, run, monitor=monitor, ranks=ranks, resume=checkpoint, say=say, extra=extra)
    decisions = (*decisions, *mitigation.notes, *growing)
    score = _better_head(probe, result)
    if score is None:
        say(f"kept epoch {result.best_epoch + 1} ({result.monitor} {result.best_score:.4f})")
        return Learnt(settings, decisions, probe, result, initial=initial)
    network.load_state_dict(start)
    line = _head_kept(score, result.best_score)
    warn(line)
    kept = replace(result, best_epoch=-1, best_score=score)
    return Learnt(settings, (*decisions, line), probe, kept, embeddings=initial, initial=initial)


def _better_head(probe: HeadProbe | None, result: TrainingResult) -> float | None:
    """The head's tune AUROC where no epoch came up to it, as may happen with a few hundred images."""
    if probe is None or probe.tune_auroc is None or result.monitor != "tune_auroc" or result.best_score >= probe.tune_auroc:
        return None
    return probe.tune_auroc


def _head_kept(head: float, tuned: float) -> str:
    return (
        f"the head on frozen features is kept: its tune AUROC is {head:.4f}, and fine-tuning ends at {tuned:.4f}. More images, "
        "more epochs or a lower optimizer.lr may change that; --optimizer.recipe linear_probe gives the same in seconds"
    )


def calibrated(
    network: EfficientNet,
    dataset: Dataset,
    config: Config,
    preprocessing: Preprocessing,
    learnt: Learnt,
) -> Scorer:
    """Fits calibrator, operating points and conformal rules on the calibrate split; after this, nothing of the model changes.

    Where ``learnt`` holds embeddings of the store (M, D), the scorer computes the head alone.
    """
    embeddings = learnt.embeddings
    manifest = dataset.manifest.of_split(Split.CALIBRATE)
    bundle = ModelBundle(
        network=network.eval().to(best_device()),
        backbone=backbone_name(config.model.backbone, config.model.scale),
        findings=manifest.findings,
        task=config.data.task,
        preprocessing=preprocessing,
        calibrator=None,
        operating_points=None,
        synthetic=dataset.synthetic,
        fingerprint=state_fingerprint(whole_state(network, learnt.attention)),
        attention=learnt.attention,
        modalities=modalities_of(dataset.manifest.of_split(Split.TRAIN)),
    )
    settings = config.calibration
    targets, mask = manifest.targets()
    uncalibrated = Scorer(bundle, None, (), embeddings)  # type: ignore[arg-type]
    logits = uncalibrated.logits(dataset.store, manifest.frame["sample_id"].tolist(), "scoring calibrate split")
    calibrator = fit_calibrator(logits, targets, mask, task=config.data.task, method=settings.method)
    prob = calibrator.transform(logits)
    points = choose_operating_points(
        prob,
        targets,
        mask,
        criterion=settings.criterion,
        target=settings.target,
        cost_ratio=settings.cost_ratio,
        split=Split.CALIBRATE,
    )
    rules, conformal = _conformal(prob, manifest, settings.conformal_alpha)
    for line in (*calibrator.notes, *(each.warning for each in (*points, *rules) if each.warning)):
        say(f"  {line}")
    finished = replace(
        bundle,
        calibrator=calibrator.to_json(),
        operating_points=operating_points_to_json(points),
        conformal=conformal,
        prevalence=_declared(calibrator, settings.prevalence),
    )
    finished = replace(finished, decisions_sha256=decision_fingerprint(deciding(finished)))
    say(f"  frozen before the test split is read: {finished.decisions_sha256[:12]} (calibrator, thresholds, conformal rules)")
    return Scorer(finished, calibrator, points, embeddings, rules)


def require_known(prevalence: Mapping[str, float], findings: Sequence[str]) -> None:
    """A wrong name is told before anything is learnt."""
    for finding in prevalence:
        if finding not in findings:
            known = ", ".join(findings)
            raise ConfigError(f"calibration.prevalence names {finding!r}; the findings are {known}. Correct the name.")


def _declared(calibrator: Calibrator, prevalence: Mapping[str, float]) -> dict[str, float]:
    """The prevalence that ``predict`` will correct for; what cannot be corrected is left out, loudly."""
    kept = {finding: share for finding, share in prevalence.items() if correctable(calibrator, finding)}
    for finding in prevalence:
        if finding not in kept:
            warn(f"{finding}: was not calibrated, so `predict` will not correct it to a prevalence of {prevalence[finding]:g}")
    for shift in prevalence_shifts(calibrator, kept):
        say(f"  at `predict`, not in this run's test table: {shift.note}")
    return kept


def _conformal(
    prob: ProbabilityTable, manifest: Manifest, alpha: float
) -> tuple[tuple[ConformalRule, ...], dict[str, Any] | None]:
    """The rules of the chosen level, and their JSON with those of the curve; nothing where they are switched off."""
    if not alpha:
        say("  no conformal sets, as asked (calibration.conformal_alpha 0)")
        return (), None
    (targets, mask), patients = manifest.targets(), manifest.frame["patient_id"].astype(str).tolist()
    rules = fit_conformal(prob, targets, mask, patients, alpha=alpha)
    levels = sorted({*CURVE_ALPHAS, alpha})
    curve = [rule for level in levels for rule in fit_conformal(prob, targets, mask, patients, alpha=level)]
    return rules, conformal_to_json(rules, curve)


def _to_learn(dataset: Dataset, config: Config) -> PreparedDataset:
    """The train split as ``data.uncertain`` wants it learnt; every other split keeps to certain labels."""
    manifest = dataset.manifest.of_split(Split.TRAIN)
    labels = manifest.frame[list(manifest.findings)].to_numpy(dtype=np.float64, na_value=np.nan)
    targets, mask, counts = apply_uncertainty(labels, config.data.uncertain, manifest.findings)
    for line in uncertainty_notes(counts, Split.TRAIN):
        say(line)
    rows = dataset.store.rows(manifest.frame["sample_id"].tolist())
    return PreparedDataset(dataset.store.images, rows, targets, mask)


def _monitor(dataset: Dataset) -> str:
    targets, mask = dataset.manifest.of_split(Split.TUNE).targets()
    positives, known = (targets * mask).sum(axis=0), mask.sum(axis=0)
    if ((positives > 0) & (positives < known)).any():
        return "tune_auroc"
    warn("no finding has both classes in the tune split: the epoch is chosen by tune loss instead of AUROC")
    return "tune_loss"
