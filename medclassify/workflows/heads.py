"""A linear head on the frozen backbone's embeddings, which the cache keeps between runs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet

from medclassify.data import PreparedDataset, PreparedStore
from medclassify.inference import stored_embeddings
from medclassify.records import Preprocessing
from medclassify.training import HeadProbe, fit_head
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.device import best_device


def embed_store(network: EfficientNet, store: PreparedStore, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Embeddings of every image of a store, from the cache where they are: float32 (M, D), in the store's order.

    See ``stored_embeddings`` for what it costs. The network is left on the GPU where there is one.
    """
    with progress("embedding images") as move:
        return stored_embeddings(network.to(best_device()), store, preprocessing=preprocessing, progress=move, tell=warn)


def probe_head(
    network: EfficientNet,
    findings: tuple[str, ...],
    splits: tuple[PreparedDataset, PreparedDataset],
    embeddings: NDArray[np.float32],
    *,
    task: str,
    strengths: Sequence[float],
) -> HeadProbe:
    """Fits the head, in place, and says how well it does.

    Args:
        network: Its ``classifier`` has one output a finding.
        findings: K names.
        splits: Train and tune.
        embeddings: As ``embed_store`` returns them.
        task: ``multilabel`` or ``multiclass``.
        strengths: Inverse penalties to try, ascending.
    """
    parts = []
    for part in splits:
        targets = part.targets.numpy()
        # a logistic regression knows yes and no only, so a soft target is left to fine-tuning
        mask = (part.mask.numpy() > 0) & np.isin(targets, (0.0, 1.0))
        parts.append((embeddings[part.rows], targets, mask))
    probe = fit_head(network, findings, *parts, task=task, strengths=strengths)
    score = "no figure: no finding has both classes in tune" if probe.tune_auroc is None else f"{probe.tune_auroc:.4f}"
    say(f"head alone, on frozen features: tune AUROC {score} (C {probe.strength:g} of {len(probe.trials)} tried)")
    if probe.skipped:
        say(f"  {', '.join(probe.skipped)}: one class in the train split, so the head gives its frequency there alone")
    return probe
