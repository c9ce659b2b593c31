"""The training loop that both peers share: until the budget is spent, keeping the epoch with the best tune AUROC."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.accuracy.peers.budget import clock
from benchmarks.accuracy.peers.images import Data, Part


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A way of training.

    Attributes:
        network: (B, C, S, S) → (B, K) logits.
        optimizer: Over its parameters; ``lr`` is the peak rate.
        rate: Share of the budget that is spent → factor of the peak rate.
        loss: Logits, targets and mask, each (B, K) → a number.
        batch: Images a step.
        prepare: What is done to uint8 (H, W) once, before the clock starts.
        learn: Prepared image → augmented float32 (C, S, S).
        score: Prepared image → float32 (C, S, S).
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rate: Callable[[float], float]
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    batch: int
    prepare: Callable[[NDArray[np.uint8]], Any]
    learn: Callable[[Any], Tensor]
    score: Callable[[Any], Tensor]


def train(way: Way, data: Data, seconds: float) -> list[dict[str, float]]:
    """Trains in place and leaves the best epoch's weights.

    Args:
        way: What to train, and how.
        data: Train and tune splits.
        seconds: The budget; scoring the tune split after each epoch counts, decoding before does not.

    Returns:
        One row an epoch: its loss, tune AUROC, and the seconds spent so far. The last epoch may be a part of one.
    """
    images, tune = [way.prepare(image) for image in data.train.images], [way.prepare(image) for image in data.tune.images]
    targets, mask = torch.from_numpy(data.train.targets).float(), torch.from_numpy(data.train.mask)
    peaks = [group["lr"] for group in way.optimizer.param_groups]
    order = np.random.default_rng(data.seed)
    history: list[dict[str, float]] = []
    best, kept = -1.0, way.network.state_dict()
    began = clock()
    while not history or clock() - began < seconds:
        losses = []
        way.network.train()
        for rows in _batches(order.permutation(len(images)), way.batch):
            share = (clock() - began) / seconds
            if share >= 1:
                break
            for group, peak in zip(way.optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * way.rate(share)
            losses.append(_step(way, torch.stack([way.learn(images[row]) for row in rows]), targets[rows], mask[rows]))
        score = _auroc(_logits(way, tune), data.tune)
        history.append({"train_loss": float(np.mean(losses or [np.nan])), "tune_auroc": score, "seconds": clock() - began})
        print(f"  epoch {len(history)}  {'  '.join(f'{key} {value:.4g}' for key, value in history[-1].items())}", flush=True)
        if score > best:
            best, kept = score, copy.deepcopy(way.network.state_dict())
    way.network.load_state_dict(kept)
    return history


def predict(way: Way, part: Part) -> NDArray[np.float64]:
    """Logits float64 (N, K)."""
    return _logits(way, [way.prepare(image) for image in part.images])


def _step(way: Way, images: Tensor, targets: Tensor, mask: Tensor) -> float:
    device = next(way.network.parameters()).device
    way.optimizer.zero_grad()
    loss = way.loss(way.network(images.to(device)), targets.to(device), mask.to(device))
    loss.backward()
    way.optimizer.step()
    return float(loss.detach())


def _logits(way: Way, prepared: list[Any]) -> NDArray[np.float64]:
    device = next(way.network.parameters()).device
    way.network.eval()
    found = []
    with torch.inference_mode():
        for rows in _batches(np.arange(len(prepared)), way.batch):
            found.append(way.network(torch.stack([way.score(prepared[row]) for row in rows]).to(device)).double().cpu())
    return torch.cat(found).numpy()


def _batches(order: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _auroc(logits: NDArray[np.float64], part: Part) -> float:
    from medclassify.training.classifier import macro_auroc

    return macro_auroc(logits, part.targets, part.mask) or 0.0
