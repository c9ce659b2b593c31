"""HiResCAM (Draelos & Carin 2020): gradient times activation, position by position, before anything is averaged.

On the last feature maps it is Grad-CAM (tested), so it is read an earlier stage, where the map has four times the positions.
"""

from collections.abc import Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.methods.gradients import stage_gradients


def hires_cam(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """Σ_c gradient × activation at twice the side of Grad-CAM's map, in units of the logit.

    Raises:
        ExplainError: The network does not end in global average pooling and a linear layer.
    """
    return torch.stack([(gradient * features).sum(1) for features, gradient in stage_gradients(network, images, findings)], 1)
