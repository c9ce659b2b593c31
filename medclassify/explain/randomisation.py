"""Cascading weight randomisation (Adebayo et al. 2018, "Sanity checks for saliency maps", section 4.1).

The network's layers are re-drawn at random from the head downwards. A map that stays as it was never depended on what the
network had learnt: it is an edge detector, and must not be read as an explanation.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from medclassify.explain.methods import Method
from medclassify.explain.similarity import rank_correlations, structural_similarity

LARGEST_CORRELATION = 0.5
"""Mean |Spearman| with a control's maps above which a method fails."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """How much the maps of a trained network resemble those of a control, which must not resemble them.

    Attributes:
        control: What the control is, in words.
        stages: Steps of the control, cumulatively; one where it has none.
        rank_correlation: Mean |Spearman| with the trained maps after each stage.
        ssim: Mean structural similarity after each stage (each set of maps on its own common scale).
        by_finding: Mean |Spearman| at the last stage, one a finding.
        n_maps: Maps compared.
        note: What else is to be known of the control.
    """

    control: str
    stages: tuple[str, ...]
    rank_correlation: tuple[float, ...]
    ssim: tuple[float, ...]
    by_finding: tuple[float, ...]
    n_maps: int
    note: str = ""

    @property
    def passed(self) -> bool:
        """The rank correlation ends at or below 0.5."""
        return self.rank_correlation[-1] <= LARGEST_CORRELATION


def cascading_randomisation(
    network: EfficientNet, images: Tensor, findings: Sequence[int], method: Method, seed: int = 0
) -> Resemblance:
    """Compares the trained maps with those of the network made random stage by stage, from the head downwards.

    Args:
        network: The trained network, in evaluation mode; not changed.
        images: float32 (B, 3, S, S), normalised; a dozen is enough.
        findings: Which K findings.
        method: The method to check. A costly one is looked at after every third stage and at the end.
        seed: Seed of the random weights.
    """
    trained = method.maps(network, images, findings)
    network = copy.deepcopy(network)
    names, correlations, similarities = [], [], []
    by_finding = np.zeros(len(findings))
    stages = network_stages(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for number, (name, stage) in enumerate(stages, start=1):
            redraw(stage)
            if method.costly and number % 3 and number < len(stages):
                continue
            maps = method.maps(network, images, findings)
            found = rank_correlations(trained, maps)
            names.append(name)
            correlations.append(float(found.mean()))
            similarities.append(structural_similarity(trained, maps))
            by_finding = found.mean(axis=0)
    return Resemblance(
        control="cascading weight randomisation (Adebayo 2018)",
        stages=tuple(names),
        rank_correlation=tuple(correlations),
        ssim=tuple(similarities),
        by_finding=tuple(map(float, by_finding)),
        n_maps=trained.shape[0] * trained.shape[1],
    )


def network_stages(network: EfficientNet) -> list[tuple[str, nn.Module]]:
    """The network's parts by name, from the head downwards."""
    blocks = [(f"blocks.{i}", network.blocks[i]) for i in reversed(range(len(network.blocks)))]
    top = [("classifier", network.get_classifier()), ("conv_head", network.conv_head), ("bn2", network.bn2)]
    return [*top, *blocks, ("conv_stem", network.conv_stem), ("bn1", network.bn1)]


def redraw(part: nn.Module) -> None:
    """Draws the weights of every layer of a part anew, as a new layer of its kind would have them."""
    for layer in part.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()  # type: ignore[operator]
