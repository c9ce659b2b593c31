"""The saliency maps a run has stored, by sample and finding."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medclassify.errors import ReviewError
from medclassify.records import Saliency

INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class StoredExplanations:
    """What ``explain/index.json`` lists. The maps themselves are read one at a time.

    Attributes:
        folder: The run's ``explain`` folder.
        limits: Saliency that gets full colour, by finding, in units of the finding's logit.
        sanity: What the sanity check of the maps found, or None where it was not run.
        cases: File name, layer and score by (sample_id, finding).
    """

    folder: Path
    limits: Mapping[str, float] = field(default_factory=dict)
    sanity: Mapping[str, Any] | None = None
    cases: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def samples(self) -> frozenset[str]:
        """The samples that have at least one map."""
        return frozenset(sample_id for sample_id, _ in self.cases)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self.cases

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
            limits={str(finding): float(limit) for finding, limit in index["limit"].items()},
            sanity=index["sanity"],
            cases={(str(case["sample_id"]), str(case["finding"])): _checked(case) for case in index["cases"]},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReviewError(
            f"{path}: not an index of saliency maps ({error!r}). Check the run with: medclassify verify RUN"
        ) from error


def _checked(case: dict[str, Any]) -> dict[str, Any]:
    return {"file": str(case["file"]), "layer": str(case["layer"]), "score": float(case["score"])}
