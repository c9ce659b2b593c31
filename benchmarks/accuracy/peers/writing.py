"""Writes what the comparison reads of a run, in the form of a run of ours."""

import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.accuracy.peers.images import Data
from medclassify.runs import atomic_path, write_json


def write_peer(
    out: Path, way: str, data: Data, logits: NDArray[np.float64], history: list[dict[str, float]], seconds: float, budget: float
) -> None:
    """Writes test logits, the course of the training, and last what marks the run as finished.

    Args:
        out: The folder.
        way: The peer's package.
        data: Its test split is what the logits are of.
        logits: float64 (N, K).
        history: One row an epoch.
        seconds: Wall time of the whole.
        budget: Seconds that the training was given.
    """
    out.mkdir(parents=True, exist_ok=True)
    test = data.test
    rows = {"sample_id": test.sample_ids, "patient_id": test.patient_ids, "split": ["test"] * len(test.sample_ids)}
    known = np.where(test.mask, test.targets, -1).astype(np.int8)
    tables = [
        pd.DataFrame({**rows, "finding": finding, "target": known[:, k], "logit": logits[:, k]})
        for k, finding in enumerate(data.findings)
    ]
    with atomic_path(out / "predictions.parquet") as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary)
    best = int(np.argmax([row["tune_auroc"] for row in history]))
    training = {"epochs": len(history), "kept_epoch": best + 1, "history": history, "budget_seconds": round(budget, 1)}
    write_json(out / "metrics.json", {"split": "test", "training": training, "seconds": round(seconds, 1)})
    versions = {name: version(name) for name in (way, "torch", "torchvision")}
    hardware = {"threads": torch.get_num_threads(), "cores": os.cpu_count()}
    write_json(out / "provenance.json", {"way": way, "seed": data.seed, "versions": versions, "hardware": hardware})
