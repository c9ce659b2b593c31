"""Grad-CAM of all findings at once, without a backward pass.

EfficientNet ends in global average pooling and a linear layer, so the gradient of finding k's logit with respect to the last
feature map A is the constant w_k / (h·w). Grad-CAM (Selvaraju 2017) is then ReLU(Σ_c w_kc · A_c) / (h·w): one matrix product
of the features that the forward pass has computed anyway. The map is kept before the ReLU: what speaks against a finding is
information too, and summed over all positions the map plus the head's bias is the logit. HiResCAM (Draelos & Carin 2020)
on this layer is the same map.
"""

from collections.abc import Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.network import linear_head
from medclassify.models.precision import exact_float32


def class_activation_maps(
    network: EfficientNet, images: Tensor, findings: Sequence[int] | None = None
) -> tuple[Tensor, Tensor]:
    """Logits and signed class activation maps.

    Args:
        network: In evaluation mode; its head is a linear layer on globally average-pooled features.
        images: (B, 3, S, S), normalised, in the network's own precision.
        findings: Which K findings get a map; all when left out.

    Returns:
        float32 logits (B, all findings), and maps (B, K, h, w) in units of the logit: their sum over h and w is logit − bias.

    Raises:
        ExplainError: The network ends otherwise.
    """
    head = linear_head(network)
    with torch.inference_mode(), exact_float32():
        features = network.forward_features(images)
        logits = network.forward_head(features)
        weight = head.weight if findings is None else head.weight[list(findings)]
        maps = weighted_sum(features, weight.float()) / features[0, 0].numel()
    return logits.float(), maps


def weighted_sum(features: Tensor, weight: Tensor) -> Tensor:
    """Σ_c weight_kc · features_bc: (B, C, h, w) and (K, C) or (B, K, C) → float32 (B, K, h, w)."""
    channels_last = features.float().permute(0, 2, 3, 1).flatten(1, 2)  # a view, for the network keeps channels last
    return (channels_last @ weight.mT).mT.unflatten(2, tuple(features.shape[2:]))


def grad_cam(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """Grad-CAM on the last feature maps, before the ReLU, in units of the logit; see ``class_activation_maps``."""
    return class_activation_maps(network, images, findings)[1]
