"""Makes prepared images smaller on the device that they are on."""

import torch
import torch.nn.functional as F
from torch import Tensor


def shrink(images: Tensor, size: int) -> Tensor:
    """Shrinks by an anti-aliased triangle filter, as wide as the step between new pixels; nothing finer is left to alias.

    Args:
        images: uint8 (B, C, S, S).
        size: The new side in pixels, at most S.

    Returns:
        uint8 (B, C, size, size); the images themselves where they have that side.
    """
    if images.shape[-1] == size:
        return images
    options = {"size": (size, size), "mode": "bilinear", "antialias": True}
    if images.device.type == "cpu":
        return F.interpolate(images, **options)
    # PyTorch has the filter for bytes on a CPU alone
    return F.interpolate(images.float(), **options).round_().clamp_(0, 255).to(torch.uint8)
