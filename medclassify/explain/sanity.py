"""Cascading weight randomisation (Adebayo et al. 2018, "Sanity checks for saliency maps", section 4.1).

The network's layers are re-drawn at random from the head downwards. A map that stays as it was never depended on what the
network had learnt: it is an edge detector, and must not be read as an explanation.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure

from medclassify.explain.cam import class_activation_maps

_LARGEST_CORRELATION = 0.5


@dataclass(frozen=True, slots=True)
class SanityResult:
    """How much the maps of a trained network resemble those of the same network with layers made random.

    Attributes:
        stages: Layers re-drawn, cumulatively, from the head downwards.
        rank_correlation: Mean |Spearman| with the trained map after each stage.
        ssim: Mean structural similarity after each stage (maps on the trained maps' common scale).
        n_maps: Maps compared.
        passed: The rank correlation ends at or below 0.5.
    """

    stages: tuple[str, ...]
    rank_correlation: tuple[float, ...]
    ssim: tuple[float, ...]
    n_maps: int
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the rule in words."""
        return {
            "method": "cascading weight randomisation (Adebayo 2018)",
            "stages": list(self.stages),
            "rank_correlation": list(self.rank_correlation),
            "ssim": list(self.ssim),
            "n_maps": self.n_maps,
            "rule": f"mean |rank correlation| with everything randomised must be at most {_LARGEST_CORRELATION}",
            "passed": self.passed,
        }


def cascading_randomisation(network: EfficientNet, images: Tensor, seed: int = 0) -> SanityResult:
    """Runs the check for Grad-CAM on some images.

    Args:
        network: The trained network; not changed.
        images: float32 (B, 3, S, S), normalised; a dozen is enough.
        seed: Seed of the random weights.
    """
    network = copy.deepcopy(network).eval()
    _, trained = class_activation_maps(network, images)
    stages: list[tuple[str, nn.Module]] = [
        ("classifier", network.get_classifier()),
        ("conv_head", network.conv_head),
        ("bn2", network.bn2),
    ]
    stages += [(f"blocks.{i}", network.blocks[i]) for i in reversed(range(len(network.blocks)))]
    stages += [("conv_stem", network.conv_stem), ("bn1", network.bn1)]
    correlations, similarities = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _, stage in stages:
            stage.apply(_redraw)
            _, maps = class_activation_maps(network, images)
            correlations.append(_rank_correlation(trained, maps))
            similarities.append(_ssim(trained, maps))
    return SanityResult(
        stages=tuple(name for name, _ in stages),
        rank_correlation=tuple(correlations),
        ssim=tuple(similarities),
        n_maps=trained.shape[0] * trained.shape[1],
        passed=correlations[-1] <= _LARGEST_CORRELATION,
    )


def _redraw(layer: nn.Module) -> None:
    if hasattr(layer, "reset_parameters"):
        layer.reset_parameters()  # type: ignore[operator]


def _rank_correlation(first: Tensor, second: Tensor) -> float:
    a, b = first.flatten(0, 1).flatten(1).cpu().numpy(), second.flatten(0, 1).flatten(1).cpu().numpy()
    # a constant map has no ranks, and nothing in common with any other
    values = [
        abs(float(spearmanr(x, y).statistic)) if np.ptp(x) > 0 and np.ptp(y) > 0 else 0.0 for x, y in zip(a, b, strict=True)
    ]
    return float(np.mean(values))


def _ssim(first: Tensor, second: Tensor) -> float:
    scaled = [maps.flatten(0, 1)[:, None] / maps.abs().amax().clamp(min=1e-12) for maps in (first, second)]
    large = [torch.nn.functional.interpolate(maps, size=(32, 32), mode="bilinear") for maps in scaled]
    value = structural_similarity_index_measure(large[0], large[1], data_range=2.0)
    return float(value[0] if isinstance(value, tuple) else value)
