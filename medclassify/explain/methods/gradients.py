"""Gradients of each finding's logit with respect to an earlier stage's feature maps."""

from collections.abc import Iterator, Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.network import earlier_stage, linear_head, run_blocks
from medclassify.models.precision import exact_float32


def stage_gradients(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """The earlier stage's feature maps and, finding by finding, the gradient of its logit there.

    Only what lies behind the stage is run backwards. Works under ``inference_mode`` and with frozen weights; nothing is hooked,
    and no gradient is left on a parameter.

    Yields:
        Features and gradient, both (B, C, h, w).

    Raises:
        ExplainError: The network does not end in global average pooling and a linear layer.
    """
    linear_head(network)
    stage = earlier_stage(network)
    with torch.inference_mode(False), torch.enable_grad(), exact_float32():
        with torch.no_grad():
            features = run_blocks(network.blocks[:stage], network.bn1(network.conv_stem(images.clone())))
        features.requires_grad_()
        last = network.bn2(network.conv_head(run_blocks(network.blocks[stage:], features)))
        logits = network.forward_head(last)
        gradients = [torch.autograd.grad(logits[:, k].sum(), features, retain_graph=True)[0] for k in findings]
    for gradient in gradients:
        yield features.detach().float(), gradient.float()
