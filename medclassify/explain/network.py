"""What the explanations need to know of a network: where its feature maps end, and that its head is linear on their mean."""

from collections.abc import Iterable, Sequence

from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from medclassify.errors import ExplainError


def linear_head(network: nn.Module) -> nn.Linear:
    """The classifier of a network that ends in global average pooling and one linear layer, in evaluation mode.

    Raises:
        ExplainError: It ends otherwise, or is in training mode, where BatchNorm mixes the images of a batch.
    """
    pooling, head = getattr(network, "global_pool", None), getattr(network, "classifier", None)
    kind = getattr(pooling, "pool_type", type(pooling).__name__)
    if not isinstance(network, EfficientNet) or not isinstance(head, nn.Linear) or kind != "avg":
        raise ExplainError(
            f"network: class activation maps need an EfficientNet that ends in global average pooling and one linear layer, "
            f"received {type(network).__name__} with pooling {kind} and head {type(head).__name__}. "
            "Use explain.method integrated_gradients or occlusion, which look at the input alone."
        )
    require_evaluation(network)
    return head


def require_evaluation(network: nn.Module) -> None:
    """Refuses a network in training mode.

    Raises:
        ExplainError: It is.
    """
    if network.training:
        raise ExplainError("network: is in training mode, where a map depends on the batch it stands in. Call network.eval().")


def earlier_stage(network: EfficientNet) -> int:
    """How many of ``network.blocks`` make the last feature maps that are larger than the final ones.

    Twice the final side, 14 × 14 at 224 pixels: the layer for maps of finer grain.
    """
    stages: Sequence[dict] = network.feature_info  # type: ignore[assignment]
    final = max(stage["reduction"] for stage in stages)
    larger = [stage["module"] for stage in stages if stage["reduction"] < final and stage["module"].startswith("blocks.")]
    return int(larger[-1].split(".")[1]) + 1


def run_blocks(blocks: Iterable[nn.Module], features: Tensor) -> Tensor:
    """Features after some of the network's stages."""
    for block in blocks:
        features = block(features)
    return features
