"""``python -m benchmarks side-by-side``: every key that has a peer, in one table, from loading to reviewing."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.harness import is_reached

NAME = "side_by_side"


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's way of doing a thing.

    Attributes:
        name: As people call it.
        module: What is imported.
        install: What pip installs.
    """

    name: str
    module: str
    install: str


PYDICOM = Peer("pydicom", "pydicom", "pydicom")
GDCM = Peer("pydicom with gdcm", "gdcm", "python-gdcm")
MONAI = Peer("MONAI", "monai", "monai")
TIMM = Peer("timm", "timm", "timm")
XRV = Peer("torchxrayvision", "torchxrayvision", "torchxrayvision")
SKLEARN = Peer("scikit-learn", "sklearn", "scikit-learn")
FAIRLEARN = Peer("fairlearn", "fairlearn", "fairlearn")
GRAD_CAM = Peer("pytorch-grad-cam", "pytorch_grad_cam", "grad-cam")
CAPTUM = Peer("captum", "captum", "captum")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A key of a benchmark, and whom it compares with.

    Attributes:
        step: Of the way through the house.
        benchmark: Its NAME.
        key: Of that benchmark.
        peer: The other side; None where no package does the same, so that the goal alone is to be kept.
        what: In a few words.
    """

    step: str
    benchmark: str
    key: str
    peer: Peer | None
    what: str


COMPARISONS = (
    Comparison("loading", "index", "files_vs_pydicom", PYDICOM, "headers read"),
    Comparison("loading", "prepare", "decode_vs_pydicom", GDCM, "pixels decoded, bit-exact"),
    Comparison("preparing", "prepare", "vs_monai", MONAI, "file to network input"),
    Comparison("preparing", "ct", "slices_vs_bare_decode", PYDICOM, "CT slices to three windows, theirs decoding alone"),
    Comparison("preparing", "read", "augment_vs_monai", MONAI, "batches augmented"),
    Comparison("training", "fit", "vs_timm_script", TIMM, "images a second"),
    Comparison("training", "fit", "vs_monai_net", MONAI, "images a second"),
    Comparison("training", "recipes", "nih_default_minus_timm", TIMM, "AUROC, theirs subtracted"),
    Comparison("training", "recipes", "cxr_default_minus_timm", TIMM, "AUROC, theirs subtracted"),
    Comparison("training", "recipes", "nih_default_minus_torchxrayvision", XRV, "AUROC, theirs subtracted"),
    Comparison("training", "recipes", "cxr_default_minus_torchxrayvision", XRV, "AUROC, theirs subtracted"),
    Comparison("statistics", "statistics", "bootstrap_vs_sklearn", SKLEARN, "resamples of subgroups"),
    Comparison("statistics", "statistics", "bootstrap_vs_fairlearn", FAIRLEARN, "resamples of subgroups"),
    Comparison("explaining", "explain", "vs_pytorch_grad_cam", GRAD_CAM, "maps of one finding"),
    Comparison("explaining", "explain", "vs_pytorch_grad_cam_fourteen", GRAD_CAM, "maps of fourteen findings"),
    Comparison("explaining", "explain", "agrees_with_captum", CAPTUM, "largest difference of maps"),
    Comparison("reviewing", "review", "first_paint_s", None, "seconds until the page is there"),
    Comparison("reviewing", "review", "next_case_ms", None, "milliseconds to the next sample"),
    Comparison("reviewing", "review", "window_fps", None, "frames a second while windowing"),
    Comparison("reviewing", "review", "sessions_20_p95_ms", None, "the same with twenty readers"),
)


def measure(quick: bool, folder: Path) -> None:
    """Runs every benchmark that has a peer, each in a process of its own.

    Accuracy takes hours, so of ``recipes`` the runs that are finished are compared.
    """
    for name in dict.fromkeys(line.benchmark for line in COMPARISONS):
        flags = ["--results", str(folder), *(["--quick"] if quick or name == "recipes" else [])]
        subprocess.run([sys.executable, "-m", "benchmarks", name, *flags], check=False)


def found(folder: Path) -> list[tuple[Comparison, dict[str, Any] | None]]:
    """Each comparison with its measure out of ``NAME.json`` and ``commit`` beside it, or None where it was not measured."""
    return [(line, _measured(line, folder / f"{line.benchmark}.json")) for line in COMPARISONS]


def table(lines: Sequence[tuple[Comparison, dict[str, Any] | None]]) -> str:
    """What, against whom, how it came out, its goal, and whether that is reached; why a line has no figure."""
    rows = [("step", "what", "peer", "ours to theirs", "goal", "reached", "measured by")]
    for line, measured in lines:
        peer = line.peer.name if line.peer else "none"
        if measured is None:
            rows.append((line.step, line.what, peer, "–", "–", _why(line.peer), f"{line.benchmark}.{line.key}"))
            continue
        goal = "–" if measured["goal"] is None else f"{'≥' if measured['better'] == 'higher' else '≤'} {measured['goal']:.3g}"
        told = (f"{measured['value']:.3g}", goal, "yes" if reached(measured) else "NO")
        rows.append((line.step, line.what, peer, *told, f"{line.benchmark}.{line.key} at {measured['commit'][:7]}"))
    return results.aligned(rows)


def as_measures(lines: Sequence[tuple[Comparison, dict[str, Any] | None]]) -> list[dict[str, Any]]:
    """What was measured, as a results file keeps it; a note says whom it was compared with, and at which commit."""
    return [
        {
            "key": f"{line.benchmark}.{line.key}",
            **{name: measured[name] for name in ("value", "goal", "better")},
            "note": f"{line.step}: {line.what}; peer {line.peer.name if line.peer else 'none'}; at {measured['commit']}",
        }
        for line, measured in lines
        if measured is not None
    ]


def reached(measured: dict[str, Any]) -> bool:
    """Whether a kept measure has its goal."""
    return is_reached(measured["value"], measured["goal"], measured["better"])


def _measured(line: Comparison, path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    one = next((kept for kept in record["measures"] if kept["key"] == line.key), None)
    return None if one is None else {**one, "commit": record["commit"]}


def _why(peer: Peer | None) -> str:
    lacking = peer is not None and find_spec(peer.module) is None
    return f"not measured: pip install {peer.install}" if lacking else "not measured"  # pyright: ignore[reportOptionalMemberAccess]
