"""Insertion and deletion (Petsiuk 2018, RISE), against maps that know nothing of the image.

Pixels are put into a blurred picture, or blurred out of the picture, from the most salient downwards. Where the map is right
the logit rises early and falls early: insertion area less deletion area is large. A random map of the same grain and a Gaussian
at the centre of the image set the mark: a method that does not beat them points at nothing that this network uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from medclassify.explain.resampling import means
from medclassify.models.precision import exact_float32
from medclassify.records import PreparedGeometry

SHARES = (1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6)
"""Of the image's pixels; at 0 and 1 every map gives the same picture."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How much more a map's order of pixels moves the logit than a baseline's, with a 95 % patient-bootstrap interval."""

    baseline: str
    mean: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """The interval lies above 0."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Insertion less deletion area of some maps, in units of the logit.

    Attributes:
        mean: Of the method.
        gains: Over each baseline.
        n_maps: Maps looked at, one an image.
        n_patients: Their patients.
    """

    mean: float
    gains: tuple[Gain, ...]
    n_maps: int
    n_patients: int

    @property
    def passed(self) -> bool:
        """It beats every baseline."""
        return all(gain.passed for gain in self.gains)


def faithfulness(
    network: EfficientNet,
    images: Tensor,
    findings: Sequence[int],
    maps: Tensor,
    geometries: Sequence[PreparedGeometry],
    patients: Sequence[str],
    seed: int = 0,
) -> Faithfulness:
    """Scores one map an image against both baselines, and resamples patients.

    Args:
        network: In evaluation mode.
        images: float32 (B, 3, S, S), normalised.
        findings: B indices: the finding that each image's map explains.
        maps: float32 (B, h, w), signed.
        geometries: B: where each image lies in its square; padding is never shown or taken away.
        patients: B ids.
        seed: Of random maps and resamples.
    """
    inside = torch.stack([_inside(geometry) for geometry in geometries])
    baselines = {
        "a random map of the same grain": torch.from_numpy(np.random.default_rng(seed).normal(size=tuple(maps.shape))).float(),
        "a Gaussian at the centre": torch.stack([_centred(geometry) for geometry in geometries]),
    }
    own = insertion_less_deletion(network, images, findings, maps, inside)
    others = {name: insertion_less_deletion(network, images, findings, each, inside) for name, each in baselines.items()}
    differences = np.stack([own - other for other in others.values()], axis=1)
    found, n_patients = means(differences, patients, seed)
    gains = tuple(Gain(name, each.value, each.low, each.high) for name, each in zip(others, found, strict=True))
    return Faithfulness(float(own.mean()), gains, len(images), n_patients)


def insertion_less_deletion(
    network: EfficientNet, images: Tensor, findings: Sequence[int], maps: Tensor, inside: Tensor
) -> NDArray[np.float64]:
    """Mean logit while pixels come, less mean logit while they go, by each map's order.

    Args:
        network: In evaluation mode.
        images: float32 (B, 3, S, S), normalised.
        findings: B indices of logits.
        maps: (B, h, w), any h and w.
        inside: bool (B, S, S), the pixels that are image and no padding.

    Returns:
        float64 (B,), in units of the logit.
    """
    side = images.shape[-1]
    large = interpolate(maps[:, None].float().to(images.device), size=(side, side), mode="bilinear")[:, 0]
    inside = inside.to(images.device)
    large = large.masked_fill(~inside, -torch.inf)
    rank = large.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view_as(large)
    share = rank / inside.flatten(1).sum(dim=1)[:, None, None]
    rows, total = torch.arange(len(images)), np.zeros(len(images))
    with torch.inference_mode(), exact_float32():
        blurred = blur(images)
        for part in SHARES:
            first = (share < part)[:, None]
            for sign, picture in ((1, torch.where(first, images, blurred)), (-1, torch.where(first, blurred, images))):
                total += sign * network(picture)[rows, list(findings)].double().cpu().numpy()
    return total / len(SHARES)


def blur(images: Tensor) -> Tensor:
    """Images with all but their coarse brightness gone: three box means of a tenth of the side, nearly a Gaussian."""
    reach = max(1, images.shape[-1] // 20)
    for _ in range(3):
        images = avg_pool2d(pad(images, [reach] * 4, mode="replicate"), 2 * reach + 1, stride=1)
    return images


def _inside(geometry: PreparedGeometry) -> Tensor:
    mask = torch.zeros(geometry.size, geometry.size, dtype=torch.bool)
    mask[geometry.top : geometry.top + geometry.height, geometry.left : geometry.left + geometry.width] = True
    return mask


def _centred(geometry: PreparedGeometry) -> Tensor:
    """A Gaussian whose standard deviation is a quarter of the image's height and width."""
    axes = [
        (torch.arange(geometry.size) + 0.5 - start - length / 2) / (length / 4)
        for start, length in ((geometry.top, geometry.height), (geometry.left, geometry.width))
    ]
    return torch.exp(-0.5 * (axes[0][:, None] ** 2 + axes[1][None, :] ** 2))
