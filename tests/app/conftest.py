import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from medclassify.calibration import Calibrator, FindingMap, operating_points_to_json
from medclassify.dicom import NewInstance, write_image
from medclassify.display import png_bytes
from medclassify.records import OperatingPoint, Split

THRESHOLDS = {"cardiomegaly": 0.40, "effusion": 0.31, "nodule": 0.22, "consolidation": 0.35, "pneumothorax": 0.12}
SIDE = 320
Builder = Callable[..., Path]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window of its own for a test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def radiograph(seed: int) -> NDArray[np.float64]:
    """A drawn chest, 0 to 1: enough for an eye to see which way is up and that dense is bright."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> NDArray[np.float64]:
        return 0.5 - 0.5 * np.tanh(6 * (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 - 1))

    heart = rng.uniform(0.12, 0.2)
    body = 0.62 * ellipse(0.5, 0.62, 0.47, 0.62)
    lungs = 0.45 * (ellipse(0.31, 0.5, 0.15, 0.33) + ellipse(0.69, 0.5, 0.15, 0.33))
    ribs = 0.04 * np.sin(46 * (y + 0.35 * (x - 0.5) ** 2)) * ellipse(0.5, 0.5, 0.38, 0.4)
    image = body - lungs + ribs + 0.38 * ellipse(0.54, 0.66, heart, 0.2) + 0.2 * ellipse(0.5, 0.5, 0.05, 0.5)
    return np.clip(image + rng.normal(0, 0.012, image.shape), 0, 1)


def write_original(folder: Path, sample_id: str, index: int) -> Path:
    """One original: DICOM, or PNG for every fifth; headers and folder name a patient, as real ones do."""
    pixels = radiograph(index)
    if index % 5 == 4:
        path = folder / f"{sample_id}.png"
        path.write_bytes(png_bytes(np.rint(pixels * 255).astype(np.uint8)))
        return path
    path = folder / f"{sample_id}.dcm"
    dark = index % 2 == 1
    stored = np.rint((1 - pixels if dark else pixels) * 4095).astype(np.uint16)
    write_image(
        path,
        stored,
        NewInstance(
            photometric="MONOCHROME1" if dark else "MONOCHROME2",
            patient_id="CANARY-ID",
            patient_name="CANARY^Jane",
            birth_date="19500101",
            accession="CANARY-ACC",
            window_center=2048,
            window_width=3900,
            view="PA",
        ),
    )
    return path


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals") / "CANARY^Jane"
    folder.mkdir()
    for index in range(12):
        write_original(folder, f"sample-{index:03d}", index)
    return folder


@pytest.fixture(scope="session")
def build_run(tmp_path_factory: pytest.TempPathFactory, originals: Path) -> Builder:
    """Makes a small run directory as ``fit`` leaves it."""

    def build(
        *,
        synthetic: bool = True,
        fallback: bool = True,
        sanity: dict | None = None,
        names: tuple[str, ...] = tuple(THRESHOLDS),
        explained: int = 4,
        uncalibrated: tuple[str, ...] = (),
        splits: tuple[str, ...] = ("test",),
    ) -> Path:
        root = tmp_path_factory.mktemp("runs") / "run"
        (root / "explain").mkdir(parents=True)
        (root / "config.yaml").write_text("data:\n  source: phantom\n")
        files = sorted(originals.iterdir())
        thresholds = dict(zip(names, THRESHOLDS.values(), strict=False))
        predictions = pd.DataFrame(_rows(files, thresholds, splits))
        predictions.to_parquet(root / "predictions.parquet")
        pd.DataFrame(
            {"sample_id": [file.stem for file in files], "path": [str(file) for file in files], "modality": "DX"}
        ).to_parquet(root / "manifest.parquet")
        (root / "model").mkdir()
        (root / "model" / "model.json").write_text(json.dumps(_model(thresholds, uncalibrated)))
        cases = []
        for file in files[:explained]:
            name = f"{file.stem}_{names[0]}.npz".replace("/", "-")
            np.savez(root / "explain" / name, saliency=_saliency(int(file.stem[-3:])))
            cases.append({"sample_id": file.stem, "finding": names[0], "file": name, "layer": "conv_head", "score": 1.3})
        index = {"limit": dict.fromkeys(names, 2.0), "sanity": sanity, "cases": cases}
        (root / "explain" / "index.json").write_text(json.dumps(index))
        facts = {"files": {}, "model_sha256": "m" * 64, "synthetic": synthetic, "weights": {"fallback": fallback}}
        (root / "provenance.json").write_text(json.dumps(facts))
        return root

    return build


def _rows(files: list[Path], thresholds: dict[str, float], splits: tuple[str, ...]) -> list[dict]:
    rng = np.random.default_rng(7)
    rows = []
    for index, file in enumerate(files):
        for finding, threshold in thresholds.items():
            probability = float(rng.beta(0.8, 1.6))
            rows.append(
                {
                    "sample_id": file.stem,
                    "patient_id": f"{index:016x}",
                    "finding": finding,
                    "target": [0, 1, pd.NA][int(rng.integers(3))],
                    "logit": float(np.log(probability / (1 - probability))),
                    "prob_raw": probability,
                    "prob_cal": probability,
                    "threshold": threshold,
                    "decision": probability >= threshold,
                    "split": splits[index % len(splits)],
                    "sex": "FM"[index % 2],
                    "age_band": ["40–59", "60–79", None][index % 3],
                    "view": "PA",
                    "site": f"Site {'AB'[index % 2]}",
                }
            )
    return rows


def _model(thresholds: dict[str, float], uncalibrated: tuple[str, ...]) -> dict:
    maps = []
    for name in thresholds:
        lost = name in uncalibrated
        note = "NOT CALIBRATED: 3 positives and 97 negatives, at least 5 of each are needed" if lost else "Platt"
        maps.append(FindingMap(name, "identity" if lost else "platt", 1.0, 0.0, 3 if lost else 60, 97, 0, note, fallback=lost))
    points = [OperatingPoint(name, value, "sensitivity >= 0.90", Split.CALIBRATE, 60, 97) for name, value in thresholds.items()]
    calibrator = Calibrator("multilabel", Split.CALIBRATE, "m" * 64, tuple(maps))
    return {"calibrator": calibrator.to_json(), "operating_points": operating_points_to_json(points)}


def _saliency(seed: int) -> NDArray[np.float32]:
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    return (2.4 * np.exp(-((x - 0.54) ** 2 + (y - 0.66 - 0.01 * seed) ** 2) / 0.02) - 0.4).astype(np.float32)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def serve(repository: Path) -> Iterator[Callable[..., tuple[str, subprocess.Popen[str]]]]:
    """Starts ``workflows.review`` on a run, in a process of its own; gives the address it printed, and the process."""
    started: list[subprocess.Popen[str]] = []

    def start(run: Path, cwd: Path = repository) -> tuple[str, subprocess.Popen[str]]:
        code = (
            "from pathlib import Path; from medclassify.workflows.review import review; "
            f"review(Path({str(run)!r}), {free_port()})"
        )
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-c",
                code,
            ],  # -P: as an installed command, which does not look for modules where the user stands
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(repository)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Review page of "), process.communicate(timeout=5)
        return line.split()[-1], process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
