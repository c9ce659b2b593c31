"""What a row of the manifest costs between reading it and the end of an epoch, in memory and time, up to a million rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from benchmarks.harness import Measure, NotMeasurableError

CORES = 1
FINDINGS = 14
SIDE = 8


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "memory_bytes_per_row": lambda: memory_bytes_per_row(quick),
        "rows_per_s": lambda: rows_per_s(quick),
        "time_exponent": lambda: time_exponent(quick),
    }


def memory_bytes_per_row(quick: bool) -> Measure:
    """Slope of the largest memory that a process has of its own, from a thousand rows to a million."""
    small, middle, large = (_walked(count) for count in _counts(quick))
    slope = (large["peak"] - small["peak"]) / (large["rows"] - small["rows"])
    first = (middle["peak"] - small["peak"]) / (middle["rows"] - small["rows"])
    fattest = max(large["peaks"], key=large["peaks"].__getitem__)
    note = (
        f"{FINDINGS} findings, three images a patient; read, split, leakage check, store's index, targets, one epoch's order; "
        f"without the images and without their comparison. Peak {small['peak'] >> 20} MiB at {small['rows']} rows, "
        f"{large['peak'] >> 20} MiB at {large['rows']} (in {fattest}); up to {middle['rows']} rows the slope is {first:.0f}"
    )
    return Measure("memory_bytes_per_row", slope, None, "lower", note, min(first, slope), max(first, slope))


def rows_per_s(quick: bool) -> Measure:
    """Rows a second through all of it, once, at the largest number."""
    large = _walked(_counts(quick)[-1])
    seconds = large["seconds"]
    total = sum(seconds.values())
    parts = ", ".join(f"{name} {value:.1f}" for name, value in sorted(seconds.items(), key=lambda item: -item[1]))
    note = f"{large['rows']} rows in {total:.1f} s of one core: {parts}"
    return Measure("rows_per_s", large["rows"] / total, None, "higher", note, large["rows"] / total, large["rows"] / total)


def time_exponent(quick: bool) -> Measure:
    """The power of the number of rows with which the time of the worst step grows, tenfold apart: 1 is linear, 2 is not."""
    import math

    _, middle, large = (_walked(count) for count in _counts(quick))
    told = 0.05 if quick else 0.2  # seconds: below, starting it is all there is to see
    powers = {
        name: math.log(value / max(middle["seconds"][name], 1e-3)) / math.log(large["rows"] / middle["rows"])
        for name, value in large["seconds"].items()
        if value > told
    }
    if not powers:
        raise NotMeasurableError("no step takes long enough")
    worst = max(powers, key=powers.__getitem__)
    parts = ", ".join(f"{name} {value:.2f}" for name, value in powers.items())
    note = f"{middle['rows']} to {large['rows']} rows, processor time; worst is {worst}: {parts}"
    return Measure("time_exponent", powers[worst], 1.3, "lower", note, min(powers.values()), powers[worst])


def _counts(quick: bool) -> tuple[int, int, int]:
    return (1_000, 10_000, 50_000) if quick else (1_000, 100_000, 1_000_000)


@cache
def _walked(count: int) -> dict:
    """Processes of their own: one writes the manifest, the other goes through it and is measured."""
    if not Path("/proc/self/status").is_file():
        raise NotMeasurableError("memory is read from /proc, which is not here")
    with tempfile.TemporaryDirectory() as folder:
        for call in ("written", "walk"):
            program = f"import json; from benchmarks.suite import scale; print(json.dumps(scale.{call}({folder!r}, {count})))"
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {"rows": count, **json.loads(done.stdout.splitlines()[-1])}


def written(folder: str, count: int) -> None:
    """A manifest of images that never were, with identifiers as long as real ones."""
    import hashlib

    import numpy as np
    import pandas as pd

    from medclassify.manifest import Manifest, write_manifest

    generator, numbers = np.random.default_rng(0), np.arange(count)
    patients, root = numbers // 3, "1.2.840.113619.2.55.3.2831868886"
    frame = pd.DataFrame(
        {
            "sample_id": [hashlib.sha256(f"s{number}".encode()).hexdigest()[:16] for number in numbers],
            "path": [f"/data/archive/2021/{patient:08d}/{number:08d}.dcm" for patient, number in enumerate(patients)],
            "patient_id": [hashlib.sha256(f"p{patient}".encode()).hexdigest()[:16] for patient in patients],
            "study_uid": [f"{root}.{patient:09d}.2" for patient in patients],
            "series_uid": [f"{root}.{number:09d}.3" for number in numbers],
            "sop_uid": [f"{root}.{number:09d}.1" for number in numbers],
            "modality": "DX", "view": "PA", "laterality": "", "site": "University Hospital", "manufacturer": "Maker of X-ray",
            "sex": np.where(patients % 2, "F", "M"), "age": 50.0, "age_band": "40-60", "split": None,
        }
    ).astype({"split": "str"})  # fmt: skip
    findings = tuple(f"finding {number}" for number in range(FINDINGS))
    for number, name in enumerate(findings):
        frame[name] = pd.array((generator.random(count) < 0.02 * (number + 1)).astype(int), "Int8")
    write_manifest(Manifest(frame, findings, "drawn", "generic", (), {"headers": count}), Path(folder) / "manifest.parquet")


def walk(folder: str, count: int) -> dict:
    """What ``fit`` does with rows, in its order; memory and processor time of each step."""
    import numpy as np
    import pandas as pd

    from medclassify.config import FractionsConfig
    from medclassify.data import PreparedDataModule, PreparedDataset, PreparedStore
    from medclassify.data.store import store_key
    from medclassify.manifest import (
        apply_uncertainty,
        assign_splits,
        check_leakage,
        check_splits,
        keep_samples,
        read_manifest,
        require_no_leakage,
    )
    from medclassify.records import Preprocessing, Split

    preprocessing = Preprocessing(SIDE, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
    steps: dict[str, tuple[float, int]] = {}
    with _watched(steps, "read the manifest"):
        manifest = read_manifest(Path(folder) / "manifest.parquet")
    with _watched(steps, "split"):
        manifest = assign_splits(manifest, fractions=FractionsConfig(), seed=0, mode="auto")
    with _watched(steps, "leakage of ids"):
        require_no_leakage(check_leakage(manifest))
    with _watched(steps, "name the store"):
        store_key(list(zip(manifest.frame["sample_id"], manifest.frame["path"], strict=True)), preprocessing)
    with _watched(steps, "store's index"):
        facts = {"sample_id": manifest.frame["sample_id"], "pixel_sha256": [f"{number:064x}" for number in range(count)]}
        index = pd.DataFrame({**facts, **dict.fromkeys(("top", "left", "height", "width"), 0), "applied": "", "warnings": ""})
        images = np.memmap(Path(folder) / "images", np.uint8, "w+", shape=(count, 1, SIDE, SIDE))  # holes: no page is written
        store = PreparedStore(images, index)
    with _watched(steps, "keep what is prepared"):
        manifest = keep_samples(manifest, store.index["sample_id"])
    with _watched(steps, "leakage of pixels"):
        hashes = dict(zip(store.index["sample_id"], store.index["pixel_sha256"], strict=True))
        require_no_leakage(check_leakage(manifest, pixel_hashes=hashes, alike=()))
        check_splits(manifest)
    with _watched(steps, "targets"):
        train, tune = manifest.of_split(Split.TRAIN), manifest.of_split(Split.TUNE)
        labels = train.frame[list(train.findings)].to_numpy(dtype=np.float64, na_value=np.nan)
        targets, mask, _ = apply_uncertainty(labels, "ignore", train.findings)
        rows = [store.rows(part.frame["sample_id"].tolist()) for part in (train, tune)]
        datasets = [PreparedDataset(images, rows[0], targets, mask), PreparedDataset(images, rows[1], *tune.targets())]
    with _watched(steps, "an epoch's batches"):
        module = PreparedDataModule(*datasets, preprocessing, batch_size=32, num_workers=0, augment=0, seed=0)
        module.seed_epoch(0)
        for loader in (module.train_dataloader(), module.val_dataloader()):
            for _ in loader:
                pass
    with _watched(steps, "fingerprint"):
        _ = manifest.fingerprint
    peaks = {name: peak for name, (_, peak) in steps.items()}
    return {"peak": max(peaks.values()), "peaks": peaks, "seconds": {name: seconds for name, (seconds, _) in steps.items()}}


@contextmanager
def _watched(steps: dict[str, tuple[float, int]], name: str) -> Iterator[None]:
    """Looks at the process's own memory (without mapped files) every few milliseconds; the system keeps no peak of that."""
    peak, over = _own_memory(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.005):
            peak = max(peak, _own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.process_time()
    try:
        yield
    finally:
        seconds = time.process_time() - started
        over.set()
        watcher.join()
        steps[name] = seconds, max(peak, _own_memory())


def _own_memory() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise NotMeasurableError("this system does not tell a process's own memory")
