"""Builds an EfficientNet of timm.

Radiographs have one channel and ImageNet stems have three. The image is repeated to three channels rather than the stem cut
to one: the stem's weights stay whole, and the network sees exactly the grey picture an ImageNet photograph in grey would be.
"""

import difflib
import re
from collections.abc import Sequence

import timm
from timm.models.efficientnet import EfficientNet

from medclassify.display import ct_window
from medclassify.errors import ConfigError
from medclassify.models.checkpointing import checkpoint_blocks
from medclassify.models.scaling import scaling_of
from medclassify.records import Preprocessing

_FAMILIES = {  # a coefficient chooses within the family its backbone belongs to
    r"(tf_)?efficientnet_b\d": ("efficientnet_b", 7),
    r"tf_efficientnetv2_b\d": ("efficientnetv2_b", 3),
}


def backbone_name(backbone: str, scale: int | None) -> str:
    """The timm name that a backbone and a compound coefficient (Tan & Le 2019, section 3.3) mean together.

    Args:
        backbone: A timm EfficientNet name, with or without a weights tag (``tf_efficientnet_b0.ns_jft_in1k``).
        scale: 0–7 (EfficientNet) or 0–3 (EfficientNetV2-B); None takes the name as it is.

    Raises:
        ConfigError: No such EfficientNet, or the family has no such coefficient.
    """
    name, _, tag = backbone.partition(".")
    known = timm.list_models("*efficientnet*", include_tags=False)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ". timm.list_models('*efficientnet*') names them."
        raise ConfigError(f"model.backbone {backbone!r} is not an EfficientNet of timm{hint}")
    if scale is None:
        return backbone
    for pattern, (stem, largest) in _FAMILIES.items():
        if re.fullmatch(pattern, name):
            if scale > largest:
                raise ConfigError(f"model.scale must be 0–{largest} for {name}, received {scale}.")
            return ("tf_" if name.startswith("tf_") else "") + f"{stem}{scale}" + (f".{tag}" if tag else "")
    raise ConfigError(
        f"model.scale needs a backbone named by coefficient (efficientnet_b0, tf_efficientnetv2_b0), received {backbone!r}."
    )


def create_network(
    backbone: str,
    findings: int,
    *,
    drop_rate: float | None = None,
    drop_path_rate: float = 0.0,
    grad_checkpointing: bool = False,
) -> EfficientNet:
    """Builds a network with random weights and a linear head, channels-last in memory.

    Args:
        backbone: As ``backbone_name`` returns it.
        findings: K, the number of logits.
        drop_rate: Dropout before the head; None takes the backbone's own.
        drop_path_rate: Stochastic depth.
        grad_checkpointing: Activations inside blocks are computed again in the backward pass instead of being kept.

    Returns:
        float32 (B, 3, H, W) normalised images → float32 (B, K) logits.
    """
    import torch

    network = timm.create_model(
        backbone,
        num_classes=findings,
        drop_rate=scaling_of(backbone).dropout if drop_rate is None else drop_rate,
        drop_path_rate=drop_path_rate,
    )
    if not isinstance(network, EfficientNet):
        raise ConfigError(f"model.backbone {backbone!r} is a {type(network).__name__}, not an EfficientNet.")
    network = checkpoint_blocks(network) if grad_checkpointing else network
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def preprocessing_of(
    backbone: str, *, image_size: int | None, window: str, ct_windows: Sequence[str] = (), neighbours: int = 0
) -> Preprocessing:
    """Reads what the weights expect from timm's record of them; AdvProp's different normalisation comes this way too.

    Args:
        backbone: As ``backbone_name`` returns it.
        image_size: Overrides the weights' own input size, pixels.
        window: How a radiograph's values become grey.
        ct_windows: Names of ``display.CT_WINDOWS``, for CT.
        neighbours: Slices on either side of a slice that are channels beside it.

    Raises:
        ConfigError: timm has no record of the backbone's weights, or a window is not known.
    """
    for name in ct_windows:
        ct_window(name)
    facts = timm.get_pretrained_cfg(backbone)
    if facts is None:
        raise ConfigError(f"model.backbone {backbone!r}: timm has no record of what its weights expect. Choose another.")
    mean, std = ((float(red), float(green), float(blue)) for red, green, blue in (facts.mean, facts.std))
    size = image_size or facts.input_size[-1]
    return Preprocessing(size, mean, std, facts.interpolation, window, tuple(ct_windows), neighbours)
