"""Single columns of a predictions table: ids, numbers, targets, decisions."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ManifestError, MetricError
from medclassify.manifest.identifiers import PATIENT_NAMES
from medclassify.records import ConformalSet


def sample_ids(frame: pd.DataFrame, source: str) -> pd.Series:
    """Sample ids as text (N,); rows are numbered where a table about one finding has none."""
    if "sample_id" in frame:
        if missing := int(frame["sample_id"].isna().sum()):
            raise MetricError(f"{source}: {missing} rows have no sample_id. Number the samples.")
        return frame["sample_id"].astype(str).astype(object).reset_index(drop=True)
    if "finding" in frame and frame["finding"].nunique() > 1:
        raise ManifestError(
            f"{source}: no column sample_id, received {listed(frame)}. "
            "A table of several findings needs it to say which rows are one sample."
        )
    return pd.Series([f"row {row}" for row in range(len(frame))], dtype=object)


def patient_ids(frame: pd.DataFrame, samples: pd.Series, notes: list[str]) -> pd.Series:
    """Patient ids as text (N,); a sample without one is a patient of its own, and that is noted."""
    if "patient_id" not in frame:
        notes.append(
            "There is no patient_id: every sample counts as a patient of its own. Where patients have several images, "
            f"the intervals below are too narrow.{_perhaps(frame)}"
        )
        return samples
    patients = frame["patient_id"].astype("string").reset_index(drop=True)
    if blank := int(samples[patients.isna()].nunique()):
        notes.append(f"{blank} samples have no patient_id; each counts as a patient of its own.")
    return patients.astype(object).where(patients.notna(), "sample " + samples)


def _perhaps(frame: pd.DataFrame) -> str:
    """Says which column may be meant: who the patient is is nothing to be guessed."""
    meant = [str(column) for column in frame.columns if re.sub(r"[^a-z0-9]+", "_", str(column).lower()) in PATIENT_NAMES]
    return f" If {meant[0]} says who the patient is, call it patient_id." if meant else ""


def finding_names(frame: pd.DataFrame, source: str, only: str) -> pd.Series:
    """The finding of each row (N,); ``only`` where the table is about one."""
    if "finding" not in frame:
        return pd.Series([only] * len(frame), dtype=object)
    if blank := int(frame["finding"].isna().sum()):
        raise ManifestError(f"{source}: {blank} rows have no finding. Name the finding of every row, or drop the column.")
    return frame["finding"].astype(str).astype(object).reset_index(drop=True)


def numbers(column: pd.Series, source: str) -> NDArray[np.float64]:
    """A column as float64 (N,), NaN where it is blank."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    words = column[np.isnan(values) & column.notna().to_numpy()]
    if len(words):
        raise MetricError(
            f"{source}: {column.name} must be a number, received {words.iloc[0]!r} ({len(words)} such rows). "
            "Correct them, or leave them blank."
        )
    return values


def targets(column: pd.Series, source: str) -> NDArray[np.float64]:
    """Targets as float64 (N,): 1, 0, and NaN where they are uncertain (-1) or blank."""
    values = numbers(column, source)
    values = np.where(values == -1, np.nan, values)
    odd = values[~np.isnan(values) & ~np.isin(values, (0.0, 1.0))]
    if odd.size:
        raise MetricError(
            f"{source}: {column.name} must be 1 (present), 0 (absent), -1 (uncertain) or blank, "
            f"received {odd[0]:g} ({odd.size} such rows). Correct them."
        )
    return values


def decisions(frame: pd.DataFrame, clean: pd.DataFrame, source: str) -> NDArray[np.float64]:
    """Decisions as float64 (N,): as given, else score ≥ threshold, NaN where there is neither."""
    if "decision" in frame and frame["decision"].notna().any():
        given = numbers(frame["decision"], source)
        if not np.isin(given[~np.isnan(given)], (0.0, 1.0)).all():
            raise MetricError(f"{source}: decision must be 0, 1 or blank, received {np.nanmax(given):g}. Correct the column.")
        return given
    made = (clean["score"] >= clean["threshold"]).to_numpy(dtype=np.float64)
    return np.where(clean["threshold"].isna(), np.nan, made)


def conformal_sets_given(frame: pd.DataFrame, source: str) -> NDArray[np.object_]:
    """The column ``conformal_set`` of a predictions table, "" where there is none.

    Raises:
        MetricError: A value is not one of `ConformalSet`.
    """
    if "conformal_set" not in frame:
        return np.full(len(frame), "", object)
    sets = frame["conformal_set"].fillna("").astype(str).to_numpy(object)
    strange = sorted(set(sets) - {"", *ConformalSet})
    if strange:
        raise MetricError(
            f"{source}: conformal_set must be {', '.join(ConformalSet)} or blank, received {strange[0]!r}. Correct the column."
        )
    return sets


def listed(frame: pd.DataFrame) -> str:
    """The first dozen column names, for messages."""
    names = [str(column) for column in frame.columns]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
