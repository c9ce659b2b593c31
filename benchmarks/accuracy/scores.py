"""Reads what a run left: the logits of its test split, its minutes, and the size of its splits."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import NotMeasurableError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One run's test split.

    Attributes:
        seed: Of the run.
        table: One row a sample and finding, sorted by both: sample_id, patient_id, finding, target (0 or 1), logit.
        minutes: Wall time of the whole run.
        threads: Threads it computed with, or None where it does not say.
        train: Images it learnt from.
        test: Images it was scored on.
    """

    seed: int
    table: "pd.DataFrame"
    minutes: float
    threads: int | None
    train: int
    test: int

    def of(self, finding: str) -> "pd.DataFrame":
        """The rows of one finding, by sample."""
        return self.table[self.table["finding"] == finding]


def read_scores(run: Path, seed: int, manifest: Path) -> Scores:
    """Reads one run.

    Args:
        run: Its folder, finished.
        seed: Its seed.
        manifest: The Parquet manifest that its splits are from.

    Raises:
        NotMeasurableError: Its test split is not the manifest's.
    """
    import pandas as pd

    predictions = pd.read_parquet(run / "predictions.parquet")
    test = predictions[(predictions["split"] == "test") & predictions["target"].isin((0, 1))]
    table = test[["sample_id", "patient_id", "finding", "target", "logit"]]
    table = table.sort_values(["finding", "sample_id"]).reset_index(drop=True)
    splits = pd.read_parquet(manifest, columns=["sample_id", "split"]).set_index("sample_id")["split"]
    expected = set(splits.index[splits == "test"])
    if set(test["sample_id"]) - expected or not len(test):
        raise NotMeasurableError(
            f"{run}: its test split is not that of {manifest}; were they made with one key file and one seed?"
        )
    facts = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    threads = facts.get("hardware", {}).get("threads")
    return Scores(seed, table, metrics["seconds"] / 60, threads, int((splits == "train").sum()), test["sample_id"].nunique())
