"""Fits the new head on the frozen backbone's embeddings before anything else moves.

A random head sends random gradients through pretrained features and distorts them; a fitted one does not (Kumar et al. 2022,
"Fine-tuning can distort pretrained features"). It costs one forward pass of the train split.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from timm.models.efficientnet import EfficientNet
from torch import nn

from medclassify.training.classifier import macro_auroc

_STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0)  # sklearn's C: inverse strength of the L2 penalty, on standardised features


@dataclass(frozen=True, slots=True)
class HeadProbe:
    """How well a linear head on frozen features does.

    Attributes:
        strength: The chosen C.
        tune_auroc: Macro AUROC on the tune split, or None where no finding has both classes there.
        skipped: Findings with one class among their known train labels; their weights are 0.
    """

    strength: float
    tune_auroc: float | None
    skipped: tuple[str, ...]


def fit_head(
    network: EfficientNet,
    findings: tuple[str, ...],
    train: tuple[NDArray, NDArray, NDArray],
    tune: tuple[NDArray, NDArray, NDArray],
) -> HeadProbe:
    """Fits an L2-penalised logistic regression a finding and writes it into the network's head, in place.

    Args:
        network: Its ``classifier`` is a linear layer (K, D).
        findings: K names.
        train: Embeddings float32 (N, D), targets (N, K), mask bool (N, K).
        tune: The same; the penalty is the one with the smallest loss here.

    Returns:
        What was fitted.
    """
    features, targets, mask = train
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    fitted = {c: _fit((features - mean) / spread, targets, mask, c) for c in _STRENGTHS}

    tuned = (tune[0] - mean) / spread
    # by loss, not AUROC: an overconfident head starts fine-tuning with gradients that undo the features it stands on
    best = min(_STRENGTHS, key=lambda c: _loss(tuned @ fitted[c][0].T + fitted[c][1], tune[1], tune[2]))
    weight, bias = fitted[best]
    head = cast(nn.Linear, network.get_classifier())
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight / spread))
        head.bias.copy_(torch.from_numpy(bias - (weight / spread) @ mean))
    score = macro_auroc(tuned @ weight.T + bias, tune[1], tune[2])
    return HeadProbe(best, score, tuple(name for name, row in zip(findings, weight, strict=True) if not row.any()))


def _loss(logits: NDArray, targets: NDArray, mask: NDArray[np.bool_]) -> float:
    losses = np.logaddexp(0, logits) - targets * logits
    return float(losses[mask].mean()) if mask.any() else 0.0


def _fit(features: NDArray, targets: NDArray, mask: NDArray, c: float) -> tuple[NDArray, NDArray]:
    weight, bias = np.zeros((targets.shape[1], features.shape[1])), np.zeros(targets.shape[1])
    for k, known in enumerate(mask.T.astype(bool)):
        truth = targets[known, k] >= 0.5
        if truth.any() and not truth.all():
            model = LogisticRegression(C=c, max_iter=300).fit(features[known], truth)
            weight[k], bias[k] = model.coef_[0], model.intercept_[0]
    return weight, bias
