"""Prepared samples through the data loader, and augmentation of whole batches against MONAI's, image by image."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness import Measure, interleave, speed_ratio

CORES = 1
SIDE = 256


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {"reads_per_s": lambda: reads_per_s(quick), "augment_vs_monai": lambda: augment_vs_monai(quick)}


def reads_per_s(quick: bool) -> Measure:
    """Random 256 × 256 images a second through the training loader."""
    import numpy as np

    from medclassify.data import PreparedDataModule, PreparedDataset
    from medclassify.models import preprocessing_of

    n, rounds = (2_000, 3) if quick else (20_000, 7)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        writable = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, 1, SIDE, SIDE))
        writable[:] = np.random.default_rng(0).integers(0, 256, (1, 1, SIDE, SIDE), dtype=np.uint8)
        writable.flush()
        dataset = PreparedDataset(np.load(path, mmap_mode="r"), np.arange(n), np.zeros((n, 1)), np.ones((n, 1), bool))
        preprocessing = preprocessing_of("efficientnet_b0", image_size=SIDE, window="voi")
        module = PreparedDataModule(dataset, dataset, preprocessing, batch_size=32, num_workers=0, augment=0, seed=0)
        loader = module.train_dataloader()

        def read() -> None:
            for _ in loader:
                pass

        seconds = interleave({"read": read}, rounds=rounds)["read"]
    rates = [n / value for value in seconds.seconds]
    note = f"{n} uint8 images of {SIDE}×{SIDE}, memory-mapped, shuffled, batch 32, no worker process: {seconds} an epoch"
    return Measure("reads_per_s", statistics.median(rates), 50_000, "higher", note, min(rates), max(rates))


def augment_vs_monai(quick: bool) -> Measure:
    """Images a second of the whole-batch augmentation ÷ those of MONAI's transforms of the same kind, without metadata."""
    import torch
    from monai.data import get_track_meta, set_track_meta
    from monai.transforms import Compose, RandAdjustContrast, RandAffine, RandGaussianNoise, RandScaleIntensity

    from medclassify.data import augmentation

    stored = torch.randint(0, 256, (32, 1, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ours = augmentation(0.5)
    theirs = Compose(
        [
            RandAffine(prob=1, rotate_range=0.17, scale_range=0.12, translate_range=7, padding_mode="zeros"),
            RandAdjustContrast(prob=1, gamma=(0.8, 1.25)),
            RandScaleIntensity(prob=1, factors=0.12),
            RandGaussianNoise(prob=1, std=0.015),
        ]
    )

    def one_by_one() -> None:
        for image in stored:
            theirs(image.float().div_(255))

    before = get_track_meta()
    set_track_meta(False)  # it doubles MONAI's time, and nothing here needs it
    try:
        return speed_ratio(
            "augment_vs_monai",
            lambda: ours(stored),
            one_by_one,
            names=("whole batch", "MONAI"),
            goal=5,
            rounds=3 if quick else 9,
            note="32 images of 224×224, from bytes to float: affine, gamma, contrast or brightness, noise",
        )
    finally:
        set_track_meta(before)
