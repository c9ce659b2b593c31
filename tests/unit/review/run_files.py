"""A small finished run, as fit would have written it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from medclassify.calibration import Calibrator, FindingMap, operating_points_to_json
from medclassify.records import OperatingPoint, Split


def write_run(root: Path, predictions: pd.DataFrame) -> Path:
    """Writes the run's files."""
    (root / "explain").mkdir(parents=True)
    (root / "config.yaml").write_text("data:\n  window: percentile\n")
    predictions.to_parquet(root / "predictions.parquet")
    pd.DataFrame(
        {"sample_id": predictions["sample_id"].unique(), "path": "/data/x.dcm", "modality": "CR", "extra": 1}
    ).to_parquet(root / "manifest.parquet")
    np.savez(root / "explain" / "a_effusion.npz", saliency=np.ones((4, 5), dtype=np.float32))
    case = {"sample_id": "a", "finding": "effusion", "file": "a_effusion.npz", "layer": "conv_head", "score": 2.5}
    write_index(root, {"limit": {"effusion": 3.0}, "sanity": None, "cases": [case]})
    (root / "model").mkdir()
    write_model(root)
    write_facts(root, {"synthetic": True, "weights": {"fallback": True}})
    return root


def write_index(root: Path, index: object) -> None:
    (root / "explain" / "index.json").write_text(json.dumps(index))


def write_model(root: Path, warning: str = "", effusion: float = 0.30) -> None:
    maps = (
        FindingMap("effusion", "platt", 1.0, 0.0, 60, 60, 0, "Platt"),
        FindingMap("nodule", "identity", 1.0, 0.0, 3, 97, 0, "NOT CALIBRATED: 3 positives", fallback=True),
    )
    calibrator = Calibrator("multilabel", Split.CALIBRATE, "m" * 64, maps)
    points = [
        OperatingPoint("effusion", effusion, "sensitivity >= 0.90", Split.CALIBRATE, 60, 60, warning),
        OperatingPoint("nodule", 0.50, "sensitivity >= 0.90", Split.CALIBRATE, 3, 97, "nodule: chosen from 3 positives"),
    ]
    model = {"calibrator": calibrator.to_json(), "operating_points": operating_points_to_json(points)}
    (root / "model" / "model.json").write_text(json.dumps(model))


def write_facts(root: Path, facts: dict) -> None:
    (root / "provenance.json").write_text(json.dumps({"files": {}, "model_sha256": "m" * 64, **facts}))
