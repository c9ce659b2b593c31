"""A finished run, as the review page needs it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.config import load_config
from medclassify.errors import CalibrationError, ReviewError
from medclassify.review.explanations import StoredExplanations, read_explanations
from medclassify.review.items import attribute_columns, check_predictions
from medclassify.review.store import ReviewStore
from medclassify.runs import RunLayout
from medclassify.runs.provenance import read_provenance


@dataclass(frozen=True, slots=True, eq=False)
class ReviewRun:
    """What a run holds for its readers.

    Attributes:
        layout: Where its files stand.
        predictions: The checked predictions table.
        images: One row a sample, indexed by ``sample_id``: ``path`` and ``modality``.
        findings: The findings, in table order.
        attributes: The attributes of the predictions table.
        model_fingerprint: SHA-256 of the weights, hex.
        window: The config's ``data.window``: how the model saw radiographs.
        synthetic: The images were rendered, not taken.
        random_weights: The config asked for pretrained weights, and the network began from random ones.
        doubts: By finding, why its probability or threshold should be doubted, one line each; findings without doubts are
            not in it.
        explanations: The stored saliency maps.
    """

    layout: RunLayout
    predictions: pd.DataFrame
    images: pd.DataFrame
    findings: tuple[str, ...]
    attributes: tuple[str, ...]
    model_fingerprint: str
    window: str
    synthetic: bool
    random_weights: bool
    doubts: Mapping[str, tuple[str, ...]]
    explanations: StoredExplanations

    def original(self, sample_id: str) -> tuple[str, str]:
        """Path and modality of a sample's original image; the path may name a patient: never show it."""
        return str(self.images.at[sample_id, "path"]), str(self.images.at[sample_id, "modality"])

    def of_sample(self, sample_id: str) -> pd.DataFrame:
        """The predictions of one sample, one row a finding; empty where the run does not know the sample."""
        return self.predictions.loc[self.predictions["sample_id"] == sample_id]


def open_review_run(root: Path | str, excluded: Collection[str] = ()) -> ReviewRun:
    """Opens a finished run for review.

    Args:
        root: The run directory.
        excluded: Patient ids (hashes) of those who withdrew consent: the opened run does not hold them.

    Raises:
        RunError: It is not a finished run.
        ReviewError: Its predictions, manifest, model.json or saliency index cannot be used, or its predictions were not made
            at its operating points.
    """
    layout = RunLayout.open(root)
    facts = read_provenance(layout)
    predictions = _read_table(layout.predictions)
    check_predictions(predictions, str(layout.predictions))
    if excluded:
        predictions = predictions[~predictions["patient_id"].isin(list(excluded))].reset_index(drop=True)
    return ReviewRun(
        layout=layout,
        predictions=predictions,
        images=_read_images(layout.manifest, predictions),
        findings=tuple(str(name) for name in predictions["finding"].unique()),
        attributes=attribute_columns(predictions),
        model_fingerprint=_model_fingerprint(layout, facts),
        window=load_config(layout.config).data.window,
        synthetic=bool(facts.get("synthetic", False)),
        random_weights=bool(facts.get("weights", {}).get("fallback", False)),
        doubts=_doubts(layout.model / "model.json", predictions, str(layout.predictions)),
        explanations=read_explanations(layout.explain),
    )


def open_review_store(layout: RunLayout, url: str | None = None) -> ReviewStore:
    """Opens the store of a run's readings, and makes it where it does not exist.

    Args:
        layout: The run.
        url: A file or URL; what the run's config says (``review.store``) when left out, and else ``reviews.sqlite`` in the run.

    Raises:
        ReviewError: What is there is no review store, or it cannot be reached.
        StorageError: It cannot be written.
    """
    return ReviewStore(url or load_config(layout.config).review.store or layout.reviews)


def _model_fingerprint(layout: RunLayout, facts: Mapping[str, Any]) -> str:
    fingerprint = facts.get("model_sha256")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise ReviewError(
            f"{layout.provenance}: no model_sha256, so a verdict could not be tied to its model. Fit the run again."
        )
    return fingerprint


def _doubts(path: Path, predictions: pd.DataFrame, where: str) -> dict[str, tuple[str, ...]]:
    """Checks the predictions against the frozen operating points, and gathers what fit itself warned of."""
    from medclassify.calibration import (
        Calibrator,
        operating_points_from_json,
        require_frozen,
    )  # scipy: the page's first words need not wait for it

    try:
        model = json.loads(path.read_text(encoding="utf-8"))
        calibrator = Calibrator.from_json(model["calibrator"])
        points = operating_points_from_json(model["operating_points"])
        require_frozen(model, str(path))
    except (OSError, ValueError, KeyError, TypeError, CalibrationError) as error:
        raise ReviewError(f"{path}: calibrators and operating points cannot be read ({error}). Fit the run again.") from error
    frozen = {point.finding: point.threshold for point in points}
    used = predictions.groupby("finding", sort=False)["threshold"].agg(["min", "max"])
    for finding, low, high in used.itertuples():
        if not low == high == frozen.get(finding):
            raise ReviewError(
                f"{where}: {finding} was called at {low:.6g}, and its operating point in {path.name} is {frozen.get(finding)}. "
                "Check the run with: medclassify verify RUN"
            )
    lines = [(each.finding, f"{each.finding}: {each.note}") for each in calibrator.maps if each.fallback]
    lines += [(point.finding, point.warning) for point in points if point.warning]
    return {finding: tuple(line for name, line in lines if name == finding) for finding, _ in lines}


def _read_images(path: Path, predictions: pd.DataFrame) -> pd.DataFrame:
    images = _read_table(path, columns=["sample_id", "path", "modality"]).drop_duplicates("sample_id").set_index("sample_id")
    unknown = predictions.loc[~predictions["sample_id"].isin(images.index.tolist()), "sample_id"].unique()
    if len(unknown):
        raise ReviewError(
            f"{path}: {len(unknown)} predicted samples are not in the manifest (first: {unknown[0]}). "
            "The run's files do not belong together; check it with: medclassify verify RUN"
        )
    return images


def _read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise ReviewError(f"{path}: not there. The run is not complete; check it with: medclassify verify RUN") from error
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise ReviewError(
            f"{path}: not a table that can be read ({reason}). Check the run with: medclassify verify RUN"
        ) from error
