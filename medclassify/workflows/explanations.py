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
from medclassify.dicom import SaliencyPicture, write_saliency
from medclassify.display import overlay, png_bytes
from medclassify.errors import UnsupportedImageError
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout, atomic_path, write_json
from medclassify.workflows.console import progress, warn
from medclassify.workflows.explainer import Explainer, Seen, shown_pixels

_REPORT_SIDE, _CAPTURE_SIDE = 512, 1024


@dataclass(frozen=True, slots=True)
class Case:
    """One map to draw.

    Attributes:
        sample_id: The sample.
        finding: The finding.
        path: The original image; of a series its middle slice.
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
    slices: pd.DataFrame | None = None,
    dicom: bool = False,
) -> list[ExplainedCase]:
    """Writes overlays (PNG), raw maps (NPZ, in the image's own rows and columns), and ``index.json`` last.

    Of a series the slice is shown that the finding's attention peaks on; beside its map the NPZ holds ``attention`` and
    ``share``, float64 (L,): what each slice counts, and its share of the series' logit, in the order in which slices lie.

    Args:
        folder: Made anew.
        explainer: The model, its images and the method.
        cases: What to draw.
        limits: Full colour, by finding.
        sanity: The sanity check's result, or None where it was not run.
        slices: Where samples are series: the manifest's slices, which know the slices' files.
        dicom: Also write each map as DICOM into ``dicom/``; images that are not DICOM are counted, and warned of.

    Returns:
        The cases as the report shows them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    preprocessing, method = explainer.scorer.bundle.preprocessing, explainer.method
    entries, shown, foreign = [], [], []
    with progress("explaining") as move:
        for drawn in _drawn(explainer, cases, slices):
            case, seen, raw = drawn.case, drawn.seen, drawn.saliency
            name = f"{case.sample_id}_{_file_name(case.finding)}"
            of_slices = {} if seen.attention is None else {"attention": seen.attention, "share": seen.share}
            with atomic_path(folder / f"{name}.npz") as temporary:
                np.savez_compressed(temporary, saliency=raw, **cast(Any, of_slices))
            picture = png_bytes(_overlay(drawn.path, raw, limits[case.finding], preprocessing))
            with atomic_path(folder / f"{name}.png") as temporary:
                temporary.write_bytes(picture)
            entry = {"sample_id": case.sample_id, "finding": case.finding, "file": f"{name}.npz"}
            entries.append({**entry, "layer": method.layer, "score": case.logit, **seen.facts})
            shown.append(ExplainedCase(case.sample_id, case.finding, case.target, case.probability, case.threshold, picture))
            if dicom:
                foreign += _as_dicom(folder / "dicom" / name, explainer, drawn, limits[case.finding], sanity)
            move(len(shown), len(cases))
    if foreign:
        warn(f"{len(foreign)} maps not written as DICOM (first: {foreign[0]})")
    write_json(folder / "sanity.json", sanity)
    write_json(folder / "index.json", {"method": method.name, "limit": dict(limits), "sanity": sanity, "cases": entries})
    return shown


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The map of a case, in the geometry of the file that it lies on."""

    case: Case
    seen: Seen
    saliency: NDArray[np.float32]
    path: str


def _drawn(explainer: Explainer, cases: Sequence[Case], slices: pd.DataFrame | None) -> Iterator[_Drawn]:
    """Each case with its map in the image's own geometry; the maps of one sample are made together."""
    of_slices = {} if slices is None else dict(zip(slices["slice_id"], slices["path"], strict=True))
    for _, group in groupby(cases, key=lambda case: case.sample_id):
        together = list(group)
        pairs = [(case.sample_id, case.finding) for case in together]
        for case, seen in zip(together, explainer.seen(pairs), strict=True):
            yield _Drawn(case, seen, explainer.in_image(seen.row, seen.square), of_slices.get(seen.image_id, case.path))


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


def _overlay(
    path: str, raw: NDArray[np.float32], limit: float, preprocessing: Preprocessing, longest: int = _REPORT_SIDE
) -> NDArray[np.uint8]:
    pixels = shown_pixels(path, preprocessing)
    scale = min(1.0, longest / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = [cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(np.float32) for array in (pixels, raw)]
    return overlay(small[0], small[1], limit=limit or 1.0, opacity=0.5)


def _as_dicom(
    stem: Path,
    explainer: Explainer,
    drawn: "_Drawn",
    limit: float,
    sanity: Mapping[str, Any] | None,
) -> list[str]:
    """Writes one case as DICOM; what kept it from that, in words, where something did."""
    bundle, method = explainer.scorer.bundle, explainer.method.name
    case, raw = drawn.case, drawn.saliency
    call = "called" if case.probability >= case.threshold else "not called"
    verdict = sanity_words(sanity, case.finding)
    text = f"{case.finding}: {call}, probability {case.probability:.3f}. Saliency by {method}, {verdict}"
    picture = _overlay(drawn.path, raw, limit, bundle.preprocessing, _CAPTURE_SIDE)
    try:
        write_saliency(drawn.path, stem, SaliencyPicture(case.finding, method, raw, limit, picture, text, bundle.fingerprint))
    except UnsupportedImageError as error:
        return [str(error)]
    return []


def sanity_words(sanity: Mapping[str, Any] | None, finding: str) -> str:
    """The verdict on a method's maps of a finding, in a few words: no map goes without it."""
    if sanity is None:
        return "sanity check NOT RUN"
    own = sanity.get("findings", {}).get(finding, {})
    passed = sanity.get("passed") is True and own.get("passed", True) is True
    return "sanity check passed" if passed else "sanity check FAILED: do not read it as evidence"


def _file_name(finding: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in finding)
