"""What a run, or an audit of anyone's predictions, has written: the gate reads files and computes no statistic anew."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.errors import RunError
from medclassify.manifest import read_manifest
from medclassify.records import Split
from medclassify.runs import RunLayout


@dataclass(frozen=True, eq=False)
class Evidence:
    """The files that rules look at.

    Attributes:
        root: The folder that was named.
        run: The run, or None where only an audit was given.
        estimates: ``estimates.csv``.
        audit: ``audit.json``.
        leakage: ``leakage.json`` with the stated reason as ``allowed``; empty where nothing is known.
        sanity: The explanation sanity check, or None.
        groups: Attribute of the manifest's test split → its number of groups; None without a manifest.
        scored: Test samples scored for every finding, and test samples in all; None without a manifest.
    """

    root: Path
    run: RunLayout | None
    estimates: pd.DataFrame
    audit: Mapping[str, Any]
    leakage: Mapping[str, Any]
    sanity: Mapping[str, Any] | None
    groups: Mapping[str, int] | None
    scored: tuple[int, int] | None

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.audit.get("facts", {})

    @property
    def of_own_model(self) -> bool:
        """The audit knows where the model came from; one of a foreign table does not."""
        return bool(self.facts.get("provenance"))


def read_evidence(folder: Path) -> Evidence:
    """Reads a finished run, a folder that ``evaluate`` wrote, or one that ``audit`` wrote.

    Raises:
        RunError: It is none of these, or a file of it cannot be read.
    """
    if (folder / "config.yaml").exists() or not folder.is_dir():
        return _of_run(RunLayout.open(folder))
    for audit in (folder, folder / "audit"):
        if (audit / "audit.json").is_file():
            estimates, stored = _audit(audit)
            facts = stored.get("facts", {})
            return Evidence(folder, None, estimates, stored, facts.get("leakage") or {}, facts.get("sanity"), None, None)
    raise RunError(f"{folder}: neither a run nor an audit (no config.yaml, no audit.json). Name what `fit` or `audit` wrote.")


def _of_run(run: RunLayout) -> Evidence:
    estimates, stored = _audit(run.audit)
    manifest, predictions = read_manifest(run.manifest), pd.read_parquet(run.predictions)
    test = manifest.frame[manifest.frame["split"] == Split.TEST]
    wanted = ("modality", "view", "laterality", "site", "manufacturer", "sex", "age_band", *manifest.attributes)
    groups = {name: test[name].astype("string").fillna("missing").nunique() for name in dict.fromkeys(wanted)}
    finite = predictions[predictions["prob_cal"].notna()].groupby("sample_id")["finding"].nunique()
    whole = set(finite[finite == predictions["finding"].nunique()].index)
    allowed = stored.get("facts", {}).get("leakage", {}).get("allowed")
    return Evidence(
        run.root, run, estimates, stored, {**_json(run.leakage), "allowed": allowed}, _json(run.explain / "sanity.json"),
        {name: count for name, count in groups.items() if 2 <= count <= max(2, len(test) // 2)},
        (int(test["sample_id"].isin(whole).sum()), len(test)),
    )  # fmt: skip


def _audit(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    path = folder / "estimates.csv"
    try:
        return pd.read_csv(path, dtype={"finding": str, "attribute": str, "subgroup": str}), _json(folder / "audit.json")
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}). Audit again with: medclassify audit") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}). See what else was changed: medclassify verify") from error
