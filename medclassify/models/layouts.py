"""Published key layouts of EfficientNet weights, brought to timm's.

The implementations build the same layers in the same order and differ in their names alone. So layers are put into the order
in which an image meets them, on both sides, and paired; a pair of different shapes is refused by whoever loads them.
"""

import re
from collections.abc import Iterable

from timm.layers.conv2d_same import Conv2dSame
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.errors import WeightsError

_COUNTER = "num_batches_tracked"
_TORCHVISION_EPSILON = 1e-3

_LUKEMELAS_BLOCK = {
    name: place
    for place, name in enumerate(
        ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand", "_project_conv", "_bn2")
    )
}
_LUKEMELAS_TOP = {name: place for place, name in enumerate(("_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1"))}


def layout_of(names: Iterable[str]) -> str:
    """Whose key layout a table of weights has: ``lukemelas`` (MONAI's EfficientNetBN too), ``torchvision`` or ``timm``."""
    names = set(names)
    if "_conv_stem.weight" in names:
        return "lukemelas"
    return "torchvision" if "features.0.0.weight" in names else "timm"


def to_timm_layout(network: EfficientNet, state: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Renames a backbone's tensors as timm calls them; what is in timm's layout is given back as it is.

    Args:
        network: The network they are for.
        state: A state dict in any of the known layouts, with or without a head.
        where: The file, for the message.

    Returns:
        A state dict in timm's names, without the other layout's head and step counters.

    Raises:
        WeightsError: It holds another number of layers than the network, or was learnt with another padding.
    """
    layout = layout_of(state)
    if layout == "timm":
        return state
    _require_padding(network, layout, where)
    order, head = (_lukemelas_order, "_fc.") if layout == "lukemelas" else (_torchvision_order, "classifier.")
    given = {name: tensor for name, tensor in state.items() if not name.startswith(head) and not name.endswith(_COUNTER)}
    wanted = [name for name in network.state_dict() if not name.startswith("classifier.") and not name.endswith(_COUNTER)]
    layers = sorted({_layer(name) for name in given}, key=order)
    targets = list(dict.fromkeys(map(_layer, wanted)))
    if len(layers) != len(targets):
        raise WeightsError(
            f"model.weights {where}: in {layout}'s layout, with {len(layers)} layers where the network has {len(targets)}. "
            "Choose the backbone that the file was made for."
        )
    renamed = dict(zip(layers, targets, strict=True))
    converted = {f"{renamed[_layer(name)]}.{name.rpartition('.')[2]}": tensor for name, tensor in given.items()}
    return _with_own_epsilon(network, converted) if layout == "torchvision" else converted


def _require_padding(network: EfficientNet, layout: str, where: str) -> None:
    """TensorFlow pads a strided convolution unevenly; weights learnt one way are off by half a pixel in the other."""
    uneven, name = isinstance(network.conv_stem, Conv2dSame), str(network.pretrained_cfg["architecture"])  # type: ignore[index]
    if uneven != (layout == "lukemelas"):
        other = name.removeprefix("tf_") if uneven else f"tf_{name}"
        raise WeightsError(
            f"model.weights {where}: in {layout}'s layout, whose padding {name} does not have. Choose model.backbone {other}."
        )


def _with_own_epsilon(network: EfficientNet, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's B5–B7 and V2 divide by √(variance + .001); the difference to timm's own epsilon goes into the variance."""
    name = str(network.pretrained_cfg["architecture"])  # type: ignore[index]
    if not re.search(r"_b[5-7]$|v2_", name):
        return state
    shift = _TORCHVISION_EPSILON - float(network.bn1.eps)  # type: ignore[arg-type]
    return {key: value + shift if key.endswith("running_var") else value for key, value in state.items()}


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _lukemelas_order(layer: str) -> tuple[int, ...]:
    """``_blocks.12._bn1``; MONAI numbers the stage too: ``_blocks.4.12._bn1``."""
    top, *inner = layer.split(".")
    return (_LUKEMELAS_TOP.get(top, 99), *(int(part) if part.isdigit() else _LUKEMELAS_BLOCK.get(part, 99) for part in inner))


def _torchvision_order(layer: str) -> tuple[int, ...]:
    """``features.2.0.block.1.fc2``: every part is a place already."""
    return tuple(int(number) for number in re.findall(r"\d+", layer))
