"""What a network costs on this machine: a few real steps, timed, and the memory that their activations take."""

import os
import time

import torch
import torch.nn.functional as F
from timm.models.efficientnet import EfficientNet

from medclassify.models import create_network
from medclassify.planning import Hardware, StepCost
from medclassify.runs import core_count
from medclassify.workflows.device import best_device

SECONDS = 20.0
"""All that timing may take; one step is always timed, however long it is."""
_STEPS = 6
_CPU_BATCH, _GPU_BATCH = 8, 32
_COPIES = 4  # weights, gradients, and AdamW's two moments
_FIT_OVER_BARE = 0.95  # the share of a bare loop's speed that ``fit`` keeps (benchmarks/README.md)


def hardware_facts() -> Hardware:
    """Cores, memory and GPU of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    if not torch.cuda.is_available():
        return Hardware(core_count(), memory)
    facts = torch.cuda.get_device_properties(0)
    return Hardware(core_count(), memory, facts.name, facts.total_memory / 2**30)


def measure_cost(backbone: str, image_size: int, findings: int, *, seconds: float = SECONDS) -> StepCost:
    """Times forward and training steps on random images; weights do not matter to that, so random ones are taken.

    Args:
        backbone: As ``backbone_name`` returns it.
        image_size: Side of the input, pixels.
        findings: Number of logits.
        seconds: When to stop.
    """
    device = best_device()
    batch = _GPU_BATCH if device.type == "cuda" else _CPU_BATCH
    started = time.monotonic()
    network = create_network(backbone, findings).to(device)
    state_bytes = _COPIES * sum(p.numel() * p.element_size() for p in network.parameters())
    activations = _activation_bytes(network, image_size, device)
    images = torch.randn(batch, 3, image_size, image_size, device=device).contiguous(memory_format=torch.channels_last)
    step = _Step(network, images, findings)
    step.train()  # the first one allocates and chooses kernels
    train, steps = 0.0, 0
    while steps < _STEPS and (steps == 0 or time.monotonic() - started + train / steps < 0.8 * seconds):
        train += step.train()
        steps += 1
    forward = step.forward()
    return StepCost(train / steps / batch / _FIT_OVER_BARE, forward / batch, activations, state_bytes, steps)


class _Step:
    """One batch, trained on and scored again and again."""

    def __init__(self, network: EfficientNet, images: torch.Tensor, findings: int) -> None:
        self.network, self.images = network, images
        self.targets = torch.zeros(len(images), findings, device=images.device)
        self.optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def train(self) -> float:
        """Seconds of a training step."""
        start = self._now()
        self.network.train()
        with _precision(self.images.device):
            logits = self.network(self.images)
        F.binary_cross_entropy_with_logits(logits.float(), self.targets).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return self._now() - start

    def forward(self) -> float:
        """Seconds of a forward pass in evaluation."""
        self.network.eval()
        with torch.inference_mode():
            self.network(self.images[:2])
            start = self._now()
            self.network(self.images)
        return self._now() - start

    def _now(self) -> float:
        if self.images.device.type == "cuda":
            torch.cuda.synchronize(self.images.device)
        return time.perf_counter()


def _activation_bytes(network: EfficientNet, image_size: int, device: torch.device) -> float:
    """Bytes an image that autograd keeps for the backward pass, counted while it keeps them."""
    batch, kept, own = 2, {}, {p.untyped_storage().data_ptr() for p in network.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    network.train()
    images = torch.randn(batch, 3, image_size, image_size, device=device).contiguous(memory_format=torch.channels_last)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _precision(device):
        output = network(images)
    del output
    return sum(kept.values()) / batch


def _precision(device: torch.device):
    bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)
