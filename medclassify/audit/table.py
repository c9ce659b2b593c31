"""Anyone's predictions, checked and brought into one shape before anything is computed from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from medclassify.audit.attributes import crossed_levels, subgroup_levels
from medclassify.audit.columns import (
    conformal_sets_given,
    decisions,
    finding_names,
    listed,
    numbers,
    patient_ids,
    sample_ids,
    targets,
)
from medclassify.audit.reading import read_table
from medclassify.errors import ManifestError, MetricError
from medclassify.manifest.identifiers import identifying_name
from medclassify.records import Split

TARGETS = ("target", "label_value", "label")
SCORES = ("prob_cal", "probability", "score")
ONLY_FINDING = "finding"
_ROLES = (
    *("sample_id", "patient_id", "finding", "logit", "prob_raw", "threshold", "decision", "split", "conformal_set"),
    *TARGETS,
    *SCORES,
)


@dataclass(frozen=True, eq=False)
class AuditTable:
    """Predictions of the samples that are evaluated, one row a sample and finding.

    Attributes:
        frame: Columns ``sample_id, patient_id, finding, target`` (float64, NaN where masked), ``score`` (float64),
            ``threshold`` and ``decision`` (float64, NaN where there is none), ``conformal_set`` (text, "" where there is none),
            and one text column an attribute.
        findings: In order of appearance.
        levels: The subgroups of each attribute in reading order; ``missing`` stands last where there are blanks.
        is_probability: ``score`` is a probability, so that calibration can be judged.
        notes: What a reader of the report must know about the table.
        intersections: Of the attributes those that are crossed ones, ``sex*age_band``, with their parts.
    """

    frame: pd.DataFrame
    findings: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    is_probability: bool
    notes: tuple[str, ...] = ()
    intersections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(self.levels)

    @property
    def patients_repeat(self) -> bool:
        """Some patient has more than one sample."""
        samples = self.frame.drop_duplicates("sample_id")
        return bool(samples["patient_id"].duplicated().any())


def audit_table(
    predictions: pd.DataFrame | Path | str | AuditTable,
    attributes: Sequence[str],
    *,
    intersections: Sequence[Sequence[str]] = (),
    source: str = "predictions",
) -> AuditTable:
    """Checks a predictions table and brings it into the shape that the statistics take.

    Args:
        predictions: The contract's tidy table, or anyone's with ``target`` (or ``label_value``, ``label``) and ``probability``
            or ``score``; a table without ``finding`` is about one finding, which takes the name of the file. A path names a
            .csv, .tsv or .parquet file.
        attributes: Columns to report by. Numeric ages become bands, other numbers quarters; blanks become ``missing``.
        intersections: Attributes to cross, two or more each; declared before anyone has seen a figure.
        source: What to call the table in messages.

    Returns:
        The checked table; only rows of the test split where the table says which rows those are.

    Raises:
        ManifestError: The table is empty, unreadable, or lacks a column; an attribute would name a person.
        MetricError: A score, target or id that no statistic can be computed from.
    """
    if isinstance(predictions, AuditTable):
        return predictions
    given: pd.DataFrame
    only = ONLY_FINDING
    if isinstance(predictions, (Path, str)):
        source, given = str(predictions), read_table(Path(predictions))
        only = file_finding(Path(predictions))
    else:
        given = predictions
    if given.empty:
        raise ManifestError(f"{source}: the table holds no rows. Give a table with one row a sample (and finding).")
    notes: list[str] = []
    frame = _test_rows(given, source, notes)
    target_column, score_column = _role(frame, TARGETS, source), _role(frame, SCORES, source)
    _check_attributes(frame, attributes, source)
    clean = pd.DataFrame(index=range(len(frame)))
    clean["sample_id"] = sample_ids(frame, source)
    clean["patient_id"] = patient_ids(frame, clean["sample_id"], notes)
    clean["finding"] = finding_names(frame, source, only)
    if "finding" not in frame:
        notes.append(f"The table has no column `finding`; its one finding is called “{only}” here.")
    clean["target"] = targets(frame[target_column], source)
    clean["score"] = numbers(frame[score_column], source)
    _check_scores(clean, score_column, source)
    clean["threshold"] = numbers(frame["threshold"], source) if "threshold" in frame else np.nan
    clean["decision"] = decisions(frame, clean, source)
    clean["conformal_set"] = conformal_sets_given(frame, source)
    if score_column == "score":
        notes.append("The scores are not stated to be probabilities (column `score`), so calibration is left out.")
    if clean["decision"].isna().all():
        notes.append("No threshold and no decision is given, so sensitivity, specificity and predictive values are left out.")
    levels = {}
    for attribute in attributes:
        clean[attribute], levels[attribute] = subgroup_levels(frame[attribute].reset_index(drop=True), attribute, notes)
    crossed = _intersections(intersections, attributes, source)
    for name, parts in crossed.items():
        clean[name], levels[name] = crossed_levels([clean[part] for part in parts], [levels[part] for part in parts])
    _check_unique(clean, source)
    findings = tuple(dict.fromkeys(clean["finding"]))
    return AuditTable(clean, findings, levels, score_column != "score", tuple(notes), crossed)


def file_finding(path: Path) -> str:
    """What the one finding of a table without ``finding`` is called: the file's name without its kind."""
    return Path(path.name.removesuffix(".gz")).stem


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
        f"{source}: no column for the {what}: expected one of {', '.join(names)}, received {listed(frame)}. "
        "Give one row a sample and finding, in columns sample_id, patient_id, finding, target and probability; "
        "a table with a column for each finding must be turned into that (docs/audit.md shows how)."
    )


