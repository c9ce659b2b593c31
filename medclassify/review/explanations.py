"""The saliency maps a run has stored, by sample and finding."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medclassify.errors import ReviewError
from medclassify.records import Saliency

INDEX, NEIGHBOURS, ATTENTION = "index.json", "neighbours.parquet", "attention.parquet"


@dataclass(frozen=True, slots=True)
class StoredExplanations:
    """What ``explain/index.json`` lists. The maps themselves are read one at a time.

    Attributes:
        folder: The run's ``explain`` folder.
        method: The saliency method.
        limits: Saliency that gets full colour, by finding, in units of the finding's logit.
        sanity: What the sanity check of the maps found, or None where it was not run.
        cases: File name, layer, score and slice (of a series) by (sample_id, finding).
    """

    folder: Path
    method: str = "grad_cam"
    limits: Mapping[str, float] = field(default_factory=dict)
    sanity: Mapping[str, Any] | None = None
    cases: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def verdict(self, finding: str) -> tuple[bool | None, tuple[str, ...]]:
        """Whether maps of a finding may be read: True, False or None (not checked), and what failed, in words."""
        if self.sanity is None:
            return None, ("sanity check not run",)
        own = (self.sanity.get("findings") or {}).get(finding) or {}
        reasons = (*self.sanity.get("reasons", ()), *own.get("reasons", ()))
        passed = self.sanity.get("passed") is True and own.get("passed", True) is True
        return passed, tuple(map(str, reasons))

    def neighbours(self, sample_id: str) -> pd.DataFrame:
        """Similar training samples and counter-cases of a sample, and the prototypes of each finding.

        Returns:
            Columns ``kind`` (similar, counter, prototype), ``finding``, ``rank``, ``neighbour_id``, ``distance``, ``labels``;
            empty where the run stored none. A prototype belongs to every sample.

        Raises:
            ReviewError: The file is there and not one of neighbours.
        """
        path = self.folder / NEIGHBOURS
        columns = ["kind", "finding", "rank", "neighbour_id", "distance", "labels"]
        if not path.is_file():
            return pd.DataFrame(columns=columns)
        try:
            table = pq.read_table(path, filters=[("sample_id", "in", [sample_id, ""])]).to_pandas()
            return table[columns].reset_index(drop=True)
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise ReviewError(f"{path}: not a file of similar cases. Check the run with: medclassify verify RUN") from error

    def attention(self, sample_id: str, finding: str) -> dict[str, float]:
        """How much each slice of a series counts for a finding, by slice id; they add up to 1. Empty where none is stored.

        Raises:
            ReviewError: The file is there and not one of slices' weights.
        """
        path = self.folder / ATTENTION
        if not path.is_file():
            return {}
        try:
            table = pq.read_table(path, columns=["slice_id", finding], filters=[("sample_id", "==", sample_id)])
            return dict(zip(table["slice_id"].to_pylist(), map(float, table[finding].to_pylist()), strict=True))
        except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
            raise ReviewError(f"{path}: not a file of slices' weights. Check the run with: medclassify verify RUN") from error

    @property
    def samples(self) -> frozenset[str]:
        """The samples that have at least one map."""
        return frozenset(sample_id for sample_id, _ in self.cases)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self.cases

    def slice_of(self, sample_id: str, finding: str) -> str:
        """Which slice of a whole series a map is of; "" where there is no map, or the sample is one image."""
        return str(self.cases.get((sample_id, finding), {}).get("slice_id", ""))

    def read(self, sample_id: str, finding: str) -> Saliency:
        """Reads one map.

        Raises:
            ReviewError: There is none, or its file is missing, outside the folder, or not a saliency map.
        """
        if (sample_id, finding) not in self.cases:
            raise ReviewError(
                f"{self.folder}: no saliency map of {finding} in {sample_id}. The fit stores maps of explain.samples cases."
            )
        case = self.cases[sample_id, finding]
        path = self.folder / str(case["file"])
        if path.resolve().parent != self.folder.resolve():
            raise ReviewError(
                f"{self.folder / INDEX}: {case['file']!r} lies outside the folder. Check the run with: medclassify verify RUN"
            )
        try:
            with np.load(path, allow_pickle=False) as arrays:
                raw = arrays["saliency"]
        except (OSError, ValueError, KeyError) as error:
            raise ReviewError(f"{path}: not a saliency map ({error}). Check the run with: medclassify verify RUN") from error
        if raw.ndim != 2 or raw.dtype != np.float32 or not np.isfinite(raw).all():
            raise ReviewError(
                f"{path}: saliency must be finite float32 (height, width), received {raw.dtype} {raw.shape}. "
                "Check the run with: medclassify verify RUN"
            )
        return Saliency(raw=raw, finding=finding, layer=str(case["layer"]), score=float(case["score"]))


def read_explanations(folder: Path) -> StoredExplanations:
    """Reads ``index.json`` of a run's ``explain`` folder; a run without one has no maps.

    Raises:
        ReviewError: The index is not what ``fit`` writes.
    """
    path = folder / INDEX
    if not path.is_file():
        return StoredExplanations(folder)
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        return StoredExplanations(
            folder,
            method=str(index.get("method", "grad_cam")),
            limits={str(finding): float(limit) for finding, limit in index["limit"].items()},
            sanity=index["sanity"],
            cases={(str(case["sample_id"]), str(case["finding"])): _checked(case) for case in index["cases"]},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReviewError(
            f"{path}: not an index of saliency maps ({error!r}). Check the run with: medclassify verify RUN"
        ) from error


def _checked(case: dict[str, Any]) -> dict[str, Any]:
    kept = {"file": str(case["file"]), "layer": str(case["layer"]), "score": float(case["score"])}
    return kept | {"slice_id": str(case.get("slice_id") or "")}
