"""Damaged files: how 20,000 mutations of the files that come with pydicom end, and what decoding in processes costs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Measure, interleave, speed_ratio

if TYPE_CHECKING:
    from tests.fuzz.reading import Ending

CORES = None
_SEED = 20240601


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "unnamed_ends": lambda: unnamed_ends(quick),
        "slowest_s": lambda: slowest_s(quick),
        "peak_mib": lambda: peak_mib(quick),
        "isolated_vs_threads": lambda: isolated_vs_threads(quick),
        "one_file_s": lambda: one_file_s(quick),
    }


def unnamed_ends(quick: bool) -> Measure:
    """How many readings end in neither a result nor a named error; prints the table of all ends."""
    endings = _read(quick)
    print(_table(endings), flush=True)
    bugs = [ending for ending in endings if ending.is_bug]
    for ending in bugs[:20]:
        ends = f"{ending.header}; {ending.image}; {ending.shrunk}"
        print(f"  mutation {ending.number} of {ending.source} ({ending.done}): {ends}")
    count = float(len(bugs))
    return Measure("unnamed_ends", count, 0, "lower", _note(endings, "other exceptions, crashes and hangs"), count, count)


def slowest_s(quick: bool) -> Measure:
    """Processor time of the slowest file."""
    endings = _read(quick)
    slowest = max(endings, key=lambda ending: ending.seconds)
    note = _note(endings, f"header, image and shrunk image of one file; slowest: {slowest.source} after {slowest.done}")
    return Measure("slowest_s", slowest.seconds, 5, "lower", note, min(ending.seconds for ending in endings), slowest.seconds)


def peak_mib(quick: bool) -> Measure:
    """Memory that the greediest file took beyond what the process had before it."""
    endings = _read(quick)
    greediest = max(endings, key=lambda ending: ending.peak_mib)
    note = _note(endings, f"resident memory beyond what was there before; most: {greediest.source} after {greediest.done}")
    low = min(ending.peak_mib for ending in endings)
    return Measure("peak_mib", greediest.peak_mib, 1024, "lower", note, low, greediest.peak_mib)


def isolated_vs_threads(quick: bool) -> Measure:
    """Preparing many files in processes, their start included, against threads of this process."""
    from concurrent.futures import ThreadPoolExecutor

    from medclassify.data import prepare_image
    from medclassify.data.workers import prepare_in_workers

    count = 60 if quick else 400
    with tempfile.TemporaryDirectory() as folder:
        paths, preprocessing = _radiographs(Path(folder), count), _preprocessing()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return speed_ratio(
                "isolated_vs_threads",
                lambda: list(prepare_in_workers(paths, preprocessing)),
                lambda: list(pool.map(lambda path: prepare_image(path, preprocessing), paths)),
                names=("processes", "threads"),
                goal=0.9,
                rounds=3 if quick else 5,
                note=f"{count} radiographs of 1024 × 1024, JPEG-LS",
            )


def one_file_s(quick: bool) -> Measure:
    """Preparing a single file, the start of its process included."""
    from medclassify.data.workers import prepare_in_workers

    with tempfile.TemporaryDirectory() as folder:
        paths, preprocessing = _radiographs(Path(folder), 1), _preprocessing()
        timing = interleave({"one": lambda: list(prepare_in_workers(paths, preprocessing))}, rounds=5 if quick else 11)["one"]
    note = "one radiograph of 1024 × 1024, JPEG-LS; most of it is the start of a decoding process"
    return Measure("one_file_s", timing.median, 1, "lower", note, min(timing.seconds), max(timing.seconds))


@cache
def _read(quick: bool) -> list[Ending]:
    from tests.fuzz.reading import read_all

    return list(read_all(_SEED, 1_000 if quick else 20_000, processes=os.cpu_count() or 1))


def _note(endings: list[Ending], what: str) -> str:
    from tests.fuzz.mutations import corpus

    return f"{what}; {len(endings)} mutations of {len(corpus())} files, seed {_SEED}"


def _table(endings: list[Ending]) -> str:
    """How headers and images end, with the slowest and the greediest file of each."""
    groups: dict[tuple[str, ...], list[Ending]] = {}
    for ending in endings:
        groups.setdefault((ending.header[:40], ending.image[:40], ending.shrunk[:40]), []).append(ending)
    lines = [("read_header", "read_image", "read_shrunk", "files", "share", "slowest s", "most MiB")]
    for ends, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        slowest, most = max(ending.seconds for ending in group), max(ending.peak_mib for ending in group)
        share = f"{len(group) / len(endings):.1%}"
        lines.append((*ends, str(len(group)), share, f"{slowest:.2f}", f"{most:.0f}"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _radiographs(folder: Path, count: int) -> list[str]:
    import numpy as np

    from medclassify.dicom import NewInstance, write_image

    y, x = np.mgrid[:1024, :1024]
    noise = np.random.default_rng(0).normal(0, 20, y.shape)
    pixels = (2000 + 1500 * np.sin(y / 90) * np.cos(x / 70) + noise).clip(0, 4095).astype(np.uint16)
    instance = NewInstance(patient_id="p", transfer_syntax="jpeg-ls", window_center=2048, window_width=4096)
    write_image(folder / "0.dcm", pixels, instance)
    return [str(folder / "0.dcm")] * count


def _preprocessing():
    from medclassify.records import Preprocessing

    third = (0.5, 0.5, 0.5)
    return Preprocessing(image_size=224, mean=third, std=third, interpolation="bicubic", window="voi")
