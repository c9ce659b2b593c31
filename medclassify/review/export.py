"""Readings as files: all of them, and the labels that they come to, which `index` reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medclassify.errors import ReviewError
from medclassify.manifest import Manifest
from medclassify.records import Presence, ReadingState
from medclassify.runs import atomic_path

_LABELS = {Presence.PRESENT.value: 1, Presence.ABSENT.value: 0, Presence.UNSURE.value: -1}
UNCERTAIN = -1


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What became of readings as labels.

    Attributes:
        samples: Samples with at least one finding that was read.
        settled: Labels that all finished readers, or an adjudicator, agree on.
        changed: Of these, how many differ from the label before.
        disputed: Labels that readers disagree on and nobody has settled: written as -1, uncertain.
        unknown: Findings beyond the run's own, which a reader added: they have no column.
    """

    samples: int
    settled: int
    changed: int
    disputed: int
    unknown: int


def write_readings(table: pd.DataFrame, path: Path) -> None:
    """Writes `review.answers` as CSV or Parquet, by the file's suffix.

    In CSV, text that a spreadsheet would take for a formula gets an apostrophe before it.

    Raises:
        ReviewError: The suffix is neither.
        StorageError: The disk is full or read-only.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise ReviewError(f"{path}: readings are written as .csv or .parquet. Give the file one of these endings.")
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            table.map(_not_a_formula).to_csv(temporary, index=False)
        else:
            table.astype({name: "str" for name in ("target", "decision") if table[name].dtype == object}).to_parquet(temporary)


def review_labels(manifest: Manifest, table: pd.DataFrame) -> tuple[pd.DataFrame, LabelCounts]:
    """The run's labels with what was read in place of what was there.

    An adjudicator's call counts first; else what all finished readers of a finding end with, by their second read. Samples keep
    their split: a reviewed test sample stays one, lest the test split loses just the samples that were hard.

    Args:
        manifest: The run's.
        table: Of `review.answers`, of all readers.

    Returns:
        One row a sample: a key (``sop_uid``, or ``path`` where not every sample has one of its own), ``split``, ``reviewed``
        (yes, no), the attributes and the findings.
    """
    done = table.loc[(table["state"] == ReadingState.DONE.value) & table["final_presence"].notna()]
    known = done.loc[done["finding"].isin(manifest.findings)]
    calls = known["adjudicated"].where(known["adjudicated"].notna(), known["final_presence"]).map(_LABELS)
    grouped = calls.groupby([known["sample_id"], known["finding"]])
    labels = grouped.first().where(grouped.nunique() == 1, UNCERTAIN).astype("Int8")
    wide = labels.unstack("finding").reindex(manifest.frame["sample_id"]) if len(labels) else pd.DataFrame()
    frame = manifest.frame
    findings, changed = {}, 0
    for name in manifest.findings:
        before = frame[name].astype("Int8")
        new = wide[name].array if name in wide.columns else pd.array([pd.NA] * len(frame), "Int8")
        new = pd.Series(new, index=frame.index, dtype="Int8")
        changed += int((new.notna() & ~new.eq(before).fillna(False)).sum())
        findings[name] = new.where(new.notna(), before)
    reviewed = frame["sample_id"].isin(known["sample_id"].unique().tolist())
    key = "sop_uid" if frame["sop_uid"].notna().all() and frame["sop_uid"].is_unique else "path"
    written = frame[[key, "split", *_attributes(manifest)]].assign(
        reviewed=reviewed.map({True: "yes", False: "no"}), **findings
    )
    disputed = int((grouped.nunique() > 1).sum())
    unknown = int((~done["finding"].isin(manifest.findings)).sum())
    return written, LabelCounts(int(reviewed.sum()), len(labels) - disputed, changed, disputed, unknown)


def write_labels(labels: pd.DataFrame, path: Path) -> None:
    """Writes `review_labels` as the CSV that `index` reads.

    Raises:
        ReviewError: The suffix is not .csv.
        StorageError: The disk is full or read-only.
    """
    if path.suffix != ".csv":
        raise ReviewError(f"{path}: labels are written as .csv. Give the file that ending.")
    with atomic_path(path) as temporary:
        labels.to_csv(temporary, index=False)


def _attributes(manifest: Manifest) -> Sequence[str]:
    return [name for name in manifest.attributes if name not in ("reviewed",)]


def _not_a_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
