"""LayerCAM (Jiang 2021): activations weighted, position by position, by their positive gradients; made for earlier stages."""

from collections.abc import Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.methods.gradients import stage_gradients


def layer_cam(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """Σ_c ReLU(gradient) × activation at twice the side of Grad-CAM's map: what would raise the logit if there were more of it.

    Raises:
        ExplainError: The network does not end in global average pooling and a linear layer.
    """
    pairs = stage_gradients(network, images, findings)
    return torch.stack([(gradient.clamp(min=0) * features).sum(1) for features, gradient in pairs], 1)
