"""Plain timm: its ``create_transform``, ``create_optimizer_v2`` and a cosine, over the same ImageNet weights as ours.

As in timm's ``train.py``: RandomResizedCrop 8–100 %, flips, colour jitter 0.4, centre crop of 87.5 % for scoring, biases and
norms without decay, every weight trained from the first step, a new head at random. What that script leaves to its user (AdamW,
its rate and decay, batch) is what our shipped config has, so that neither side is better tuned.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from timm.data import create_transform, resolve_data_config
from timm.optim import create_optimizer_v2
from torch import Tensor

from benchmarks.accuracy.peers.images import Data
from benchmarks.accuracy.peers.loop import Way

_BACKBONE = "tf_efficientnetv2_b0"
_WARMUP = 0.1


def timm_way(data: Data, weights: Path) -> Way:
    """The way of someone who follows timm's own training script.

    Args:
        data: Its findings are the outputs.
        weights: The backbone in timm's layout.
    """
    network: Any = timm.create_model(_BACKBONE, num_classes=0)
    network.load_state_dict(load_file(weights))
    network.reset_classifier(len(data.findings))
    network.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)
    shape = (3, data.side, data.side)
    facts = resolve_data_config({"input_size": shape}, model=network)
    mean, std = facts["mean"], facts["std"]
    learn: Any = create_transform(shape, is_training=True, interpolation="random", mean=mean, std=std)
    score: Any = create_transform(shape, interpolation=facts["interpolation"], mean=mean, std=std, crop_pct=facts["crop_pct"])
    optimizer = create_optimizer_v2(network, opt="adamw", lr=3e-4, weight_decay=0.02)
    return Way(network, optimizer, rate, _loss, 32, _colour, learn, score)


def _colour(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image).convert("RGB")


def rate(share: float) -> float:
    """Share of the budget → factor of the peak rate: a linear rise, then half a cosine down to 0."""
    return share / _WARMUP if share < _WARMUP else 0.5 * (1 + math.cos(math.pi * (share - _WARMUP) / (1 - _WARMUP)))


def _loss(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (losses * mask).sum() / mask.sum()
