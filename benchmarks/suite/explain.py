"""Saliency maps of all findings against the forward pass that is needed anyway, and against pytorch-grad-cam and captum."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.harness import Measure, NotMeasurableError, interleave, speed_ratio

CORES = 1
BACKBONE = "tf_efficientnetv2_b0"
FINDINGS = 14
_BATCH, _SIDE = 16, 224


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "maps_vs_forward": lambda: maps_vs_forward(quick),
        "vs_pytorch_grad_cam": lambda: vs_pytorch_grad_cam(quick, findings=1),
        "vs_pytorch_grad_cam_fourteen": lambda: vs_pytorch_grad_cam(quick, findings=FINDINGS),
        "agrees_with_captum": agrees_with_captum,
        "memory_vs_forward": memory_vs_forward,
    }


def maps_vs_forward(quick: bool) -> Measure:
    """Batches a second with logits and fourteen maps ÷ batches a second of the bare forward pass."""
    import torch

    from medclassify.explain import class_activation_maps

    network, images = _network(), _images()

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


def vs_pytorch_grad_cam(quick: bool, findings: int) -> Measure:
    """Times pytorch-grad-cam takes for the maps of some findings ÷ times taken here, logits included on both sides.

    It is given the network and the images as this library lays them out in memory, channels last; the note says what it takes
    with timm's own layout, which is the slower one.
    """
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:
        raise NotMeasurableError("pytorch-grad-cam is not there: pip install grad-cam, in an environment of its own") from error
    import torch

    from medclassify.explain import class_activation_maps

    network, images = _network(), _images()
    as_it_comes = _network().to(memory_format=torch.contiguous_format), images.contiguous()
    chosen = list(range(findings))

    def theirs(model: Any, inputs: Any) -> None:
        with GradCAM(model=model, target_layers=[model.bn2]) as cam:
            for finding in chosen:
                cam(input_tensor=inputs, targets=[ClassifierOutputTarget(finding)] * _BATCH)

    sides = {
        "ours": lambda: class_activation_maps(network, images, chosen),
        "theirs": lambda: theirs(network, images),
        "theirs as it comes": lambda: theirs(*as_it_comes),
    }
    timing = interleave(sides, rounds=1 if quick or findings > 1 else 5)
    own, other = timing["ours"].seconds, timing["theirs"].seconds
    ratios = [slow / fast for fast, slow in zip(own, other, strict=True)]
    note = (
        f"{BACKBONE}, batch 16, 224 pixels, {findings} finding{'s' if findings > 1 else ''}; ours {timing['ours']}, "
        f"pytorch-grad-cam {timing['theirs']}, in timm's layout {timing['theirs as it comes']}, {len(own)} interleaved rounds"
    )
    key = "vs_pytorch_grad_cam" if findings == 1 else "vs_pytorch_grad_cam_fourteen"
    goal = 5.0 if findings == 1 else 30.0
    return Measure(key, statistics.median(ratios), goal, "higher", note, min(ratios), max(ratios))


def agrees_with_captum() -> Measure:
    """Largest difference to captum's LayerGradCam over fourteen findings, in units of the logit."""
    from captum.attr import LayerGradCam

    from medclassify.explain import class_activation_maps

    network, images = _network(), _images()[:2]
    maps, explainer = class_activation_maps(network, images)[1], LayerGradCam(network, network.bn2)
    worst = 0.0
    for finding in range(FINDINGS):
        inputs = images.clone().requires_grad_()
        found = explainer.attribute(inputs, target=finding, relu_attributions=False)[:, 0].detach()
        worst = max(worst, float((found - maps[:, finding]).abs().max()))
    note = f"{BACKBONE}, random weights, 2 images, 14 findings, largest value {float(maps.abs().max()):.3g}"
    return Measure("agrees_with_captum", worst, 1e-5, "lower", note, worst, worst)


def memory_vs_forward() -> Measure:
    """Peak memory of a process that makes logits and fourteen maps ÷ that of one that runs the forward pass alone."""
    peaks = {call: _peak(call) for call in ("forward", "maps")}
    ratio = peaks["maps"] / peaks["forward"]
    note = f"peak resident {peaks['maps'] / 1024:.0f} against {peaks['forward'] / 1024:.0f} MiB, batch 16, 224 pixels"
    return Measure("memory_vs_forward", ratio, 1.02, "lower", note, ratio, ratio)


def _peak(call: str) -> int:
    program = f"from benchmarks.suite import explain; explain.run_once({call!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def run_once(call: str) -> None:
    """Makes one batch in this process and prints its peak resident memory, KiB."""
    import torch

    from medclassify.explain import class_activation_maps

    network, images = _network(), _images()
    with torch.inference_mode():
        class_activation_maps(network, images) if call == "maps" else network(images)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _network() -> Any:
    import torch

    from medclassify.models import create_network

    torch.manual_seed(0)
    return create_network(BACKBONE, FINDINGS).eval()


def _images() -> Any:
    import torch

    return torch.randn(_BATCH, 3, _SIDE, _SIDE).contiguous(memory_format=torch.channels_last)
