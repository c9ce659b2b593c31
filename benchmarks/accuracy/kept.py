"""Scores of finished runs, kept beside the results, so that an accuracy table may come from several evenings and machines.

What is kept of a run is what no other machine can make again in seconds: its logits on the test split. Labels and patients stay
with the images: they are read again from the local copy of the collection, and joined by sample. The collections are public, so
their patients are hashed under a key that is public too (``KEY``): every machine draws the same splits.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.arms import DEFAULT, Collection, run_name
from benchmarks.accuracy.scores import Scores, read_scores
from benchmarks.harness import NotMeasurableError
from benchmarks.results import FOLDER

if TYPE_CHECKING:
    import pandas as pd

KEY = "4e35bbe372a819946a7d4574727908b7b5b8e3c0d46ad20624be0a75a0cf05a9"
KEPT = FOLDER / "recipes"


@contextmanager
def public_key(runs: Path) -> Iterator[None]:
    """Within it, patients are hashed under ``KEY``, by this process and by those that it starts."""
    path, before = runs / "patient.key", os.environ.get("MEDCLASSIFY_KEY_FILE")
    runs.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(KEY + "\n", encoding="ascii")
    os.environ["MEDCLASSIFY_KEY_FILE"] = str(path)
    try:
        yield
    finally:
        os.environ.pop("MEDCLASSIFY_KEY_FILE")
        if before is not None:
            os.environ["MEDCLASSIFY_KEY_FILE"] = before


def kept_file(collection: Collection, arm: str, seed: int) -> Path:
    """Where the scores of a run are kept."""
    return KEPT / f"{run_name(collection, arm, seed)}.json"


def keep_scores(collection: Collection, arm: str, seed: int, runs: Path) -> None:
    """Keeps the test logits of a finished run, and what the table says about it.

    Args:
        collection: The data set.
        arm: Recipe or peer.
        seed: Of the run.
        runs: The folder of runs; the default's run of the same seed is there too.
    """
    from medclassify.runs import write_json

    run = runs / run_name(collection, arm, seed)
    scores = read_scores(run, seed, runs / run_name(collection, DEFAULT, seed) / "manifest.parquet")
    facts = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    kept: dict[str, Any] = {
        "seed": seed,
        "minutes": round(scores.minutes, 2),
        "threads": scores.threads,
        "train": scores.train,
        "test": scores.test,
        "commit": facts.get("git_commit"),
        "logits": {
            str(finding): dict(zip(rows["sample_id"], map(float, rows["logit"]), strict=True))
            for finding, rows in scores.table.groupby("finding")
        },
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    write_json(kept_file(collection, arm, seed), kept)


def kept_scores(collection: Collection, arm: str, seed: int, data: Path, runs: Path) -> Scores | None:
    """The kept scores of a run with the collection's labels; None where none are kept.

    Raises:
        NotMeasurableError: A sample that was scored is not in this copy of the collection.
    """
    path = kept_file(collection, arm, seed)
    if not path.is_file():
        return None
    import pandas as pd

    kept = json.loads(path.read_text(encoding="utf-8"))
    labels = _labels(collection, data, runs)
    tables = []
    for finding, logits in kept["logits"].items():
        unknown = [name for name in logits if name not in labels.index]
        if unknown:
            raise NotMeasurableError(
                f"{path}: {len(unknown)} samples are not in {data / collection.name} (first: {unknown[0]})"
            )
        rows = labels.loc[list(logits)]
        tables.append(
            pd.DataFrame(
                {
                    "sample_id": rows.index,
                    "patient_id": rows["patient_id"].to_numpy(),
                    "finding": finding,
                    "target": rows[finding].astype("int64").to_numpy(),
                    "logit": list(logits.values()),
                }
            )
        )
    table = pd.concat(tables).sort_values(["finding", "sample_id"]).reset_index(drop=True)
    return Scores(seed, table, kept["minutes"], kept["threads"], kept["train"], kept["test"])


@cache
def _labels(collection: Collection, data: Path, runs: Path) -> "pd.DataFrame":
    """Patients and labels of a collection, by sample; its headers are read once."""
    from medclassify.config import load_config
    from medclassify.workflows.console import silence
    from medclassify.workflows.index import index_data

    config = load_config(collection.config_path, ["--data.source", str(data / collection.name)])
    with public_key(runs), silence():
        return index_data(config.data).manifest.frame.set_index("sample_id")
