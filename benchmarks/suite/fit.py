"""Fine-tuning against a bare loop of the same network, batch and precision on tensors already in memory."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Measure, interleave

if TYPE_CHECKING:
    from medclassify.data import PreparedDataset

CORES = 2
BACKBONE = "tf_efficientnetv2_b0"
SIDE = 224
BATCH = 16


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "vs_bare_loop": lambda: vs_bare_loop(quick),
        "head_only_vs_full": lambda: head_only_vs_full(quick),
    }


def vs_bare_loop(quick: bool) -> Measure:
    """Images a second of an epoch of ``fit`` (loader, augmentation, Lightning, logs) ÷ those of the bare loop."""
    steps, rounds = (3, 2) if quick else (12, 5)
    dataset = drawn(steps * BATCH)
    timing = interleave({"fit": epoch_of_fit(dataset), "bare": bare_epoch(dataset)}, rounds=rounds)
    ratios = [bare / fit for fit, bare in zip(timing["fit"].seconds, timing["bare"].seconds, strict=True)]
    note = (
        f"{BACKBONE}, {SIDE} pixels, batch {BATCH}, float32 channels-last, {steps} steps: "
        f"fit {timing['fit']}, bare loop {timing['bare']}, {rounds} interleaved rounds"
    )
    return Measure("vs_bare_loop", statistics.median(ratios), 0.95, "higher", note, min(ratios), max(ratios))


def head_only_vs_full(quick: bool) -> Measure:
    """Seconds an image of one full training pass ÷ those of the whole training of the head on embeddings that are there."""
    import numpy as np

    from medclassify.models import create_network
    from medclassify.training import fit_head

    dataset = drawn(2 * BATCH)
    network = create_network(BACKBONE, 2)
    generator = np.random.default_rng(0)
    n = 1000
    features = generator.normal(size=(n, network.num_features)).astype(np.float32)
    targets = (features[:, :2] + generator.normal(size=(n, 2)) > 0).astype(np.float64)
    part = (features, targets, np.ones((n, 2), bool))

    def head() -> None:
        fit_head(network, ("a", "b"), part, part)

    timing = interleave({"head": head, "full": bare_epoch(dataset)}, rounds=2 if quick else 5)
    ratios = [
        (full / len(dataset)) / (one / n) for one, full in zip(timing["head"].seconds, timing["full"].seconds, strict=True)
    ]
    note = (
        f"one pass of {BACKBONE} at {SIDE} pixels over {len(dataset)} images {timing['full']}; the head's training on {n} "
        f"embeddings (5 penalties, 2 findings, to convergence) {timing['head']}"
    )
    return Measure("head_only_vs_full", statistics.median(ratios), 200, "higher", note, min(ratios), max(ratios))


def drawn(n: int) -> PreparedDataset:
    """Noise in the form of a prepared dataset."""
    import numpy as np

    from medclassify.data import PreparedDataset

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (n, 1, SIDE, SIDE), dtype=np.uint8)
    targets = generator.integers(0, 2, (n, 2)).astype(np.float64)
    return PreparedDataset(images, np.arange(n), targets, np.ones((n, 2), bool))


def epoch_of_fit(dataset: PreparedDataset) -> Callable[[], object]:
    """One epoch through the same Trainer, module and data module that ``fit`` uses, tune split left out of the count."""
    import torch
    from pytorch_lightning import Trainer
    from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

    from medclassify.config import OptimizerConfig
    from medclassify.data import PreparedDataModule
    from medclassify.models import create_network, preprocessing_of
    from medclassify.training import Classifier
    from medclassify.training.callbacks import History

    preprocessing = preprocessing_of(BACKBONE, image_size=SIDE, window="voi")
    network = create_network(BACKBONE, 2)
    folder = Path(tempfile.mkdtemp())

    def epoch() -> None:
        classifier = Classifier(network.train(), ("a", "b"), "multilabel", OptimizerConfig(), torch.ones(2))
        module = PreparedDataModule(dataset, dataset, preprocessing, batch_size=BATCH, num_workers=0, augment=0.5, seed=0)
        trainer = Trainer(
            max_epochs=1, accelerator="cpu", devices=1, limit_val_batches=0,
            enable_model_summary=False, enable_progress_bar=False,
            enable_checkpointing=False, logger=[CSVLogger(folder), TensorBoardLogger(folder)], callbacks=[History(None)],
        )  # fmt: skip
        trainer.fit(classifier, datamodule=module)

    return epoch


def bare_epoch(dataset: PreparedDataset) -> Callable[[], object]:
    """Forward, loss, backward, AdamW; nothing else."""
    import torch

    from medclassify.data import to_network_input
    from medclassify.models import create_network, preprocessing_of

    preprocessing = preprocessing_of(BACKBONE, image_size=SIDE, window="voi")
    network = create_network(BACKBONE, 2).train()
    images = to_network_input(torch.from_numpy(dataset.images), preprocessing)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def epoch() -> None:
        for start in range(0, len(dataset), BATCH):
            part = slice(start, start + BATCH)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images[part]), dataset.targets[part])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()

    return epoch
