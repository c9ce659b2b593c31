"""A manifest in counts: the flow and demographics of a report."""

from typing import Any

import numpy as np
import pandas as pd

from medclassify.manifest.table import Manifest
from medclassify.records import Split

MISSING = "missing"
UNASSIGNED = "unassigned"
_MOST_GROUPS = 40
_GROUPED = ("sex", "age_band", "view", "site", "manufacturer", "modality")


def describe(manifest: Manifest) -> dict[str, Any]:
    """Counts, for the whole manifest and for each split.

    Args:
        manifest: With or without splits.

    Returns:
        Plain JSON: ``all``, then each split that has samples (``unassigned`` where there is none) →
        ``patients``, ``studies``, ``images``, ``findings`` (finding → positive, negative, uncertain, unlabelled),
        ``attributes`` (attribute → subgroup → images, with ``missing`` as a subgroup) and ``age`` (median, q25, q75, missing).
        Studies are counted by UID; an image without one counts as a study.
    """
    split = manifest.frame["split"].fillna(UNASSIGNED)
    names = [name for name in (*(part.value for part in Split), UNASSIGNED) if (split == name).any()]
    return {"all": _counts(manifest, manifest.frame)} | {
        name: _counts(manifest, manifest.frame[split == name]) for name in names
    }


def _counts(manifest: Manifest, frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "patients": int(frame["patient_id"].nunique()),
        "studies": int(frame["study_uid"].fillna(frame["sample_id"]).nunique()),
        "images": len(frame),
        "findings": {name: _finding_counts(frame[name]) for name in manifest.findings},
        "attributes": {name: _groups(frame[name]) for name in (*_GROUPED, *manifest.attributes)},
        "age": _age(frame["age"].to_numpy(dtype=np.float64)),
    }


def _finding_counts(labels: pd.Series) -> dict[str, int]:
    counts = {name: int((labels == value).sum()) for name, value in (("positive", 1), ("negative", 0), ("uncertain", -1))}
    return counts | {"unlabelled": int(labels.isna().sum())}


def _groups(values: pd.Series) -> dict[str, int]:
    """Subgroup → images, in the order of their names; beyond 40 subgroups the smallest are put together, and said so."""
    counts = values.value_counts()
    kept = {str(name): int(n) for name, n in sorted(counts.iloc[:_MOST_GROUPS].items())}
    if len(counts) > _MOST_GROUPS:
        kept[f"{len(counts) - _MOST_GROUPS} others"] = int(counts.iloc[_MOST_GROUPS:].sum())
    return kept | {MISSING: int(values.isna().sum())}


def _age(years: np.ndarray) -> dict[str, float | int | None]:
    known = years[~np.isnan(years)]
    q25, median, q75 = np.quantile(known, (0.25, 0.5, 0.75)).tolist() if known.size else (None, None, None)
    return {"median": median, "q25": q25, "q75": q75, "missing": int(np.isnan(years).sum())}
