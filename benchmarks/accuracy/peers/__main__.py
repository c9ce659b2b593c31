"""``python -m benchmarks.accuracy.peers WAY RUN OUT --weights FILE``: trains one peer and writes its test logits."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.accuracy.arms import PEERS


def main(arguments: list[str] | None = None) -> int:
    """Trains and writes; says the budget, each epoch, and what was kept."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.peers")
    parser.add_argument("way", choices=PEERS)
    parser.add_argument("run", type=Path, help="the finished run whose splits, seed and minutes it gets")
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="ImageNet weights in timm's layout (.safetensors)")
    options = parser.parse_args(arguments)

    import torch

    from benchmarks.accuracy.peers.budget import clock, processor_seconds, work_of
    from benchmarks.accuracy.peers.images import read_data
    from benchmarks.accuracy.peers.loop import predict, train
    from benchmarks.accuracy.peers.writing import write_peer

    started = time.monotonic()
    data, work = read_data(options.run), work_of(options.run)
    torch.manual_seed(data.seed)
    budget = processor_seconds(work, len(data.findings), data.side)
    print(
        f"{options.way}: {budget:.0f} {clock.__name__} seconds, as {work:.0f} images of the default's training take", flush=True
    )
    if options.way == "timm":
        from benchmarks.accuracy.peers.timm_way import timm_way as make
    else:
        from benchmarks.accuracy.peers.torchxrayvision_way import torchxrayvision_way as make
    torch.manual_seed(data.seed)
    way = make(data, options.weights)
    history = train(way, data, budget)
    write_peer(options.out, options.way, data, predict(way, data.test), history, time.monotonic() - started, budget)
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
