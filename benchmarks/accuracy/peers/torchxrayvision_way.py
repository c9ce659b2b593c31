"""torchxrayvision's own training script: DenseNet121 on one channel from random weights, Adam, one masked loss a finding.

As in its ``scripts/train_model.py`` and ``train_utils.py``: values in ±1024, centre crop, rotation by 45°, shift
by 15 %, zoom by 15 %, batch 64, Adam with amsgrad at 1e-3 and decay 1e-5, findings weighted by how rare they are. Its published
weights are no part of it: they have to be downloaded, and they have seen NIH ChestX-ray14, from which one of the test sets is.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
import torchxrayvision as xrv
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.accuracy.peers.images import Data
from benchmarks.accuracy.peers.loop import Way


def torchxrayvision_way(data: Data, _weights: Path) -> Way:
    """The way of someone who follows torchxrayvision's training script.

    Args:
        data: Its findings are the outputs.
        _weights: Not used: they are an EfficientNet's.
    """
    shape = xrv.models.get_densenet_params("densenet121")
    network: Any = xrv.models.DenseNet(num_classes=len(data.findings), in_channels=1, **shape)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-5, amsgrad=True)
    augment = torchvision.transforms.Compose(
        [
            xrv.datasets.ToPILImage(),
            torchvision.transforms.RandomAffine(45, translate=(0.15, 0.15), scale=(0.85, 1.15)),
            torchvision.transforms.ToTensor(),
        ]
    )
    rarity = _rarity(data)

    def loss(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        total = logits.new_zeros(())
        for k, known in enumerate(mask.T):
            if known.any():
                of_finding = torch.nn.functional.binary_cross_entropy_with_logits(logits[known, k], targets[known, k])
                total = total + rarity[k] * of_finding
        return total

    return Way(network, optimizer, lambda _share: 1.0, loss, 64, partial(_prepare, side=data.side), augment, torch.from_numpy)


def _prepare(image: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    small = xrv.datasets.XRayResizer(side)(xrv.datasets.XRayCenterCrop()(xrv.datasets.normalize(image, 255, reshape=True)))
    return np.asarray(small, np.float32)


def _rarity(data: Data) -> list[float]:
    """Its task weights: the rarest finding weighs most, 1 the heaviest possible."""
    positives = np.where(data.train.mask, data.train.targets, 0).sum(axis=0)
    weights = positives.max() - positives + positives.mean()
    return (weights / weights.max()).tolist()
