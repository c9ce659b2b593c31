"""Holds parts of a network still: stages that do not learn yet, and BatchNorm whose batches are too small.

BatchNorm has two sorts of state: scale and shift, which learn by gradient, and running statistics, which every forward pass in
training mode moves. A layer is held still when its weights need no gradient and it is in evaluation mode.
"""

from collections.abc import Iterator

from timm.models.efficientnet import EfficientNet
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from medclassify.training.parameters import stages_of


def batch_norms(module: nn.Module) -> Iterator[_BatchNorm]:
    """Every BatchNorm layer, timm's own kinds included."""
    return (part for part in module.modules() if isinstance(part, _BatchNorm))


def freeze_batch_norm(network: EfficientNet) -> None:
    """Scale and shift of every BatchNorm stop learning. Its statistics stand still while ``hold_still`` is called."""
    for norm in batch_norms(network):
        for parameter in norm.parameters():
            parameter.requires_grad_(False)


def open_stages(network: EfficientNet, count: int, *, norms_learn: bool) -> None:
    """Lets the first ``count`` stages from the head learn, and no other.

    Args:
        network: Changed in place.
        count: How many, the head included.
        norms_learn: Whether the BatchNorm of a stage that learns does so too.
    """
    for number, stage in enumerate(stages_of(network)):
        for parameter in stage.parameters():
            parameter.requires_grad_(number < count)
    if not norms_learn:
        freeze_batch_norm(network)


def hold_still(network: EfficientNet) -> None:
    """Puts BatchNorm that does not learn into evaluation mode; to be called after every ``train()``, which undoes it."""
    for norm in batch_norms(network):
        if norm.affine and not any(parameter.requires_grad for parameter in norm.parameters()):
            norm.eval()
