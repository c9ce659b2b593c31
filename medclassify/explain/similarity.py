"""How alike two maps are, whatever their scale."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

_LARGEST = 32
_SIDE = 32


def rank_correlations(first: Tensor, second: Tensor) -> NDArray[np.float64]:
    """|Spearman| of each pair of maps.

    Args:
        first: float32 (B, K, h, w).
        second: The same shape. Maps of more than 32 × 32 are averaged down to that first: neighbouring pixels are no evidence
            of their own.

    Returns:
        float64 (B, K); 0 where a map is constant, which has no ranks and nothing in common with any other.
    """
    ranks = [rankdata(_small(maps).flatten(2).cpu().numpy(), axis=2) for maps in (first, second)]
    a, b = (values - values.mean(axis=2, keepdims=True) for values in ranks)
    norm = np.sqrt((a**2).sum(axis=2) * (b**2).sum(axis=2))
    return np.abs(np.divide((a * b).sum(axis=2), norm, out=np.zeros_like(norm), where=norm > 0))


def structural_similarity(first: Tensor, second: Tensor) -> float:
    """Mean SSIM of maps (B, K, h, w) at 32 × 32, each set divided by its own largest absolute value."""
    scaled = [maps.flatten(0, 1)[:, None] / maps.abs().amax().clamp(min=1e-12) for maps in (_small(first), _small(second))]
    large = [torch.nn.functional.interpolate(maps, size=(_SIDE, _SIDE), mode="bilinear") for maps in scaled]
    value = structural_similarity_index_measure(large[0], large[1], data_range=2.0)
    return float(value[0] if isinstance(value, tuple) else value)


def _small(maps: Tensor) -> Tensor:
    if max(maps.shape[2:]) <= _LARGEST:
        return maps.float()
    return torch.nn.functional.adaptive_avg_pool2d(maps.float(), _LARGEST)
