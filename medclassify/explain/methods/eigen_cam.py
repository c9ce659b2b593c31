"""Eigen-CAM (Muhammad & Yeasin 2020): the first principal component of the last feature maps. It knows no finding.

Every finding gets the same map, and a head trained on shuffled labels gets it too: it shows what the features respond to most,
and the label control of the sanity check rightly fails it as an explanation of a finding.
"""

from collections.abc import Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.network import linear_head
from medclassify.models.precision import exact_float32


def eigen_cam(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """The first principal component of the feature maps over positions, in units of activation, the same for every finding.

    A component has no sign of its own: it is turned so that the stronger activations are positive.

    Raises:
        ExplainError: The network does not end in global average pooling and a linear layer.
    """
    linear_head(network)
    with torch.inference_mode(), exact_float32():
        features = network.forward_features(images).float()
        positions = features.flatten(2).mT  # (B, h·w, C)
        positions = positions - positions.mean(dim=1, keepdim=True)
        _, _, components = torch.linalg.svd(positions, full_matrices=False)
        projected = (positions @ components[:, 0, :, None])[..., 0]
        strength = features.flatten(2).square().sum(1)
        strength = strength - strength.mean(dim=1, keepdim=True)
        sign = torch.where((projected * strength).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
        maps = (projected * sign).unflatten(1, tuple(features.shape[2:]))
    return maps[:, None].expand(-1, len(findings), -1, -1).contiguous()
