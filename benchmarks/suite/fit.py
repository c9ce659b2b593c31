"""Fine-tuning against a bare loop of the same network, batch and precision, and against the training of other libraries."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import Measure, NotMeasurableError, interleave
from benchmarks.training import Case, bare_epoch, drawn, epoch_of_fit, seconds_of
from benchmarks.training_peers import monai_epoch, timm_epoch

CORES = 2


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "vs_bare_loop": lambda: vs_bare_loop(quick),
        "vs_timm_script": lambda: vs_timm_script(quick),
        "vs_monai_net": lambda: vs_monai_net(quick),
        "step_overhead_ms": lambda: step_overhead_ms(quick),
        "head_only_vs_full": lambda: head_only_vs_full(quick),
        "gpu_vs_bare_loop": lambda: gpu_vs_bare_loop(quick),
        "gpu_data_wait": lambda: gpu_data_wait(quick),
    }


def vs_bare_loop(quick: bool) -> Measure:
    """Images a second of an epoch of ``fit`` (loader, augmentation, Lightning, logs) ÷ those of the bare loop."""
    case = Case("tf_efficientnetv2_b0", 224, 16, 3 if quick else 12)
    dataset = drawn(case)
    found = seconds_of({"fit": epoch_of_fit(case, dataset), "bare loop": bare_epoch(case, dataset)}, 2 if quick else 5)
    return _ratio("vs_bare_loop", found, "fit", ["bare loop"], 0.95, f"{case}, channels-last")


def vs_timm_script(quick: bool) -> Measure:
    """Images a second of an epoch of ``fit`` ÷ those of the same network under timm's loader, transforms and optimiser."""
    case = Case("tf_efficientnet_b0", 224, 16, 2 if quick else 6)
    dataset = drawn(case)
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "fit": epoch_of_fit(case, dataset),
            "timm channels-last": timm_epoch(case, dataset, Path(folder) / "png", channels_last=True),
            "timm as it comes": timm_epoch(case, dataset, Path(folder) / "png", channels_last=False),
        }
        found = seconds_of(sides, 2 if quick else 4)
    note = (
        f"{case}, no worker process. timm: PNG files, crop, jitter of PIL images, unfused AdamW; fit: prepared store, affine, "
        f"curve and noise of whole batches, channels-last, its logs. Against the faster of timm's two"
    )
    return _ratio("vs_timm_script", found, "fit", [name for name in sides if name != "fit"], 1.0, note)


def vs_monai_net(quick: bool) -> Measure:
    """Images a second of an epoch of ``fit`` ÷ those of MONAI's EfficientNet-B0 under MONAI's loader and transforms."""
    case = Case("tf_efficientnet_b0", 224, 16, 2 if quick else 6)
    dataset = drawn(case)
    sides = {"fit": epoch_of_fit(case, dataset), "MONAI": monai_epoch(case, dataset)}
    found = seconds_of(sides, 2 if quick else 4)
    note = (
        f"{case}, channels-last, no worker process. MONAI: EfficientNetBN, images cached as float; affine, gamma, scale, noise "
        f"image by image without metadata, unfused AdamW; fit: the same network of timm, the like of whole batches, its logs"
    )
    return _ratio("vs_monai_net", found, "fit", ["MONAI"], 1.0, note)


def step_overhead_ms(quick: bool) -> Measure:
    """What Lightning, both loggers and the callbacks add to a step, on a network so small that it shows."""
    case = Case("test_efficientnet", 32, 16, 60 if quick else 300)
    dataset = drawn(case)
    sides = {"fit": epoch_of_fit(case, dataset), "fed": bare_epoch(case, dataset, fed=True), "bare": bare_epoch(case, dataset)}
    found = seconds_of(sides, 2 if quick else 7)
    each = {name: [1000 * value / case.steps for value in values] for name, values in found.items()}
    added = [fit - fed for fit, fed in zip(each["fit"], each["fed"], strict=True)]
    feeding = statistics.median(fed - bare for fed, bare in zip(each["fed"], each["bare"], strict=True))
    note = (
        f"{case}: fit {statistics.median(each['fit']):.2f} ms a step, bare loop with the same loader and augmentation "
        f"{statistics.median(each['fed']):.2f}; loader and augmentation {feeding:.2f}; {len(added)} interleaved rounds"
    )
    return Measure("step_overhead_ms", statistics.median(added), None, "lower", note, min(added), max(added))


