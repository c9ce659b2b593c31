"""Losses that leave unlabelled findings out: what each label or sample costs, and one place that takes the mean.

A target between 0 and 1 (an uncertain label learnt as 0.7, a smoothed or mixed one) stands for a share of present, the rest
of absent: every loss here is linear in its target, so it is the loss expected of a label drawn with that share.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Lin et al. (ICCV 2017, "Focal loss for dense object detection"), section 5.1: the best of their ablation.
FOCAL_GAMMA = 2.0
# Ridnik et al. (ICCV 2021, "Asymmetric loss for multi-label classification"), section 4: gamma-, gamma+ and the margin m.
ASYMMETRIC_NEGATIVE, ASYMMETRIC_POSITIVE, ASYMMETRIC_MARGIN = 4.0, 1.0, 0.05

# logits (B, K), targets (B, K), mask (B, K), weights (K,), smoothing → losses (B, L) and what of them is known (B, L)
Losses = Callable[[Tensor, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


def losses_of(task: str, name: str) -> Losses:
    """The unreduced loss of a task.

    Args:
        task: ``multilabel`` (L = K, a loss a finding) or ``multiclass`` (L = 1, a loss a sample).
        name: ``cross_entropy``, ``focal`` or ``asymmetric``, the last for ``multilabel`` alone.

    Returns:
        A function of

        - logits (B, K); a half precision is computed with in float32,
        - targets (B, K) in [0, 1]; one-hot or mixed for ``multiclass``,
        - mask (B, K), 1 where the label is known,
        - weights (K,), how much a positive of each finding weighs against a negative,
        - smoothing: how far targets are moved towards one half (``multiclass``: towards one in K),

        that gives losses (B, L), and (B, L) with 1 where a loss counts.
    """
    terms = {"multilabel": _BINARY, "multiclass": _EXCLUSIVE}[task][name]
    return _of_samples(terms) if task == "multiclass" else _of_findings(terms)


def mean_of_known(losses: Tensor, known: Tensor) -> Tensor:
    """The mean (scalar) of the losses that count; 0 where none does."""
    return (losses * known).sum() / known.sum().clamp(min=1)


def focal_terms(logits: Tensor, targets: Tensor, weights: Tensor, gamma: float = FOCAL_GAMMA) -> Tensor:
    """Focal loss of each finding, (B, K): what is already right weighs (1 - p)^gamma less (Lin et al. 2017, equation 4).

    With ``gamma`` 0 it is the binary cross-entropy. ``weights`` take the place of the paper's alpha.
    """
    present = torch.sigmoid(-logits).pow(gamma) * F.softplus(-logits)
    absent = torch.sigmoid(logits).pow(gamma) * F.softplus(logits)
    return weights * targets * present + (1 - targets) * absent


def asymmetric_terms(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Asymmetric loss of each finding, (B, K): easy negatives fade faster, below the margin wholly (Ridnik et al. 2021)."""
    present = torch.sigmoid(-logits).pow(ASYMMETRIC_POSITIVE) * F.softplus(-logits)
    shifted = (torch.sigmoid(logits) - ASYMMETRIC_MARGIN).clamp(min=0)
    absent = shifted.pow(ASYMMETRIC_NEGATIVE) * -torch.log1p(-shifted)
    return weights * targets * present + (1 - targets) * absent


def _cross_entropy_terms(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none")


def _class_terms(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return -(targets * weights * torch.log_softmax(logits, dim=1))


def _focal_class_terms(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    log = torch.log_softmax(logits, dim=1)
    return -(targets * weights * torch.expm1(log).neg().pow(FOCAL_GAMMA) * log)


Terms = Callable[[Tensor, Tensor, Tensor], Tensor]
_BINARY: dict[str, Terms] = {"cross_entropy": _cross_entropy_terms, "focal": focal_terms, "asymmetric": asymmetric_terms}
_EXCLUSIVE: dict[str, Terms] = {"cross_entropy": _class_terms, "focal": _focal_class_terms}


def _of_findings(terms: Terms) -> Losses:
    def losses(logits: Tensor, targets: Tensor, mask: Tensor, weights: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        return terms(_precise(logits), targets * (1 - smoothing) + 0.5 * smoothing, weights), mask

    return losses


def _of_samples(terms: Terms) -> Losses:
    def losses(logits: Tensor, targets: Tensor, mask: Tensor, weights: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        known = mask.amin(dim=1, keepdim=True) * (targets.sum(dim=1, keepdim=True) > 0)
        smooth = targets * (1 - smoothing) + smoothing / targets.shape[1]
        return terms(_precise(logits), smooth, weights).sum(dim=1, keepdim=True), known

    return losses


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
