"""Fits the new head on the frozen backbone's embeddings, or starts it where a network that knows nothing should stand.

A random head sends random gradients through pretrained features and distorts them; a fitted one does not (Kumar et al. 2022,
"Fine-tuning can distort pretrained features"). It costs one forward pass of the images; nothing where embeddings are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from timm.models.efficientnet import EfficientNet
from torch import nn

from medclassify.training.classifier import macro_auroc

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0)  # sklearn's C: inverse strength of the L2 penalty, on standardised features
FINE_STRENGTHS = tuple(float(f"{10 ** (power / 2):.2g}") for power in range(-10, 3))  # 1e-5 to 10 by half decades
# On phantom chest radiographs (findings in 15 to 30 % of images, 13 epochs from random weights) the macro AUROC of three seeds
# is .90 to .92 when the head starts at 0, and that of two is .78 and .84 when it starts at the frequencies.
RARE = 0.1
# Bytes of embeddings from which several threads pay: below, they wait for each other six times as long as one computes, and
# fifteen times beside other work.
_WORTH_THREADS = 1 << 26
Part = tuple[NDArray, NDArray, NDArray]


@dataclass(frozen=True, slots=True)
class ProbeTrial:
    """One penalty that was tried.

    Attributes:
        strength: C, the inverse of the penalty.
        tune_loss: Mean cross-entropy over known labels of the tune split.
        tune_auroc: Macro AUROC there, or None where no finding has both classes.
    """

    strength: float
    tune_loss: float
    tune_auroc: float | None


@dataclass(frozen=True, slots=True)
class HeadProbe:
    """How well a linear head on frozen features does.

    Attributes:
        strength: The chosen C.
        tune_auroc: Macro AUROC on the tune split, or None where no finding has both classes there.
        skipped: Findings with one class among their known train labels; their logit is the log-odds of the train split.
        trials: Every penalty tried, the strongest first.
    """

    strength: float
    tune_auroc: float | None
    skipped: tuple[str, ...]
    trials: tuple[ProbeTrial, ...] = ()


def fit_head(
    network: EfficientNet,
    findings: tuple[str, ...],
    train: Part,
    tune: Part,
    *,
    task: str = "multilabel",
    strengths: Sequence[float] = STRENGTHS,
) -> HeadProbe:
    """Fits an L2-penalised logistic regression and writes it into the network's head, in place.

    One regression a finding, or for ``multiclass`` one multinomial regression over samples whose finding is known.

    Args:
        network: Its ``classifier`` is a linear layer (K, D).
        findings: K names.
        train: Embeddings float32 (N, D), targets (N, K) of 0 and 1, mask bool (N, K).
        tune: The same; the penalty is the one with the smallest loss here.
        task: ``multilabel`` or ``multiclass``.
        strengths: Values of C to try, ascending.

    Returns:
        What was fitted.
    """
    features, targets, mask = train
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    standard, tuned = (features - mean) / spread, (tune[0] - mean) / spread
    fit = _fit_classes if task == "multiclass" else _fit_findings
    with threadpool_limits(1 if features.nbytes < _WORTH_THREADS else None):
        fitted = {c: fit(standard, targets, mask, c) for c in strengths}
    trials = tuple(_trial(c, tuned @ weight.T + bias, tune, task) for c, (weight, bias) in fitted.items())

    # by loss, not AUROC: an overconfident head starts fine-tuning with gradients that undo the features it stands on
    best = min(trials, key=lambda trial: trial.tune_loss)
    weight, bias = fitted[best.strength]
    _write(network, weight / spread, bias - (weight / spread) @ mean)
    skipped = tuple(name for name, row in zip(findings, weight, strict=True) if not row.any())
    return HeadProbe(best.strength, best.tune_auroc, skipped, trials)


def start_head(
    network: EfficientNet, targets: NDArray, mask: NDArray[np.bool_], weights: NDArray, *, task: str, rarer_than: float = 1.0
) -> None:
    """Sets the biases of a random head so that it starts at the frequencies of the train split, in place.

    Without it the first steps of a rare finding are spent on its bias alone, through every weight below (Lin et al. 2017,
    "Focal loss for dense object detection", section 4.1). For frequent findings the same steps are worth having: a network
    from random weights that starts at the frequencies learns more slowly (``RARE``).

    Args:
        network: Its ``classifier`` is a linear layer with K outputs.
        targets: (N, K) in [0, 1].
        mask: (N, K), True where the label is known.
        weights: (K,), how much a positive weighs in the loss: the constant that fits best is higher by its logarithm.
        task: ``multilabel`` or ``multiclass``.
        rarer_than: Findings at least as frequent start at 0; classes start at their frequencies together or not at all.
    """
    prior = prior_logits(targets, mask, task)
    multiclass = task == "multiclass"
    rare = (np.exp(prior) if multiclass else expit(prior)) < rarer_than
    bias = np.where(rare.any() if multiclass else rare, prior + np.log(weights), 0.0)
    with torch.no_grad():
        cast(nn.Linear, network.get_classifier()).bias.copy_(torch.from_numpy(bias))


def prior_logits(targets: NDArray, mask: NDArray[np.bool_], task: str) -> NDArray[np.float64]:
    """Log-odds of each finding among its known labels, or for ``multiclass`` log shares: float64 (K,).

    Half a sample is added to either side (Haldane 1956, Anscombe 1956): a finding that train does not hold stays finite.
    """
    positives = np.where(mask, targets, 0).sum(axis=0)
    if task == "multiclass":
        return np.log((positives + 0.5) / (positives + 0.5).sum())
    return logit((positives + 0.5) / (mask.sum(axis=0) + 1))


def _write(network: EfficientNet, weight: NDArray, bias: NDArray) -> None:
    head = cast(nn.Linear, network.get_classifier())
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))


def _trial(strength: float, logits: NDArray, tune: Part, task: str) -> ProbeTrial:
    _, targets, mask = tune
    if task == "multiclass":
        known = _known_class(targets, mask)
        losses = -(targets * log_softmax(logits, axis=1)).sum(axis=1)[known]
    else:
        losses = (np.logaddexp(0, logits) - targets * logits)[mask]
    return ProbeTrial(strength, float(losses.mean()) if losses.size else 0.0, macro_auroc(logits, targets, mask))


def _fit_findings(features: NDArray, targets: NDArray, mask: NDArray, c: float) -> tuple[NDArray, NDArray]:
    weight, bias = np.zeros((targets.shape[1], features.shape[1])), prior_logits(targets, mask, "multilabel")
    for k, known in enumerate(mask.T.astype(bool)):
        truth = targets[known, k] >= 0.5
        if truth.any() and not truth.all():
            model = LogisticRegression(C=c, max_iter=300).fit(features[known], truth)
            weight[k], bias[k] = model.coef_[0], model.intercept_[0]
    return weight, bias


def _fit_classes(features: NDArray, targets: NDArray, mask: NDArray, c: float) -> tuple[NDArray, NDArray]:
    known = _known_class(targets, mask)
    weight, bias = np.zeros((targets.shape[1], features.shape[1])), prior_logits(targets, mask, "multiclass")
    truth = targets[known].argmax(axis=1)
    seen = np.unique(truth)
    if len(seen) > 1:
        model = LogisticRegression(C=c, max_iter=300).fit(features[known], truth)
        two = len(seen) == 2  # sklearn then gives one row, the difference of the two classes
        weight[seen] = np.vstack([-model.coef_, model.coef_]) / 2 if two else model.coef_
        bias[seen] = np.hstack([-model.intercept_, model.intercept_]) / 2 if two else model.intercept_
    return weight, bias


def _known_class(targets: NDArray, mask: NDArray) -> NDArray[np.bool_]:
    """Samples whose one finding is known: bool (N,)."""
    return mask.astype(bool).all(axis=1) & (targets.sum(axis=1) == 1)