def head_only_vs_full(quick: bool) -> Measure:
    """Seconds an image of one full training pass ÷ those of the whole training of the head on embeddings that are there."""
    import numpy as np

    from medclassify.models import create_network
    from medclassify.training import fit_head

    case = Case("tf_efficientnetv2_b0", 224, 16, 2)
    dataset = drawn(case)
    network = create_network(case.backbone, 2)
    generator = np.random.default_rng(0)
    n = 1000
    features = generator.normal(size=(n, network.num_features)).astype(np.float32)
    targets = (features[:, :2] + generator.normal(size=(n, 2)) > 0).astype(np.float64)
    part = (features, targets, np.ones((n, 2), bool))

    def head() -> None:
        fit_head(network, ("a", "b"), part, part)

    timing = interleave({"head": head, "full": bare_epoch(case, dataset)}, rounds=2 if quick else 5)
    ratios = [
        (full / len(dataset)) / (one / n) for one, full in zip(timing["head"].seconds, timing["full"].seconds, strict=True)
    ]
    note = (
        f"one pass of {case.backbone} at {case.side} pixels over {len(dataset)} images {timing['full']}; the head's training "
        f"on {n} embeddings (5 penalties, 2 findings, to convergence) {timing['head']}"
    )
    return Measure("head_only_vs_full", statistics.median(ratios), 200, "higher", note, min(ratios), max(ratios))


def gpu_vs_bare_loop(quick: bool) -> Measure:
    """The same as ``vs_bare_loop`` on a GPU in bf16: the worse of B0 at 224 and B3 at 300 pixels."""
    measures = []
    for case in _gpu_cases(quick):
        dataset = drawn(case)
        sides = {
            "fit": epoch_of_fit(case, dataset),
            "fit, images streamed": epoch_of_fit(case, dataset, streamed=True),
            "bare loop": bare_epoch(case, dataset),
        }
        found = seconds_of(sides, 2 if quick else 5)
        measures.append(_ratio("gpu_vs_bare_loop", found, "fit", ["bare loop"], 0.90, f"{case}, {_gpu_name()}"))
    worst = min(measures, key=lambda measure: measure.value)
    note = "; ".join(f"{measure.value:.3f}: {measure.note}" for measure in measures)
    return Measure("gpu_vs_bare_loop", worst.value, 0.90, "higher", note, worst.low, worst.high)


def gpu_data_wait(quick: bool) -> Measure:
    """Share of an epoch in which a GPU has nothing to do but wait for its next batch; the worst case."""
    shares, notes = [], []
    for case in _gpu_cases(quick):
        dataset = drawn(case)
        for streamed in (False, True):
            watch = _waiting()
            epoch = epoch_of_fit(case, dataset, streamed=streamed, watch=watch)
            found = []
            for _ in range(2 if quick else 4):
                seconds = epoch()
                found.append(watch.seconds() / seconds)
            shares.append(statistics.median(found[1:]))
            notes.append(f"{case}, images {'streamed' if streamed else 'kept on the GPU'}: {shares[-1]:.4f}")
    note = f"{_gpu_name()}; from the end of a step to the arrival of the next batch, on the GPU's own clock. {'; '.join(notes)}"
    return Measure("gpu_data_wait", max(shares), 0.05, "lower", note, min(shares), max(shares))


def _waiting() -> Any:
    """A callback that marks the GPU's own queue at the end of a step and at the arrival of a batch."""
    import torch
    from pytorch_lightning import Callback

    class Waiting(Callback):
        def __init__(self) -> None:
            self.ends: list[Any] = []
            self.arrivals: list[Any] = []

        def fetched(self) -> None:
            if len(self.arrivals) < len(self.ends):  # the first batch of an epoch follows no step
                self.arrivals.append(self._mark())

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            self.ends, self.arrivals = [], []

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.ends.append(self._mark())

        def _mark(self) -> Any:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            return event

        def seconds(self) -> float:
            torch.cuda.synchronize()
            return sum(end.elapsed_time(arrival) for end, arrival in zip(self.ends, self.arrivals, strict=False)) / 1000

    return Waiting()


def _gpu_cases(quick: bool) -> list[Case]:
    import torch

    if not torch.cuda.is_available():
        raise NotMeasurableError("no GPU here")
    steps = 50 if quick else 200
    return [Case("tf_efficientnet_b0", 224, 128, steps, "cuda"), Case("tf_efficientnet_b3", 300, 64, steps, "cuda")]


def _gpu_name() -> str:
    import torch

    return torch.cuda.get_device_name()


def _ratio(key: str, found: dict[str, list[float]], ours: str, theirs: list[str], goal: float, note: str) -> Measure:
    """Seconds of the fastest of theirs ÷ ours, round by round."""
    fastest = min(theirs, key=lambda name: statistics.median(found[name]))
    ratios = [other / own for own, other in zip(found[ours], found[fastest], strict=True)]
    spread = ", ".join(
        f"{name} {statistics.median(values):.3g} s ({min(values):.3g} to {max(values):.3g})" for name, values in found.items()
    )
    rounds = f"{len(ratios)} interleaved rounds"
    return Measure(key, statistics.median(ratios), goal, "higher", f"{note}: {spread}, {rounds}", min(ratios), max(ratios))
