"""Which weights learn, how fast, and from when on: the stages of an EfficientNet from the head down to the stem."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from timm.models.efficientnet import EfficientNet
from torch import nn

from medclassify.config import OptimizerConfig


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A part of a network that learns as one.

    Attributes:
        name: ``head``, ``conv_head``, ``blocks.6`` … ``blocks.0`` or ``stem``.
        modules: What it consists of.
    """

    name: str
    modules: tuple[nn.Module, ...]

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every weight of the stage."""
        for module in self.modules:
            yield from module.parameters()


def stages_of(network: EfficientNet) -> tuple[Stage, ...]:
    """The stages in order of their distance from the head, the head first; together they hold every weight once."""
    blocks = [Stage(f"blocks.{number}", (block,)) for number, block in enumerate(network.blocks)]
    top = Stage("conv_head", (network.conv_head, network.bn2))
    found = [
        Stage("head", (network.get_classifier(),)),
        top,
        *reversed(blocks),
        Stage("stem", (network.conv_stem, network.bn1)),
    ]
    return tuple(stage for stage in found if any(True for _ in stage.parameters()))


def parameter_groups(network: EfficientNet, settings: OptimizerConfig) -> list[dict[str, Any]]:
    """The optimiser's groups: the head with its own rate, each stage below it with ``layer_decay`` times the rate above.

    Layer-wise decay is Howard & Ruder's "discriminative fine-tuning" (2018, section 3.2): what lies near the pixels is the
    same in photographs and radiographs, and has the least to learn. Biases and normalisation (one-dimensional) have no weight
    decay. Weights that need no gradient are left out. Stages with equal settings share a group: the fused optimiser has one
    launch a group.

    Args:
        network: Any EfficientNet of timm.
        settings: ``lr``, ``head_lr``, ``layer_decay``, ``weight_decay``.

    Returns:
        Dictionaries of ``params``, ``lr`` and ``weight_decay``.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for distance, stage in enumerate(stages_of(network)):
        rate = settings.lr * settings.layer_decay**distance if distance else settings.head_lr
        for parameter in stage.parameters():
            if parameter.requires_grad:
                groups.setdefault((rate, settings.weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return [{"params": chosen, "lr": rate, "weight_decay": decay} for (rate, decay), chosen in groups.items()]


def opening_epochs(stages: int, epochs: int) -> tuple[int, ...]:
    """When each stage starts to learn under ``gradual``, as an epoch from 0; one number a stage, the head first.

    One stage an epoch from the head downwards (Howard & Ruder 2018, section 3.3), or faster where there are few epochs: when
    half of them have passed, everything learns. The first stage below the head starts with it, for the head has been fitted
    before the first epoch.

    Args:
        stages: How many there are, the head included.
        epochs: ``trainer.max_epochs``.
    """
    pace = min(1.0, epochs / 2 / max(1, stages - 1))
    return (0, *(int(pace * distance) for distance in range(stages - 1)))


def opening_line(network: EfficientNet, epochs: int) -> str:
    """The same in words, epochs from 1: ``head 1, conv_head 1, blocks.5 2, …``."""
    stages = stages_of(network)
    return ", ".join(
        f"{stage.name} {epoch + 1}" for stage, epoch in zip(stages, opening_epochs(len(stages), epochs), strict=True)
    )
