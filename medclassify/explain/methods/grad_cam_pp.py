"""Grad-CAM++ (Chattopadhay 2018) in closed form.

Its weight of channel c is Σ_ij α · ReLU(g) with α = g² / (2 g² + Σ_ab A_c · g³). Behind global average pooling the gradient g
of the logit is the constant w_kc / (h·w), so α is 1 / (2 + mean(A_c) · w_kc), and the weight is α · ReLU(w_kc): one product.
"""

from collections.abc import Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.methods.grad_cam import weighted_sum
from medclassify.explain.network import linear_head
from medclassify.models.precision import exact_float32


def grad_cam_pp(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """Like Grad-CAM with channels that speak against a finding left out and strong ones damped; not in units of the logit.

    Raises:
        ExplainError: The network does not end in global average pooling and a linear layer.
    """
    weight = linear_head(network).weight
    with torch.inference_mode(), exact_float32():
        features = network.forward_features(images)
        w = weight[list(findings)].float()
        denominator = 2 + features.float().mean(dim=(2, 3))[:, None] * w
        alpha = torch.where(denominator.abs() > 1e-7, 1 / denominator, torch.zeros_like(denominator))
        return weighted_sum(features, alpha * w.clamp(min=0))
