"""Epochs of training to be timed: as ``fit`` does it, and as a bare loop on tensors already in memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medclassify.data import PreparedDataset

AUGMENT = 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """What is trained.

    Attributes:
        backbone: timm name.
        side: Pixels.
        batch: Images a step.
        steps: Steps an epoch.
        device: ``cpu`` or ``cuda``; in float32 or in bf16 where matrices are multiplied.
        channels: Of the prepared images: 1, or 3 for windows of CT or neighbouring slices.
    """

    backbone: str
    side: int
    batch: int
    steps: int
    device: str = "cpu"
    channels: int = 1

    def __str__(self) -> str:
        precision = "bf16-mixed" if self.device == "cuda" else "float32"
        kind = "" if self.channels == 1 else f" of {self.channels} channels"
        return f"{self.backbone}, {self.side} pixels{kind}, batch {self.batch}, {precision}, {self.steps} steps"


def drawn(case: Case) -> PreparedDataset:
    """Noise in the form of a prepared dataset, one epoch of it."""
    import numpy as np

    from medclassify.data import PreparedDataset

    generator = np.random.default_rng(0)
    n = case.steps * case.batch
    images = generator.integers(0, 256, (min(n, 4096), case.channels, case.side, case.side), dtype=np.uint8)
    targets = generator.integers(0, 2, (n, 2)).astype(np.float64)
    return PreparedDataset(images, np.arange(n) % len(images), targets, np.ones((n, 2), bool))


def epoch_of_fit(case: Case, dataset: PreparedDataset, *, streamed: bool = False, watch: Any = None) -> Callable[[], float]:
    """One epoch through the Trainer, module, data module and precision that ``fit`` uses; nothing is tuned or saved.

    Args:
        case: What is trained.
        dataset: The images.
        streamed: Leave the images where they are, although a GPU has room for them.
        watch: Another callback, told also of ``fetched`` when a batch has arrived.

    Returns:
        A call that trains two epochs and returns the seconds of the second.
    """
    import torch
    from pytorch_lightning import Trainer
    from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

    from medclassify.config import OptimizerConfig
    from medclassify.data import PreparedDataModule
    from medclassify.models import create_network, preprocessing_of
    from medclassify.models.precision import fast_float32
    from medclassify.training import Classifier
    from medclassify.training.callbacks import History

    class Module(PreparedDataModule):
        def setup(self, stage: str) -> None:
            if not streamed:
                super().setup(stage)

        def on_after_batch_transfer(self, batch: dict, dataloader_idx: int) -> dict:
            if watch is not None:
                watch.fetched()
            return super().on_after_batch_transfer(batch, dataloader_idx)

    preprocessing = preprocessing_of(case.backbone, image_size=case.side, window="voi")
    network = create_network(case.backbone, 2)
    folder = Path(tempfile.mkdtemp())

    def epoch() -> float:
        history = History(None)
        classifier = Classifier(network.train(), ("a", "b"), "multilabel", OptimizerConfig(), torch.ones(2))
        module = Module(dataset, dataset, preprocessing, batch_size=case.batch, num_workers=0, augment=AUGMENT, seed=0)
        trainer = Trainer(
            max_epochs=2, accelerator="gpu" if case.device == "cuda" else "cpu", devices=1, limit_val_batches=0,
            precision="bf16-mixed" if case.device == "cuda" else "32-true", gradient_clip_val=1.0,
            enable_model_summary=False, enable_progress_bar=False, enable_checkpointing=False, log_every_n_steps=10,
            logger=[CSVLogger(folder, name="", version=""), TensorBoardLogger(folder)],
            callbacks=[history, *([watch] if watch else [])],
        )  # fmt: skip
        with fast_float32():
            trainer.fit(classifier, datamodule=module)
        return history.rows[-1]["seconds"]

    return epoch


def bare_epoch(case: Case, dataset: PreparedDataset, *, fed: bool = False) -> Callable[[], float]:
    """Forward, loss, backward, clip, AdamW; nothing else.

    Args:
        case: What is trained.
        dataset: The images; normalised and on the device before the clock starts.
        fed: Take the batches from the library's loader and augmentation instead.

    Returns:
        A call that trains one epoch and returns its seconds.
    """
    import torch

    from medclassify.data import PreparedDataModule, to_network_input
    from medclassify.models import create_network, preprocessing_of
    from medclassify.models.precision import fast_float32

    preprocessing = preprocessing_of(case.backbone, image_size=case.side, window="voi")
    network = create_network(case.backbone, 2).train().to(case.device)
    kept = min(case.steps, 8)  # batches; what stands in them makes no difference
    ready = [
        to_network_input(torch.from_numpy(dataset.images[start : start + case.batch]).to(case.device), preprocessing)
        for start in range(0, kept * case.batch, case.batch)
    ]
    targets = dataset.targets[: case.batch].to(case.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    module = PreparedDataModule(dataset, dataset, preprocessing, batch_size=case.batch, num_workers=0, augment=AUGMENT, seed=0)

    def batches():
        if not fed:
            yield from (ready[step % kept] for step in range(case.steps))
            return
        for batch in module.train_dataloader():
            yield to_network_input(module.augment(batch["image"]), preprocessing)  # type: ignore[arg-type]

    def epoch() -> float:
        _finished(case)
        started = time.perf_counter()
        with fast_float32():
            for images in batches():
                with torch.autocast("cuda", torch.bfloat16, enabled=case.device == "cuda"):
                    logits = network(images)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), targets)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
        _finished(case)
        return time.perf_counter() - started

    return epoch


def seconds_of(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Runs calls that time themselves, turn by turn, every second round in reverse order; one round before goes uncounted."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name in sides if turn % 2 else reversed(list(sides)):
            seconds = sides[name]()
            if turn:
                found[name].append(seconds)
    return found


def _finished(case: Case) -> None:
    import torch

    if case.device == "cuda":
        torch.cuda.synchronize()
