"""Grad-CAM of all findings at once, without a backward pass.

EfficientNet ends in global average pooling and a linear layer, so the gradient of finding k's logit with respect to the last
feature map A is the constant w_k / (h·w). Grad-CAM (Selvaraju 2017) is then ReLU(Σ_c w_kc · A_c) / (h·w): one matrix product
of the features that the forward pass has computed anyway. The map is kept before the ReLU: what speaks against a finding is
information too, and summed over all positions the map plus the head's bias is the logit.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.models.precision import exact_float32

LAYER = "bn2"


def class_activation_maps(network: EfficientNet, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and signed class activation maps.

    Args:
        network: In evaluation mode; its head is a linear layer on globally average-pooled features.
        images: float32 (B, 3, S, S), normalised.

    Returns:
        Logits (B, K), and maps (B, K, h, w) in units of the logit: their sum over h and w is logit − bias.
    """
    with torch.inference_mode(), exact_float32():
        features = network.forward_features(images)
        logits = network.forward_head(features)
        head = network.get_classifier()
        maps = torch.einsum("kc,bchw->bkhw", head.weight.to(features.dtype), features) / features[0, 0].numel()
    return logits.float(), maps.float()


def saliency_limit(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The value at which an overlay reaches its full colour, per finding, from a reference set of images.

    Scaling each map by its own maximum makes noise look confident; one limit for all images of a model does not.

    Args:
        maps: float32 (N, K, h, w), of the calibrate split.

    Returns:
        float64 (K,): the 99.5th percentile of the positive values; 0 where a finding has none.
    """
    positive = np.moveaxis(maps, 1, 0).reshape(maps.shape[1], -1)
    return np.array([np.percentile(row[row > 0], 99.5) if (row > 0).any() else 0.0 for row in positive])
