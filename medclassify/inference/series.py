"""Embeddings of slices to logits of series, and how much each slice weighs in them."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import nn

from medclassify.models.attention import GatedAttention, series_logits
from medclassify.models.precision import exact_float32
from medclassify.records import LogitTable, SliceWeights


def weigh_slices(network: EfficientNet, attention: GatedAttention, embeddings: NDArray[np.float32]) -> SliceWeights:
    """What each slice of one series says, and how much that counts.

    Args:
        network: Its linear head gives the logits of slices.
        attention: Weighs them.
        embeddings: float32 (L, D), the slices of one series in their order.
    """
    head = cast(nn.Linear, network.get_classifier())
    device = head.weight.device
    attention.to(device).eval()
    with torch.inference_mode(), exact_float32():
        features = torch.from_numpy(np.array(embeddings)).to(device)[None]
        logits = head(features)
        weights = attention(features, logits, torch.ones(features.shape[:2], dtype=torch.bool, device=device))
        whole = series_logits(weights, logits)
    return SliceWeights(*(each[0].double().cpu().numpy() for each in (weights, logits, whole)))


def logits_of_series(
    network: EfficientNet,
    attention: GatedAttention,
    embeddings: NDArray[np.float32],
    stacks: Mapping[str, NDArray[np.int64]],
    *,
    sample_ids: Sequence[str],
    findings: Sequence[str],
    fingerprint: str,
) -> LogitTable:
    """Scores series, one at a time: memory grows with the longest of them.

    Args:
        network: Its head gives the logits of slices.
        attention: Weighs them.
        embeddings: float32 (M, D), memory-mapped or not.
        stacks: Series → rows of its slices.
        sample_ids: N series.
        findings: K names.
        fingerprint: SHA-256 of the weights of both.
    """
    rows = [weigh_slices(network, attention, embeddings[stacks[sample]]).series for sample in sample_ids]
    logits = np.stack(rows) if rows else np.zeros((0, len(findings)))
    return LogitTable(tuple(sample_ids), tuple(findings), logits, fingerprint)
