"""Saliency maps of chosen cases, into a run's ``explain`` folder and into the report."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.audit import ExplainedCase
from medclassify.dicom import read_image
from medclassify.display import overlay, png_bytes
from medclassify.runs import RunLayout, atomic_path, write_json
from medclassify.workflows.console import progress
from medclassify.workflows.explainer import Explainer

_REPORT_SIDE = 512


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
        logit: What the map explains.
    """

    sample_id: str
    finding: str
    path: str
    target: int | None
    probability: float
    threshold: float
    logit: float

    @classmethod
    def of_row(cls, row: Mapping[str, Any], paths: Mapping[str, str]) -> "Case":
        """A case from a row of the predictions table."""
        return cls(
            row["sample_id"],
            row["finding"],
            paths[row["sample_id"]],
            None if pd.isna(row["target"]) else int(row["target"]),
            float(row["prob_cal"]),
            float(row["threshold"]),
            float(row["logit"]),
        )


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
    return [Case.of_row(row, paths) for row in predictions.loc[chosen].to_dict("records")]


def write_explanations(
    folder: Path,
    explainer: Explainer,
    cases: Sequence[Case],
    limits: Mapping[str, float],
    sanity: Mapping[str, Any] | None,
) -> list[ExplainedCase]:
    """Writes overlays (PNG), raw maps (NPZ, in the image's own rows and columns), and ``index.json`` last.

    Args:
        folder: Made anew.
        explainer: The model, its images and the method.
        cases: What to draw.
        limits: Full colour, by finding.
        sanity: The sanity check's result, or None where it was not run.

    Returns:
        The cases as the report shows them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    window, method = explainer.scorer.bundle.preprocessing.window, explainer.method
    entries, shown = [], []
    with progress("explaining") as move:
        for case, raw in _maps_of(explainer, cases):
            name = f"{case.sample_id}_{_file_name(case.finding)}"
            with atomic_path(folder / f"{name}.npz") as temporary:
                np.savez_compressed(temporary, saliency=raw)
            picture = _overlay(case, raw, limits[case.finding], window)
            with atomic_path(folder / f"{name}.png") as temporary:
                temporary.write_bytes(picture)
            entry = {"sample_id": case.sample_id, "finding": case.finding, "file": f"{name}.npz"}
            entries.append({**entry, "layer": method.layer, "score": case.logit})
            shown.append(ExplainedCase(case.sample_id, case.finding, case.target, case.probability, case.threshold, picture))
            move(len(shown), len(cases))
    write_json(folder / "sanity.json", sanity)
    write_json(folder / "index.json", {"method": method.name, "limit": dict(limits), "sanity": sanity, "cases": entries})
    return shown


def _maps_of(explainer: Explainer, cases: Sequence[Case]) -> Iterator[tuple[Case, NDArray[np.float32]]]:
    """Each case with its map in the image's own geometry; the maps of one sample are made together."""
    for sample_id, group in groupby(cases, key=lambda case: case.sample_id):
        together = list(group)
        squares = explainer.maps([sample_id], [case.finding for case in together])[0]
        for case, square in zip(together, squares, strict=True):
            yield case, explainer.in_image(sample_id, square)


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


def _overlay(case: Case, raw: NDArray[np.float32], limit: float, window: str) -> bytes:
    pixels = read_image(case.path, window=cast(Any, window)).pixels
    scale = min(1.0, _REPORT_SIDE / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = [cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(np.float32) for array in (pixels, raw)]
    return png_bytes(overlay(small[0], small[1], limit=limit or 1.0, opacity=0.5))


def _file_name(finding: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in finding)