def _check_attributes(frame: pd.DataFrame, attributes: Sequence[str], source: str) -> None:
    free = [str(column) for column in frame.columns if column not in _ROLES and identifying_name(str(column)) is None]
    for attribute in attributes:
        if attribute in frame and (kind := identifying_name(attribute)) and attribute not in _ROLES:
            raise ManifestError(
                f"{source}: the column {attribute!r} says that it holds {kind}, which no report may show. "
                "Leave it out of --attributes; rename it where it holds groups."
            )
        if attribute not in free:
            has = ", ".join(free) or "none"
            raise ManifestError(f"{source}: {attribute!r} is not an attribute column; it has: {has}. Correct --attributes.")
    if len(set(attributes)) != len(attributes):
        raise ManifestError(f"{source}: an attribute is named twice: {', '.join(attributes)}. Name each once.")


def _intersections(given: Sequence[Sequence[str]], attributes: Sequence[str], source: str) -> dict[str, tuple[str, ...]]:
    crossed = {"*".join(parts): tuple(parts) for parts in given}
    for name, parts in crossed.items():
        if len(set(parts)) < 2 or len(set(parts)) < len(parts):
            raise ManifestError(f"{source}: the intersection {name!r} must name two or more attributes, e.g. sex*age.")
        unknown = [part for part in parts if part not in attributes]
        if unknown:
            has = ", ".join(attributes) or "none"
            raise ManifestError(
                f"{source}: the intersection {name!r} crosses {unknown[0]!r}, which is not among the attributes ({has}). "
                "Name it in --attributes too."
            )
    if len(crossed) < len(given):
        raise ManifestError(f"{source}: an intersection is named twice. Name each once.")
    return crossed


def _check_scores(clean: pd.DataFrame, column: str, source: str) -> None:
    known = clean["target"].notna()
    bad = clean[known & ~np.isfinite(clean["score"])]
    if len(bad):
        raise MetricError(
            f"{source}: {column} is not finite in {len(bad)} labelled rows "
            f"(first: sample {bad['sample_id'].iloc[0]}, received {bad['score'].iloc[0]:g}). "
            "Score these samples again, or leave them out and say so."
        )
    outside = clean["score"][known & ((clean["score"] < 0) | (clean["score"] > 1))]
    if column != "score" and len(outside):
        raise MetricError(
            f"{source}: {column} holds {len(outside)} values outside [0, 1] (from {outside.min():.3g} to {outside.max():.3g}): "
            "these look like logits; calibrate them first, or name the column `score` to rank by it alone."
        )


def _check_unique(clean: pd.DataFrame, source: str) -> None:
    twice = clean[clean.duplicated(["sample_id", "finding"])]
    if len(twice):
        first = twice.iloc[0]
        raise MetricError(
            f"{source}: {len(twice)} rows repeat a sample and finding "
            f"(first: sample {first['sample_id']}, {first['finding']}). "
            "Keep one row for each."
        )


def require_two_classes(table: AuditTable, source: str = "predictions") -> None:
    """Refuses a table in which no finding is both present and absent.

    Raises:
        MetricError: Nothing can be told apart.
    """
    clean = table.frame
    classes = clean.dropna(subset=["target"]).groupby("finding")["target"].nunique()
    if not (classes == 2).any():
        values = sorted(clean["target"].dropna().unique())
        held = f"only {values[0]:g}" if values else "no label at all"
        raise MetricError(
            f"{source}: every finding has one class ({held}), so nothing can be told apart. "
            "Give samples with and without the finding."
        )
