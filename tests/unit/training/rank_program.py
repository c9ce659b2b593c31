"""What each rank does in the tests of several ranks: fine-tunes a little network. Arguments: folder, counts of tune images."""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback

from medclassify.config import Config, OptimizerConfig, TrainerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.models import create_network
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout
from medclassify.training import Classifier, TrainingResult, find_ranks, fine_tune

IMAGES, TUNE, FINDINGS = 70, 21, ("a", "b")
PREPROCESSING = Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")


def pictures() -> tuple[NDArray[np.uint8], NDArray, NDArray[np.bool_]]:
    """Images, targets and mask: a finding makes a corner brighter, and one label in six is not known."""
    random = np.random.default_rng(0)
    images = random.integers(0, 160, (IMAGES, 1, 32, 32), dtype=np.uint8)
    targets, known = random.integers(0, 2, (IMAGES, 2)).astype(float), random.random((IMAGES, 2)) < 5 / 6
    for number, corner in enumerate((slice(0, 12), slice(20, 32))):
        images[targets[:, number] == 1, :, corner, corner] += 60
    return images, targets, known


def tune_set(count: int = TUNE) -> PreparedDataset:
    """The last images."""
    images, targets, known = pictures()
    rows = np.arange(IMAGES)[-count:]
    return PreparedDataset(images, rows, targets[rows], known[rows])


def train(
    folder: Path,
    *,
    tune: int = TUNE,
    epochs: int = 2,
    batch_size: int = 8,
    resume: bool = False,
    extra: tuple[Callback, ...] = (),
    workers: int = 0,
    accumulate: int = 1,
    **optimizer,
) -> tuple[Classifier, TrainingResult]:
    """Trains on all but the last 21 images."""
    images, targets, known = pictures()
    rows = np.arange(IMAGES - TUNE)
    data = PreparedDataModule(
        PreparedDataset(images, rows, targets[rows], known[rows]),
        tune_set(tune),
        PREPROCESSING,
        batch_size=batch_size,
        num_workers=workers,
        augment=0.5,
        seed=3,
    )
    trainer = TrainerConfig(
        max_epochs=epochs, accelerator="cpu", accumulate_grad_batches=accumulate, enable_progress_bar=False, deterministic=True
    )
    config = Config(trainer=trainer, optimizer=OptimizerConfig(lr=0.003, **optimizer))
    torch.manual_seed(0)
    network = create_network("test_efficientnet", 2, drop_rate=0.2, drop_path_rate=0.2)
    classifier = Classifier(network, FINDINGS, "multilabel", config.optimizer, torch.ones(2))
    run, ranks = RunLayout(folder), find_ranks(config.trainer)
    checkpoint = run.last_checkpoint if resume else None
    monitor = "tune_auroc" if tune > 1 else "tune_loss"
    result = fine_tune(
        classifier, data, config, run, monitor=monitor, ranks=ranks, resume=checkpoint, say=lambda _: None, extra=extra
    )
    return classifier, result


if __name__ == "__main__":  # ranks meet once a process: a second meeting would find the first one's keys at torchrun's
    train(Path(sys.argv[1]), tune=int(sys.argv[2]), batch_size=4)
