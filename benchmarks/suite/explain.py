"""Saliency maps of all findings against the forward pass that is needed anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.harness import Measure, speed_ratio

CORES = 1
BACKBONE = "tf_efficientnetv2_b0"
FINDINGS = 14


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {"maps_vs_forward": lambda: maps_vs_forward(quick)}


def maps_vs_forward(quick: bool) -> Measure:
    """Batches a second with logits and fourteen maps ÷ batches a second of the bare forward pass."""
    import torch

    from medclassify.explain import class_activation_maps
    from medclassify.models import create_network

    network = create_network(BACKBONE, FINDINGS).eval()
    images = torch.randn(16, 3, 224, 224).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            network(images)

    return speed_ratio(
        "maps_vs_forward",
        lambda: class_activation_maps(network, images),
        forward,
        names=("logits and 14 maps", "forward"),
        goal=0.85,
        rounds=3 if quick else 15,
        note=f"{BACKBONE}, batch 16, 224 pixels",
    )
