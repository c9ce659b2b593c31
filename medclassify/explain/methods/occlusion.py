"""Occlusion (Zeiler & Fergus 2014): how far the logit falls when a grey patch covers each part of the image.

One pass over all patches serves every finding; captum's does one a finding (its result is the same, tested).
"""

from collections.abc import Iterator, Sequence

import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.explain.network import require_evaluation
from medclassify.models.precision import exact_float32

_ACROSS = 16
"""Steps across the image; a patch is two steps wide."""


def occlusion(network: EfficientNet, images: Tensor, findings: Sequence[int]) -> Tensor:
    """The mean fall of the logit over the patches that cover a pixel, in units of the logit; 225 forward passes.

    A patch is the grey that normalisation maps to 0.

    Raises:
        ExplainError: The network is in training mode.
    """
    require_evaluation(network)
    chosen, side = list(findings), images.shape[-1]
    with torch.inference_mode(), exact_float32():
        whole = network(images)[:, chosen].float()
        fall = whole.new_zeros((*whole.shape, side, side))
        covered = whole.new_zeros((side, side))
        for rows, columns in patches(side):
            hidden = images.clone()
            hidden[:, :, rows, columns] = 0
            fall[:, :, rows, columns] += (whole - network(hidden)[:, chosen].float())[..., None, None]
            covered[rows, columns] += 1
        return fall / covered


def patches(side: int) -> Iterator[tuple[slice, slice]]:
    """The squares that are covered one by one; the last of a row or column are cut off at the edge."""
    step = -(-side // _ACROSS)
    starts = range(0, max(side - step, 1), step)
    spans = [slice(start, min(start + 2 * step, side)) for start in starts]
    return ((rows, columns) for rows in spans for columns in spans)
