"""From a dataset and a config to a fine-tuned, calibrated model."""

from dataclasses import replace

import numpy as np
import torch
from pytorch_lightning import seed_everything
from timm.models.efficientnet import EfficientNet

from medclassify.calibration import choose_operating_points, fit_calibrator, operating_points_to_json
from medclassify.config import Config
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.inference import embed
from medclassify.manifest import apply_uncertainty, uncertainty_notes
from medclassify.models import ModelBundle, WeightsReport, backbone_name, create_network, load_weights, state_fingerprint
from medclassify.records import Preprocessing, Split
from medclassify.runs import RunLayout
from medclassify.training import Classifier, HeadProbe, TrainingResult, class_weights, fine_tune, fit_head
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.modalities import modalities_of
from medclassify.workflows.scoring import Scorer, best_device


def start_network(config: Config) -> tuple[EfficientNet, WeightsReport]:
    """Builds the network and loads its initial weights; before the data are read, so that missing weights stop a run at once.

    Raises:
        WeightsError: The weights cannot be had.
    """
    seed_everything(config.seed_everything, verbose=False)
    model = config.model
    network = create_network(
        backbone_name(model.backbone, model.scale), findings=1, drop_rate=model.drop_rate, drop_path_rate=model.drop_path_rate
    )
    weights = load_weights(network, model.weights, allow_random=model.allow_random_weights)
    (warn if weights.fallback else say)(f"weights: {weights.note}")
    return network, weights


def learn(
    network: EfficientNet,
    dataset: Dataset,
    config: Config,
    preprocessing: Preprocessing,
    run: RunLayout,
    *,
    pretrained: bool,
    resume: bool,
) -> tuple[HeadProbe | None, TrainingResult]:
    """Fine-tunes the network in place.

    Args:
        network: Built by ``start_network``.
        dataset: Split and prepared.
        config: The run's config.
        preprocessing: What the network expects.
        run: Where checkpoints and logs go.
        pretrained: The backbone's weights were loaded; a head is not warmed up on random features, whose scale changes with
            the first step.
        resume: Go on from ``last.ckpt`` where there is one.

    Returns:
        How the head alone did (None where it was not fitted), and how the training went.
    """
    findings = dataset.manifest.findings
    torch.manual_seed(config.seed_everything)
    network.reset_classifier(len(findings))
    checkpoint = run.last_checkpoint if resume and run.last_checkpoint.is_file() else None
    warm_up = pretrained and config.optimizer.head_warmup == "probe" and not checkpoint
    train, tune = _to_learn(dataset, config), dataset.of_split(Split.TUNE)
    probe = _warm_up(network, findings, (train, tune), preprocessing) if warm_up else None
    data = PreparedDataModule(
        train,
        tune,
        preprocessing,
        batch_size=config.data.batch_size,
        num_workers=config.data.num_workers,
        augment=config.optimizer.augment,
        seed=config.seed_everything,
    )
    weights = class_weights(train.targets.numpy(), train.mask.numpy() > 0, config.optimizer.class_weighting)
    classifier = Classifier(network, findings, config.data.task, config.optimizer, weights)
    say(f"fine-tuning: {len(train)} images, {config.data.batch_size} a step, at most {config.trainer.max_epochs} epochs")
    result = fine_tune(classifier, data, config, run, monitor=_monitor(dataset), resume=checkpoint, say=say)
    say(f"kept epoch {result.best_epoch + 1} ({result.monitor} {result.best_score:.4f})")
    return probe, result


def calibrated(network: EfficientNet, dataset: Dataset, config: Config, preprocessing: Preprocessing) -> Scorer:
    """Fits calibrator and operating points on the calibrate split; after this, nothing of the model changes."""
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
        fingerprint=state_fingerprint(network.state_dict()),
        modalities=modalities_of(dataset.manifest.of_split(Split.TRAIN)),
    )
    settings = config.calibration
    targets, mask = manifest.targets()
    logits = Scorer(bundle, None, ()).logits(dataset.store, manifest.frame["sample_id"].tolist(), "scoring calibrate split")  # type: ignore[arg-type]
    calibrator = fit_calibrator(logits, targets, mask, task=config.data.task, method=settings.method)
    points = choose_operating_points(
        calibrator.transform(logits), targets, mask, criterion=settings.criterion, target=settings.target, split=Split.CALIBRATE
    )
    for line in (*calibrator.notes, *(point.warning for point in points if point.warning)):
        say(f"  {line}")
    finished = replace(bundle, calibrator=calibrator.to_json(), operating_points=operating_points_to_json(points))
    return Scorer(finished, calibrator, points)


def _to_learn(dataset: Dataset, config: Config) -> PreparedDataset:
    """The train split as ``data.uncertain`` wants it learnt; every other split keeps to certain labels."""
    manifest = dataset.manifest.of_split(Split.TRAIN)
    labels = manifest.frame[list(manifest.findings)].to_numpy(dtype=np.float64, na_value=np.nan)
    targets, mask, counts = apply_uncertainty(labels, config.data.uncertain, manifest.findings)
    for line in uncertainty_notes(counts, Split.TRAIN):
        say(line)
    rows = dataset.store.rows(manifest.frame["sample_id"].tolist())
    return PreparedDataset(dataset.store.images, rows, targets, mask)


def _warm_up(
    network: EfficientNet,
    findings: tuple[str, ...],
    splits: tuple[PreparedDataset, PreparedDataset],
    preprocessing: Preprocessing,
) -> HeadProbe:
    parts = []
    for name, part in zip((Split.TRAIN, Split.TUNE), splits, strict=True):
        with progress(f"embedding {name} split") as move:
            features = embed(network, part.images, part.rows, preprocessing=preprocessing, progress=move)
        targets = part.targets.numpy()
        # a logistic regression knows yes and no only, so a soft target is left to fine-tuning
        parts.append((features, targets, (part.mask.numpy() > 0) & np.isin(targets, (0.0, 1.0))))
    probe = fit_head(network, findings, *parts)
    score = "no figure: no finding has both classes in tune" if probe.tune_auroc is None else f"{probe.tune_auroc:.4f}"
    say(f"head alone, on frozen features: tune AUROC {score}")
    return probe


def _monitor(dataset: Dataset) -> str:
    targets, mask = dataset.manifest.of_split(Split.TUNE).targets()
    positives, known = (targets * mask).sum(axis=0), mask.sum(axis=0)
    if ((positives > 0) & (positives < known)).any():
        return "tune_auroc"
    warn("no finding has both classes in the tune split: the epoch is chosen by tune loss instead of AUROC")
    return "tune_loss"
