"""Losses that leave unlabelled findings out."""

import torch
import torch.nn.functional as F
from torch import Tensor


def multilabel_loss(logits: Tensor, targets: Tensor, mask: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Binary cross-entropy over the labels that are known.

    Args:
        logits: (B, K).
        targets: (B, K) in [0, 1].
        mask: (B, K), 1 where the label is known.
        weights: (K,), how much a positive weighs against a negative.
        smoothing: How far targets are moved towards one half.

    Returns:
        A scalar: the mean over known labels; 0 where a batch holds none.
    """
    smooth = targets * (1 - smoothing) + 0.5 * smoothing
    losses = F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weights, reduction="none")
    return (losses * mask).sum() / mask.sum().clamp(min=1)


def multiclass_loss(logits: Tensor, targets: Tensor, mask: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy over the samples whose finding is known; arguments as in ``multilabel_loss``, targets one-hot."""
    known = mask.amin(dim=1) * (targets.sum(dim=1) > 0)
    smooth = targets * (1 - smoothing) + smoothing / targets.shape[1]
    losses = -(smooth * weights * torch.log_softmax(logits, dim=1)).sum(dim=1)
    return (losses * known).sum() / known.sum().clamp(min=1)
