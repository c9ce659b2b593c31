"""Mixup: each image is blended with another of its batch, and so are their targets."""

import torch
from torch import Tensor
from torch.distributions import Beta


def mixed(batch: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Blends every sample of a batch with another one, by one share for the whole batch (Zhang et al., ICLR 2018, section 2).

    Share and partners are drawn from torch's own generator on the CPU, which is seeded by the step: a resumed run mixes as an
    unbroken one, and no device has to be waited for.

    Args:
        batch: ``image`` (B, 3, S, S), ``target`` and ``mask`` (B, K), on any device. Further keys stay as they are.
        alpha: Of the Beta(alpha, alpha) that the share is drawn from, above 0.

    Returns:
        The batch with ``image`` and ``target`` blended; a label is known where it is known of both.
    """
    share = float(Beta(alpha, alpha).sample())
    partner = torch.randperm(len(batch["image"])).to(batch["image"].device, non_blocking=True)
    blended = {name: batch[name][partner].lerp(batch[name], share) for name in ("image", "target")}
    return {**batch, **blended, "mask": batch["mask"] * batch["mask"][partner]}
