"""Gradient checkpointing: activations inside a block are computed again in the backward pass instead of being kept.

Chen et al. 2016, "Training deep nets with sublinear memory cost". timm's ``set_grad_checkpointing`` does this too, but computes
every block a second time in training mode, and so moves the running statistics of BatchNorm twice a step; here the second time
leaves them alone, so that a network learns the same with and without.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class CheckpointedEfficientNet(EfficientNet):
    """An EfficientNet that keeps no activations inside its blocks while it learns; its weights have the same names."""

    def forward_features(self, x: Tensor) -> Tensor:
        """float32 (B, 3, H, W) → (B, C, h, w), as timm's. Drop path and dropout repeat themselves in the second pass."""
        x = self.bn1(self.conv_stem(x))
        for block in (block for stage in self.blocks for block in stage.children()):
            x = checkpoint(block, x, use_reentrant=False, context_fn=partial(_passes, block)) if self.training else block(x)
        return self.bn2(self.conv_head(x))


def checkpoint_blocks(network: EfficientNet) -> EfficientNet:
    """Turns checkpointing on, in place: the same modules and weights, another way through them."""
    network.__class__ = CheckpointedEfficientNet
    return network


def _passes(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of the first and of the second computation."""
    return nullcontext(), _statistics_stand(block)


@contextmanager
def _statistics_stand(block: nn.Module) -> Iterator[None]:
    """The same operations, for what they keep has to match; but running statistics move by nothing, and no step is counted."""
    moving = [part for part in block.modules() if isinstance(part, _BatchNorm) and part.training]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in moving]
    for norm in moving:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(moving, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
