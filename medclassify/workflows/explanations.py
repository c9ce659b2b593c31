"""Saliency maps of chosen cases, into a run's ``explain`` folder and into the report."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from medclassify.audit import ExplainedCase
from medclassify.data import PreparedStore, to_network_input
from medclassify.dicom import read_image
from medclassify.display import overlay, png_bytes
from medclassify.explain import cascading_randomisation, class_activation_maps, saliency_limit, to_image_geometry
from medclassify.explain.cam import LAYER
from medclassify.runs import RunLayout, atomic_path, write_json
from medclassify.workflows.console import progress
from medclassify.workflows.scoring import Scorer

_REPORT_SIDE = 512
_SANITY_IMAGES = 12
_REFERENCE_IMAGES = 256


@dataclass(frozen=True, slots=True)
class Case:
    """One map to draw.

    Attributes:
        sample_id: The sample.
        finding: The finding.
        path: The original image.
        target: 1, 0, or None where unknown.
        probability: Calibrated.
        threshold: The operating point.
    """

    sample_id: str
    finding: str
    path: str
    target: int | None
    probability: float
    threshold: float


def choose_cases(predictions: pd.DataFrame, paths: Mapping[str, str], count: int) -> list[Case]:
    """The most confident right and wrong calls, finding by finding, until there are enough.

    Args:
        predictions: The test split's predictions.
        paths: sample_id → image.
        count: How many.
    """
    queues: list[list[int]] = []
    for _, rows in predictions[predictions["target"].notna()].groupby("finding", sort=False):
        called, present = rows["decision"], rows["target"] == 1
        order = rows["prob_cal"] - rows["threshold"]
        for kind, ascending in ((called & present, False), (called & ~present, False), (~called & present, True)):
            queues.append(order[kind].sort_values(ascending=ascending).index.tolist())
    chosen = [queue[depth] for depth in range(max(map(len, queues), default=0)) for queue in queues if depth < len(queue)][
        :count
    ]
    return [
        Case(
            row["sample_id"],
            row["finding"],
            paths[row["sample_id"]],
            int(row["target"]),
            float(row["prob_cal"]),
            float(row["threshold"]),
        )
        for row in predictions.loc[chosen].to_dict("records")
    ]


def reference_limits(scorer: Scorer, store: PreparedStore, sample_ids: Sequence[str]) -> dict[str, float]:
    """The saliency at which an overlay is fully coloured, by finding, from up to 256 samples of the calibrate split."""
    rows = store.rows(list(sample_ids)[:_REFERENCE_IMAGES])
    maps = [class_activation_maps(scorer.bundle.network, batch)[1].cpu().numpy() for batch in _inputs(scorer, store, rows)]
    return dict(zip(scorer.bundle.findings, map(float, saliency_limit(np.concatenate(maps))), strict=True))


def check_sanity(scorer: Scorer, store: PreparedStore, sample_ids: Sequence[str]) -> dict[str, Any]:
    """Runs cascading weight randomisation on a dozen samples."""
    rows = store.rows(list(sample_ids)[:_SANITY_IMAGES])
    return cascading_randomisation(scorer.bundle.network, next(_inputs(scorer, store, rows))).to_json()


def write_explanations(
    folder: Path,
    scorer: Scorer,
    store: PreparedStore,
    cases: Sequence[Case],
    limits: Mapping[str, float],
    sanity: dict[str, Any] | None,
) -> list[ExplainedCase]:
    """Writes overlays (PNG), raw maps (NPZ, in the image's own rows and columns), and ``index.json`` last.

    Args:
        folder: Made anew.
        scorer: The model.
        store: Holds the cases.
        cases: What to draw.
        limits: Full colour, by finding.
        sanity: The sanity check's result, or None where it was not run.

    Returns:
        The cases as the report shows them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries, shown = [], []
    with progress("explaining") as move:
        for done, case in enumerate(cases, start=1):
            raw, score = _map_of(scorer, store, case)
            name = f"{case.sample_id}_{_file_name(case.finding)}"
            with atomic_path(folder / f"{name}.npz") as temporary:
                np.savez_compressed(temporary, saliency=raw)
            picture = _overlay(case, raw, limits[case.finding], scorer.bundle.preprocessing.window)
            with atomic_path(folder / f"{name}.png") as temporary:
                temporary.write_bytes(picture)
            entries.append(
                {"sample_id": case.sample_id, "finding": case.finding, "file": f"{name}.npz", "layer": LAYER, "score": score}
            )
            shown.append(ExplainedCase(case.sample_id, case.finding, case.target, case.probability, case.threshold, picture))
            move(done, len(cases))
    write_json(folder / "sanity.json", sanity)
    write_json(folder / "index.json", {"limit": dict(limits), "sanity": sanity, "cases": entries})
    return shown


def stored_cases(run: RunLayout) -> list[ExplainedCase]:
    """The explained cases of a finished run, as its report shows them.

    Raises:
        OSError: A file of the ``explain`` folder is missing.
        ValueError: Its index is not JSON.
        KeyError: Its index names a sample that was not predicted.
    """
    rows = pd.read_parquet(run.predictions).set_index(["sample_id", "finding"])
    shown = []
    for case in json.loads((run.explain / "index.json").read_text(encoding="utf-8"))["cases"]:
        row = rows.loc[(case["sample_id"], case["finding"])]
        picture = (run.explain / case["file"]).with_suffix(".png").read_bytes()
        target = None if pd.isna(row["target"]) else int(row["target"])
        shown.append(
            ExplainedCase(case["sample_id"], case["finding"], target, float(row["prob_cal"]), float(row["threshold"]), picture)
        )
    return shown


def _inputs(scorer: Scorer, store: PreparedStore, rows: NDArray[np.int64]):
    device = next(scorer.bundle.network.parameters()).device
    for start in range(0, len(rows), 32):
        yield to_network_input(torch.from_numpy(store.images[rows[start : start + 32]]).to(device), scorer.bundle.preprocessing)


def _map_of(scorer: Scorer, store: PreparedStore, case: Case) -> tuple[NDArray[np.float32], float]:
    row = store.rows([case.sample_id])
    logits, maps = class_activation_maps(scorer.bundle.network, next(_inputs(scorer, store, row)))
    k = scorer.bundle.findings.index(case.finding)
    return to_image_geometry(maps[0, k].cpu().numpy(), store.geometry(int(row[0]))), float(logits[0, k])


def _overlay(case: Case, raw: NDArray[np.float32], limit: float, window: str) -> bytes:
    pixels = read_image(case.path, window=cast(Any, window)).pixels
    scale = min(1.0, _REPORT_SIDE / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = [cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(np.float32) for array in (pixels, raw)]
    return png_bytes(overlay(small[0], small[1], limit=limit or 1.0, opacity=0.5))


def _file_name(finding: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in finding)
