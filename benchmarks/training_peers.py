"""The same training as two other libraries do it, each with its own loader, transforms and network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.training import Case

if TYPE_CHECKING:
    import torch

    from medclassify.data import PreparedDataset


def timm_epoch(case: Case, dataset: PreparedDataset, folder: Path, *, channels_last: bool) -> Callable[[], float]:
    """timm's own parts put together as its training script does: PNG files, transforms of PIL images one by one, its optimiser.

    Args:
        case: What is trained.
        dataset: Its images are written as PNG files, a folder a class.
        folder: Where to.
        channels_last: As with the script's flag of that name.

    Returns:
        A call that trains one epoch and returns its seconds.
    """
    import cv2
    import timm
    import torch
    from timm.data import create_dataset, create_loader
    from timm.optim import create_optimizer_v2

    if not folder.exists():
        for row, target in enumerate(dataset.targets[:, 0].int().tolist()):
            (folder / str(target)).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / str(target) / f"{row}.png"), dataset.images[dataset.rows[row], 0])
    loader = create_loader(
        create_dataset("", root=str(folder), is_training=True), (3, case.side, case.side), case.batch, is_training=True,
        hflip=0.0, scale=(0.8, 1.0), ratio=(0.9, 1.1), color_jitter=0.2, num_workers=0, persistent_workers=False,
        use_prefetcher=False, device=torch.device("cpu"),
    )  # fmt: skip
    network: Any = timm.create_model(case.backbone, num_classes=2).train()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    optimizer = create_optimizer_v2(network, opt="adamw", lr=1e-4, weight_decay=0.02)
    return _epoch(network, optimizer, lambda: ((images.contiguous(memory_format=layout), y) for images, y in loader))


def monai_epoch(case: Case, dataset: PreparedDataset) -> Callable[[], float]:
    """MONAI's network and loader: images decoded, scaled and cached before the clock starts, random transforms one by one.

    Args:
        case: What is trained; its backbone is a B0.
        dataset: The images.

    Returns:
        A call that trains one epoch and returns its seconds.
    """
    import torch
    from monai.data import CacheDataset, DataLoader
    from monai.networks.nets import EfficientNetBN
    from monai.transforms import (
        Compose,
        EnsureChannelFirstd,
        EnsureTyped,
        NormalizeIntensityd,
        RandAdjustContrastd,
        RandAffined,
        RandGaussianNoised,
        RandScaleIntensityd,
        RepeatChanneld,
        ScaleIntensityRanged,
    )  # fmt: skip

    image = ["image"]
    transforms = Compose(
        [
            EnsureChannelFirstd(image, channel_dim="no_channel"),
            ScaleIntensityRanged(image, 0, 255, 0, 1),
            EnsureTyped(image, track_meta=False),
            RandAffined(image, prob=1, rotate_range=0.17, scale_range=0.12, translate_range=7, padding_mode="zeros"),
            RandAdjustContrastd(image, prob=1, gamma=(0.8, 1.25)),
            RandScaleIntensityd(image, prob=1, factors=0.12),
            RandGaussianNoised(image, prob=1, std=0.015),
            RepeatChanneld(image, repeats=3),
            NormalizeIntensityd(image, subtrahend=[0.485, 0.456, 0.406], divisor=[0.229, 0.224, 0.225], channel_wise=True),
        ]
    )
    targets = dataset.targets[:, 0].long()
    rows = [{"image": dataset.images[row, 0], "label": target} for row, target in zip(dataset.rows, targets, strict=True)]
    cached = CacheDataset(rows, transforms, num_workers=0, progress=False)
    loader = DataLoader(cached, batch_size=case.batch, shuffle=True, num_workers=0)
    network = EfficientNetBN("efficientnet-b0", pretrained=False, num_classes=2).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def batches():
        for batch in loader:
            yield batch["image"].contiguous(memory_format=torch.channels_last), batch["label"]

    return _epoch(network, optimizer, batches)


def _epoch(network: Any, optimizer: torch.optim.Optimizer, batches: Callable[[], Iterable[tuple]]) -> Callable[[], float]:
    import torch

    def epoch() -> float:
        started = time.perf_counter()
        for images, targets in batches():
            loss = torch.nn.functional.cross_entropy(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        return time.perf_counter() - started

    return epoch
