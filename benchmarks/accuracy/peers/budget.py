"""Equal minutes, whatever else the machine does: processor time at the speed of the process that spends it.

The wall time of the default's run says how busy the machine was then, and a peer that trains in a quieter hour would be given
more for the same minutes. So the default's training is counted in images, and this process measures what an image of it costs.
"""

import json
import statistics
import time
from pathlib import Path

import torch

BATCH = 32
_FORWARD = 1 / 3
"""What a forward pass costs of a training step, whose backward pass takes twice as long."""

clock = time.perf_counter if torch.cuda.is_available() else time.process_time


def work_of(run: Path) -> float:
    """What a run's training took, in images of one training step.

    Each epoch learns from all train images and scores all tune images; a head that was fitted first has embedded both once.
    """
    import pandas as pd

    training = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["training"]
    split = pd.read_parquet(run / "manifest.parquet", columns=["split"])["split"]
    train, tune = int((split == "train").sum()), int((split == "tune").sum())
    head = _FORWARD * (train + tune) if training.get("head_alone") else 0.0
    return len(training["history"]) * (train + _FORWARD * tune) + head


def processor_seconds(images: float, findings: int, side: int, backbone: str = "tf_efficientnetv2_b0", steps: int = 6) -> float:
    """What so many images cost this process: the median of a few training steps of the default's network."""
    from medclassify.models import create_network

    network = create_network(backbone, findings).train()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    batch = torch.randn(BATCH, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    truth = torch.zeros(BATCH, findings, device=device)
    seconds = []
    for _ in range(steps + 1):
        began = clock()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(batch), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
        seconds.append(clock() - began)
    return images / BATCH * statistics.median(seconds[1:])
