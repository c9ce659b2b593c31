"""Integrated gradients (Sundararajan 2017), by captum: what each pixel adds to the logit on the way from grey."""

from collections.abc import Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.network import require_evaluation
from medclassify.models.precision import exact_float32

_STEPS = 32


def integrated_gradients(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """Attributions at the input, summed over channels, in units of the logit; 32 passes forwards and backwards a finding.

    The path starts at the grey that normalisation maps to 0, the mean of the photographs the backbone knew. Over all pixels a
    map adds up to logit(image) − logit(grey), up to the error of 32 steps.

    Raises:
        ExplainError: The network is in training mode.
    """
    from captum.attr import IntegratedGradients  # half a second, for this method alone

    require_evaluation(network)
    with torch.inference_mode(False), torch.enable_grad(), exact_float32():
        explainer, inputs = IntegratedGradients(network), images.clone()
        maps = []
        for k in findings:
            found = explainer.attribute(inputs, target=k, n_steps=_STEPS, internal_batch_size=max(16, len(inputs)))
            maps.append(found.detach().float().sum(1))
    return torch.stack(maps, 1)
