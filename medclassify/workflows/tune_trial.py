"""One trial of a search: the network is learnt as `fit` learns it, and scored on the tune split."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer

from medclassify.config import Config
from medclassify.inference import predict_logits
from medclassify.manifest import keep_samples
from medclassify.records import Preprocessing, Split
from medclassify.runs import RunLayout
from medclassify.training import find_ranks
from medclassify.training.classifier import macro_auroc, macro_standard_error
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.device import best_device
from medclassify.workflows.learning import Learnt, learn, start_network

Report = Callable[[int, float], bool]
"""Takes an epoch, from 0, and its tune AUROC; True ends the trial."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """How a trial went.

    Attributes:
        tune_auroc: Macro AUROC on the tune split of the weights that `fit` would keep.
        standard_error: Of it.
        epochs: That were run; 0 for a linear probe.
        seconds: Wall time.
        logits: float64 (N, K), of the tune split in the manifest's order.
    """

    tune_auroc: float
    standard_error: float
    epochs: int
    seconds: float
    logits: NDArray[np.float64]


class EpochReport(Callback):
    """Tells each epoch's tune AUROC, and ends training where the answer is yes."""

    def __init__(self, report: Report) -> None:
        self.report, self.epochs, self.ended = report, 0, False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        score = trainer.callback_metrics.get("tune_auroc")
        if trainer.sanity_checking or score is None:
            return
        self.epochs = trainer.current_epoch + 1
        if self.report(trainer.current_epoch, float(score)):
            self.ended = trainer.should_stop = True


def learnable_part(dataset: Dataset) -> Dataset:
    """The train and tune splits alone: a trial that asked for a sample of another split would be refused, not answered."""
    kept = dataset.manifest.frame["split"].isin([Split.TRAIN.value, Split.TUNE.value])
    manifest = keep_samples(dataset.manifest, dataset.manifest.frame["sample_id"][kept])
    index = dataset.store.index
    known = index["sample_id"].isin(manifest.frame["sample_id"])
    numbered = pd.Series([f"held out {number}" for number in range(len(index))], index=index.index, dtype="str")
    store = replace(dataset.store, index=index.assign(sample_id=index["sample_id"].where(known, numbered)))
    return replace(dataset, manifest=manifest, store=store)


def run_trial(
    config: Config, dataset: Dataset, preprocessing: Preprocessing, run: RunLayout, report: Report
) -> TrialResult | int:
    """Learns and scores one config.

    Args:
        config: The trial's.
        dataset: As ``learnable_part`` returns it.
        preprocessing: What the network expects.
        run: Where logs go; checkpoints are removed when the trial has ended.
        report: Told of each epoch.

    Returns:
        How it went, or, where ``report`` ended it, after how many epochs.
    """
    started = time.monotonic()
    watch = EpochReport(report)
    try:
        network, weights = start_network(config)
        learnt = learn(
            network,
            dataset,
            config,
            preprocessing,
            run,
            pretrained=weights.loaded > 0,
            resume=False,
            ranks=find_ranks(config.trainer),
            callbacks=[watch],
        )
    finally:
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    if watch.ended:
        return watch.epochs
    tune = dataset.manifest.of_split(Split.TUNE)
    logits = _logits(network, learnt, dataset, tune.frame["sample_id"].tolist(), preprocessing)
    targets, mask = tune.targets()
    score = macro_auroc(logits, targets, mask)
    assert score is not None  # the search refused to start on such a split
    error = macro_standard_error(logits, targets, mask)
    return TrialResult(score, error, watch.epochs, time.monotonic() - started, logits)


def _logits(network, learnt: Learnt, dataset: Dataset, samples: list[str], preprocessing: Preprocessing) -> NDArray[np.float64]:
    rows = dataset.store.rows(samples)
    if learnt.embeddings is not None:
        device = next(network.parameters()).device
        with torch.inference_mode():
            features = torch.from_numpy(np.array(learnt.embeddings[rows])).to(device)
            return network.eval().get_classifier()(features).double().cpu().numpy()
    findings = dataset.manifest.findings
    table = predict_logits(
        network.to(best_device()),
        dataset.store.images,
        rows,
        sample_ids=samples,
        findings=findings,
        preprocessing=preprocessing,
        fingerprint="",
    )
    return table.logits
