"""CT: slices prepared against decoding them and nothing else; attention over series against the network it saves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness import Measure, interleave, speed_ratio

CORES = 1
SIDE, SLICES = 512, 24


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "slices_vs_bare_decode": lambda: slices_vs_bare_decode(quick),
        "attention_vs_network": lambda: attention_vs_network(quick),
        "train_vs_bare_loop": lambda: train_vs_bare_loop(quick),
    }


def slices_vs_bare_decode(quick: bool) -> Measure:
    """Slices a second put in order and prepared through three windows ÷ those of pydicom's ``pixel_array`` alone."""
    from pydicom import dcmread

    from medclassify.data import prepare_image
    from medclassify.dicom import assemble_series
    from medclassify.models import preprocessing_of

    preprocessing = preprocessing_of("efficientnet_b0", image_size=256, window="voi", ct_windows=("brain", "subdural", "bone"))
    with tempfile.TemporaryDirectory() as folder:
        paths = _write(Path(folder))

        def prepare() -> None:
            for piece in assemble_series(paths).series[0].slices:
                prepare_image(piece.path, preprocessing)

        def decode() -> None:
            for path in paths:
                dcmread(path).pixel_array  # noqa: B018 (decodes)

        note = f"{SLICES} uncompressed slices of {SIDE}×{SIDE} to 3 × 256 × 256 in their order, file cache warm"
        return speed_ratio(
            "slices_vs_bare_decode",
            prepare,
            decode,
            names=("prepare", "decode"),
            goal=0.35,
            rounds=3 if quick else 7,
            note=note,
        )


def attention_vs_network(quick: bool) -> Measure:
    """Slices a second of an epoch of attention on stored embeddings ÷ those of the network's forward pass over images."""
    import numpy as np
    import torch

    from medclassify.models import GatedAttention, create_network
    from medclassify.training import SeriesPart, fit_attention
    from medclassify.training import series as settings

    torch.manual_seed(0)
    network = create_network("tf_efficientnetv2_b0", 6).eval()
    width, count, length = int(network.num_features), 64, 20  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(count * length, width)).astype(np.float32)
    stacks = [np.arange(length) + number * length for number in range(count)]
    truth, known = rng.integers(0, 2, (count, 6)), np.ones((count, 6), bool)
    own = np.repeat(truth, length, axis=0)
    part = SeriesPart(embeddings, stacks, truth, known, own, np.ones(own.shape, bool))
    tune = SeriesPart(embeddings, stacks[:4], truth[:4], known[:4], own, np.ones(own.shape, bool))
    images = torch.randn(32, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    epochs, settings.EPOCHS = settings.EPOCHS, 2

    def attention() -> None:
        fit_attention(network, GatedAttention(width, 6), part, tune, slice_loss=0.5, seed=0)

    def forward() -> None:
        with torch.inference_mode():
            network(images)

    try:
        timing = interleave({"attention": attention, "forward": forward}, rounds=2 if quick else 5)
    finally:
        settings.EPOCHS = epochs
    pairs = zip(timing["attention"].seconds, timing["forward"].seconds, strict=True)
    ratios = sorted((slow / len(images)) / (fast / 2 / len(embeddings)) for fast, slow in pairs)
    note = f"{count} series of {length} slices, {width} features, against EfficientNetV2-B0 at 224 pixels"
    return Measure("attention_vs_network", ratios[len(ratios) // 2], 20, "higher", note, ratios[0], ratios[-1])


def train_vs_bare_loop(quick: bool) -> Measure:
    """Slices a second of an epoch of ``fit`` on three windows ÷ those of the bare loop on tensors in memory."""
    import statistics

    from benchmarks.training import Case, bare_epoch, drawn, epoch_of_fit, seconds_of

    case = Case("tf_efficientnetv2_b0", 128, 16, 4 if quick else 16, channels=3)
    dataset = drawn(case)
    found = seconds_of({"fit": epoch_of_fit(case, dataset), "bare": bare_epoch(case, dataset)}, 2 if quick else 5)
    ratios = [bare / fit for fit, bare in zip(found["fit"], found["bare"], strict=True)]
    middle = {name: statistics.median(values) for name, values in found.items()}
    note = f"{case}; fit {middle['fit']:.3g} s, bare loop {middle['bare']:.3g} s, {len(ratios)} interleaved rounds"
    return Measure("train_vs_bare_loop", statistics.median(ratios), 0.95, "higher", note, min(ratios), max(ratios))


def _write(folder: Path) -> list[Path]:
    import numpy as np

    from medclassify.dicom import NewSlice, write_slice

    rng = np.random.default_rng(0)
    for number in range(SLICES):
        facts = NewSlice(
            sop_uid=f"2.25.{number + 100}", study_uid="2.25.1", series_uid="2.25.2", frame_of_reference_uid="2.25.3",
            instance_number=number, position=(0, 0, 5.0 * ((7 * number) % SLICES)), spacing_mm=(0.5, 0.5), thickness_mm=5,
        )  # fmt: skip
        write_slice(folder / f"{number:03d}.dcm", rng.integers(-1000, 2000, (SIDE, SIDE)).astype(np.int16), facts)
    return sorted(folder.iterdir())
