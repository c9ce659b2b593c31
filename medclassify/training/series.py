"""Learns which slices of a series count, on embeddings that stand: no image is looked at, so it takes seconds.

The loss is that of series, and that of slices where they have labels of their own; both go through one linear head, so the
label of a slice teaches the series and the other way round.
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from medclassify.models.attention import GatedAttention, series_logits
from medclassify.models.precision import exact_float32
from medclassify.training.classifier import macro_auroc
from medclassify.training.loss import losses_of, mean_of_known

EPOCHS, PATIENCE, BATCH = 80, 15, 16
_LR, _DECAY, _DROPOUT = 1e-3, 1e-2, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPart:
    """Series of one split.

    Attributes:
        embeddings: float32 (M, D) of all slices there are, memory-mapped or not.
        stacks: N times int64: rows of each series' slices, in order.
        targets: (N, K) in [0, 1].
        mask: bool (N, K), True where the label is known.
        slice_targets: (M, K) in [0, 1].
        slice_mask: bool (M, K), True where a slice has a label of its own.
    """

    embeddings: NDArray[np.float32]
    stacks: Sequence[NDArray[np.int64]]
    targets: NDArray
    mask: NDArray[np.bool_]
    slice_targets: NDArray
    slice_mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AttentionFit:
    """How it went.

    Attributes:
        epochs: Passes over the train series.
        best_epoch: The one that was kept, from 0: the smallest loss of series on tune.
        tune_loss: That loss.
        tune_auroc: Macro AUROC of series on tune then, or None where no finding has both classes.
        slice_loss: What the loss of slices counted, beside 1 for that of series; 0 where slices have no labels.
        sequence: ``none`` or ``gru``.
        seconds: Wall time.
    """

    epochs: int
    best_epoch: int
    tune_loss: float
    tune_auroc: float | None
    slice_loss: float
    sequence: str
    seconds: float


def fit_attention(
    network: EfficientNet,
    attention: GatedAttention,
    train: SeriesPart,
    tune: SeriesPart,
    *,
    slice_loss: float,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> AttentionFit:
    """Fits attention and linear head together, in place, by AdamW; the epoch with the smallest loss on tune is kept.

    Args:
        network: Its linear head starts as it is.
        attention: Starts as it is.
        train: Learnt from.
        tune: Chooses the epoch.
        slice_loss: What the loss of slices counts.
        seed: Of order and dropout.
        progress: Called with (epochs done, at most).
    """
    started = time.monotonic()
    network.cpu()
    both = nn.ModuleDict({"head": cast(nn.Linear, network.get_classifier()), "attention": attention.cpu()})
    optimizer = torch.optim.AdamW(both.parameters(), lr=_LR, weight_decay=_DECAY)
    slice_loss = slice_loss if train.slice_mask.any() else 0.0
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    best, kept, epoch = (float("inf"), None, -1), deepcopy(both.state_dict()), 0
    for epoch in range(EPOCHS):
        both.train()
        for batch in torch.randperm(len(train.stacks), generator=generator).split(BATCH):
            loss = _loss(both, train, batch.tolist(), slice_loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        score = _judge(both, tune)
        if score[0] < best[0]:
            best, kept = (*score, epoch), deepcopy(both.state_dict())
        if progress:
            progress(epoch + 1, EPOCHS)
        if epoch - best[2] >= PATIENCE:
            break
    both.load_state_dict(kept)
    both.eval()
    return AttentionFit(
        epoch + 1, best[2], best[0], best[1], slice_loss, attention.sequence, round(time.monotonic() - started, 1)
    )


def _loss(both: nn.ModuleDict, part: SeriesPart, chosen: Sequence[int], slice_loss: float) -> Tensor:
    features, present = _padded(part, chosen)
    features = nn.functional.dropout(features, _DROPOUT)
    slices = both["head"](features)
    series = series_logits(both["attention"](features, slices, present), slices)
    losses = losses_of("multilabel", "cross_entropy")
    even = torch.ones(part.targets.shape[1])
    loss = mean_of_known(*losses(series, _tensor(part.targets[chosen]), _tensor(part.mask[chosen]), even, 0.0))
    if slice_loss:
        rows = np.concatenate([part.stacks[number] for number in chosen])
        own = losses(slices[present], _tensor(part.slice_targets[rows]), _tensor(part.slice_mask[rows]), even, 0.0)
        loss = loss + slice_loss * mean_of_known(*own)
    return loss


def _judge(both: nn.ModuleDict, part: SeriesPart) -> tuple[float, float | None]:
    both.eval()
    logits = []
    with torch.inference_mode(), exact_float32():
        for number in range(len(part.stacks)):
            features, present = _padded(part, [number])
            slices = both["head"](features)
            logits.append(series_logits(both["attention"](features, slices, present), slices))
    found = torch.cat(logits).double()
    losses = losses_of("multilabel", "cross_entropy")
    targets, mask = _tensor(part.targets).double(), _tensor(part.mask)
    loss = mean_of_known(*losses(found, targets, mask, torch.ones(targets.shape[1]).double(), 0.0))
    return float(loss), macro_auroc(found.numpy(), part.targets, part.mask)


def _padded(part: SeriesPart, chosen: Sequence[int]) -> tuple[Tensor, Tensor]:
    """float32 (B, L, D) of the series, as long as the longest, and bool (B, L) where there is a slice."""
    stacks = [part.stacks[number] for number in chosen]
    present = torch.zeros((len(stacks), max(map(len, stacks))), dtype=torch.bool)
    features = torch.zeros((*present.shape, part.embeddings.shape[1]))
    for row, stack in enumerate(stacks):
        features[row, : len(stack)] = torch.from_numpy(np.asarray(part.embeddings[stack], np.float32))
        present[row, : len(stack)] = True
    return features, present


def _tensor(values: NDArray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))
