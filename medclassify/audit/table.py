"""Anyone's predictions, checked and brought into one shape before anything is computed from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medclassify.audit.attributes import subgroup_levels
from medclassify.errors import ManifestError, MetricError
from medclassify.records import Split

TARGETS = ("target", "label_value", "label")
SCORES = ("prob_cal", "probability", "score")
ONLY_FINDING = "target"
_ROLES = ("sample_id", "patient_id", "finding", "logit", "prob_raw", "threshold", "decision", "split", *TARGETS, *SCORES)


@dataclass(frozen=True, eq=False)
class AuditTable:
    """Predictions of the samples that are evaluated, one row a sample and finding.

    Attributes:
        frame: Columns ``sample_id, patient_id, finding, target`` (float64, NaN where masked), ``score`` (float64),
            ``threshold`` and ``decision`` (float64, NaN where there is none), and one text column an attribute.
        findings: In order of appearance.
        levels: The subgroups of each attribute in reading order; ``missing`` stands last where there are blanks.
        is_probability: ``score`` is a probability, so that calibration can be judged.
        notes: What a reader of the report must know about the table.
    """

    frame: pd.DataFrame
    findings: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    is_probability: bool
    notes: tuple[str, ...] = ()

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(self.levels)

    @property
    def patients_repeat(self) -> bool:
        """Some patient has more than one sample."""
        samples = self.frame.drop_duplicates("sample_id")
        return bool(samples["patient_id"].duplicated().any())


def audit_table(
    predictions: pd.DataFrame | Path | str | AuditTable, attributes: Sequence[str], *, source: str = "predictions"
) -> AuditTable:
    """Checks a predictions table and brings it into the shape that the statistics take.

    Args:
        predictions: The contract's tidy table, or anyone's with ``target`` (or ``label_value``, ``label``) and ``probability``
            or ``score``; a table without ``finding`` is about one finding. A path names a .csv, .tsv or .parquet file.
        attributes: Columns to report by. Numeric ages become bands, other numbers quarters; blanks become ``missing``.
        source: What to call the table in messages.

    Returns:
        The checked table; only rows of the test split where the table says which rows those are.

    Raises:
        ManifestError: The table is empty, unreadable, or lacks a column.
        MetricError: A score, target or id that no statistic can be computed from.
    """
    if isinstance(predictions, AuditTable):
        return predictions
    if not isinstance(predictions, pd.DataFrame):
        source, predictions = str(predictions), read_table(Path(predictions))
    if predictions.empty:
        raise ManifestError(f"{source}: the table holds no rows. Give a table with one row a sample (and finding).")
    notes: list[str] = []
    frame = _test_rows(predictions, source, notes)
    target_column, score_column = _role(frame, TARGETS, source), _role(frame, SCORES, source)
    _check_attributes(frame, attributes, source)
    clean = pd.DataFrame(index=range(len(frame)))
    clean["sample_id"] = _sample_ids(frame, source)
    clean["patient_id"] = _patient_ids(frame, clean["sample_id"], notes)
    clean["finding"] = frame["finding"].astype(str).to_numpy() if "finding" in frame else ONLY_FINDING
    clean["target"] = _targets(frame[target_column], source)
    clean["score"] = _numbers(frame[score_column], source)
    _check_scores(clean, score_column, source)
    clean["threshold"] = _numbers(frame["threshold"], source) if "threshold" in frame else np.nan
    clean["decision"] = _decisions(frame, clean, source)
    if score_column == "score":
        notes.append("The scores are not stated to be probabilities (column `score`), so calibration is left out.")
    if clean["decision"].isna().all():
        notes.append("No threshold and no decision is given, so sensitivity, specificity and predictive values are left out.")
    levels = {}
    for attribute in attributes:
        clean[attribute], levels[attribute] = subgroup_levels(frame[attribute].reset_index(drop=True), attribute, notes)
    _check_unique(clean, source)
    _check_classes(clean, source)
    findings = tuple(dict.fromkeys(clean["finding"]))
    return AuditTable(clean, findings, levels, score_column != "score", tuple(notes))


def read_table(path: Path) -> pd.DataFrame:
    """Reads a .csv, .tsv (also .gz) or .parquet file.

    Raises:
        ManifestError: It is not there, is of another kind, or cannot be read.
    """
    if not path.is_file():
        raise ManifestError(f"{path}: no such predictions file. Name a .csv, .tsv or .parquet table.")
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    try:
        if kind == "parquet":
            return pd.read_parquet(path)
        if kind in {"csv", "tsv"}:
            ids = dict.fromkeys(("sample_id", "patient_id", "finding"), "string")
            return pd.read_csv(path, sep="," if kind == "csv" else "\t", dtype=ids)  # pyright: ignore[reportArgumentType]
    except pd.errors.EmptyDataError as error:
        raise ManifestError(f"{path}: the table holds no rows. Give a table with one row a sample (and finding).") from error
    except (ValueError, OSError) as error:
        raise ManifestError(
            f"{path}: cannot be read as {kind} ({str(error).splitlines()[0]}). Export the table again."
        ) from error
    raise ManifestError(f"{path}: predictions are read from .csv, .tsv or .parquet, received .{kind}.")


def _test_rows(frame: pd.DataFrame, source: str, notes: list[str]) -> pd.DataFrame:
    if "split" not in frame or frame["split"].isna().all():
        return frame
    splits = frame["split"].astype("string").fillna("")
    if (splits == Split.TEST).any():
        return frame[(splits == Split.TEST).to_numpy()].reset_index(drop=True)
    ours = [split for split in Split if (splits == split).any()]
    if ours:
        raise MetricError(
            f"{source}: no row is of split test, only {', '.join(ours)}: figures on those would flatter the model. "
            "Predict the test split, or drop the column `split` where the rows are independent of the training."
        )
    notes.append("The column `split` names no test rows; every row is evaluated.")
    return frame


def _role(frame: pd.DataFrame, names: tuple[str, ...], source: str) -> str:
    for name in names:
        if name in frame:
            return name
    what = "truth" if names is TARGETS else "score"
    raise ManifestError(
        f"{source}: no column for the {what}: expected one of {', '.join(names)}, received {_listed(frame)}. Rename the column."
    )


def _check_attributes(frame: pd.DataFrame, attributes: Sequence[str], source: str) -> None:
    free = [str(column) for column in frame.columns if column not in _ROLES]
    for attribute in attributes:
        if attribute not in free:
            has = ", ".join(free) or "none"
            raise ManifestError(f"{source}: {attribute!r} is not an attribute column; it has: {has}. Correct --attributes.")
    if len(set(attributes)) != len(attributes):
        raise ManifestError(f"{source}: an attribute is named twice: {', '.join(attributes)}. Name each once.")


def _sample_ids(frame: pd.DataFrame, source: str) -> pd.Series:
    if "sample_id" in frame:
        if missing := int(frame["sample_id"].isna().sum()):
            raise MetricError(f"{source}: {missing} rows have no sample_id. Number the samples.")
        return frame["sample_id"].astype(str).astype(object).reset_index(drop=True)
    if "finding" in frame and frame["finding"].nunique() > 1:
        raise ManifestError(
            f"{source}: no column sample_id, received {_listed(frame)}. "
            "A table of several findings needs it to say which rows are one sample."
        )
    return pd.Series([f"row {row}" for row in range(len(frame))], dtype=object)


def _patient_ids(frame: pd.DataFrame, sample_ids: pd.Series, notes: list[str]) -> pd.Series:
    if "patient_id" not in frame:
        notes.append(
            "There is no patient_id: every sample counts as a patient of its own. Where patients have several images, "
            "the intervals below are too narrow."
        )
        return sample_ids
    patients = frame["patient_id"].astype("string").reset_index(drop=True)
    if blank := int(sample_ids[patients.isna()].nunique()):
        notes.append(f"{blank} samples have no patient_id; each counts as a patient of its own.")
    return patients.astype(object).where(patients.notna(), "sample " + sample_ids)


def _numbers(column: pd.Series, source: str) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    words = column[np.isnan(values) & column.notna().to_numpy()]
    if len(words):
        raise MetricError(f"{source}: {column.name} must be a number, received {words.iloc[0]!r} ({len(words)} such rows).")
    return values


def _targets(column: pd.Series, source: str) -> np.ndarray:
    values = _numbers(column, source)
    values[values == -1] = np.nan
    odd = values[~np.isnan(values) & ~np.isin(values, (0.0, 1.0))]
    if odd.size:
        raise MetricError(
            f"{source}: {column.name} must be 1 (present), 0 (absent), -1 (uncertain) or blank, "
            f"received {odd[0]:g} ({odd.size} such rows)."
        )
    return values


def _check_scores(clean: pd.DataFrame, column: str, source: str) -> None:
    known = clean["target"].notna()
    bad = clean[known & ~np.isfinite(clean["score"])]
    if len(bad):
        raise MetricError(
            f"{source}: {column} is not finite in {len(bad)} labelled rows (first: sample {bad['sample_id'].iloc[0]}). "
            "Score these samples again, or leave them out and say so."
        )
    outside = clean["score"][known & ((clean["score"] < 0) | (clean["score"] > 1))]
    if column != "score" and len(outside):
        worst = outside.loc[outside.abs().idxmax()]
        raise MetricError(
            f"{source}: {column} holds {len(outside)} values outside [0, 1] (largest {worst:.3g}): these look like logits; "
            "calibrate them first, or name the column `score` to rank by it alone."
        )


def _decisions(frame: pd.DataFrame, clean: pd.DataFrame, source: str) -> np.ndarray:
    if "decision" in frame and frame["decision"].notna().any():
        decisions = _numbers(frame["decision"], source)
        if not np.isin(decisions[~np.isnan(decisions)], (0.0, 1.0)).all():
            raise MetricError(f"{source}: decision must be 0, 1 or blank, received {np.nanmax(decisions):g}.")
        return decisions
    made = (clean["score"] >= clean["threshold"]).to_numpy(dtype=np.float64)
    return np.where(clean["threshold"].isna(), np.nan, made)


def _check_unique(clean: pd.DataFrame, source: str) -> None:
    twice = clean[clean.duplicated(["sample_id", "finding"])]
    if len(twice):
        first = twice.iloc[0]
        raise MetricError(
            f"{source}: {len(twice)} rows repeat a sample and finding (first: sample {first['sample_id']}, {first['finding']}). "
            "Keep one row for each."
        )


def _check_classes(clean: pd.DataFrame, source: str) -> None:
    classes = clean.dropna(subset=["target"]).groupby("finding")["target"].nunique()
    if not (classes == 2).any():
        values = sorted(clean["target"].dropna().unique())
        held = f"only {values[0]:g}" if values else "no label at all"
        raise MetricError(
            f"{source}: every finding has one class ({held}), so nothing can be told apart. Give samples with and without the finding."
        )


def _listed(frame: pd.DataFrame) -> str:
    names = [str(column) for column in frame.columns]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
