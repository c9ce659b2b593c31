"""Two predictions tables, checked and joined on ``sample_id``; never by the order of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from medclassify.audit import AuditTable, audit_table
from medclassify.audit.attributes import subgroup_levels
from medclassify.errors import ManifestError, MetricError

_ONE = "finding"


class Named(NamedTuple):
    """A predictions table as it was read, and what messages call it."""

    name: str
    frame: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Pair:
    """Two classifiers' predictions.

    Attributes:
        names: What the two are called.
        tables: The checked tables, of the findings that both have.
        joined: One row a shared sample and finding that both tables label: ``sample_id, finding, target, patient_id``,
            ``score_a, decision_a, score_b, decision_b``, attributes; None where the tables share no sample.
        only: Sample ids that only the first, and that only the second has.
        findings_only: Findings that only the first, and that only the second has.
        levels: Attribute → subgroups, cut alike in both tables.
        notes: What a reader must know.
    """

    names: tuple[str, str]
    tables: tuple[AuditTable, AuditTable]
    joined: pd.DataFrame | None
    only: tuple[tuple[str, ...], tuple[str, ...]]
    findings_only: tuple[tuple[str, ...], tuple[str, ...]]
    levels: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        return tuple(name for name in self.tables[0].findings if name in self.tables[1].findings)

    @property
    def shared(self) -> int:
        """Samples that stand in both tables."""
        first, second = (set(table.frame["sample_id"]) for table in self.tables)
        return len(first & second)


def pair_tables(first: Named, second: Named, attributes: Sequence[str] = ()) -> Pair:
    """Checks two predictions tables (see ``audit.audit_table``) and finds out whether they are about the same samples.

    Args:
        first: What stands.
        second: What is held against it.
        attributes: Columns to compare by; a table that shares samples takes them from the first.

    Raises:
        ManifestError: A column is missing, no finding is in both, or an attribute is no column.
        MetricError: A score or label that no statistic can be computed from; one sample has two labels.
    """
    for named in (first, second):
        if "sample_id" not in named.frame:
            raise ManifestError(
                f"{named.name}: no column sample_id, and rows are never joined by their order. "
                "Add it, with the same ids in both tables where the samples are the same."
            )
    frames, levels, notes = _same_levels(_same_findings(first, second), attributes)
    tables = tuple(
        audit_table(frame, [name for name in attributes if name in frame], source=named.name)
        for named, frame in zip((first, second), frames, strict=True)
    )
    findings = [set(table.findings) for table in tables]
    if not findings[0] & findings[1]:
        raise ManifestError(
            f"{second.name}: no finding of {first.name} is in it: {', '.join(tables[0].findings)} against "
            f"{', '.join(tables[1].findings)}. Name them alike in both tables."
        )
    one, two = (set(table.frame["sample_id"]) for table in tables)
    for table, named in zip(tables, (first, second), strict=True):
        notes += [f"{named.name}: {note}" for note in table.notes]
        if not (one & two) and (missing := [name for name in attributes if name not in named.frame]):
            raise ManifestError(f"{named.name}: no column {missing[0]!r} to compare by. Correct --attributes.")
    return Pair(
        (first.name, second.name),
        (tables[0], tables[1]),
        _joined(tables, (first.name, second.name), notes) if one & two else None,
        (tuple(sorted(one - two)), tuple(sorted(two - one))),
        (tuple(sorted(findings[0] - findings[1])), tuple(sorted(findings[1] - findings[0]))),
        levels,
        tuple(dict.fromkeys(notes)),
    )


def _same_findings(first: Named, second: Named) -> list[pd.DataFrame]:
    """A table about one finding that does not name it is about the other table's one finding."""
    named = [each.frame["finding"].dropna().unique() for each in (first, second) if "finding" in each.frame]
    only = str(named[0][0]) if len(named) == 1 and len(named[0]) == 1 else _ONE
    return [each.frame if "finding" in each.frame else each.frame.assign(finding=only) for each in (first, second)]


def _same_levels(
    frames: Sequence[pd.DataFrame], attributes: Sequence[str]
) -> tuple[list[pd.DataFrame], dict[str, tuple[str, ...]], list[str]]:
    """Cuts numbers and gathers rare levels over both tables at once: quarters of two tables would be two things."""
    done, levels, notes = [frame.reset_index(drop=True) for frame in frames], {}, list[str]()
    for name in attributes:
        holding = [place for place, frame in enumerate(done) if name in frame]
        if 0 not in holding:
            raise ManifestError(f"--attributes {name}: no column of the first table. Correct --attributes.")
        text, levels[name] = subgroup_levels(
            pd.concat([done[place][name] for place in holding], ignore_index=True), name, notes
        )
        start = 0
        for place in holding:
            stop = start + len(done[place])
            kept = pd.Categorical(text.iloc[start:stop], categories=list(levels[name]), ordered=True)
            done[place] = done[place].assign(**{name: kept})
            start = stop
    return done, levels, notes


def _joined(tables: Sequence[AuditTable], names: tuple[str, str], notes: list[str]) -> pd.DataFrame:
    key = ["sample_id", "finding"]
    columns = ["target", "score", "decision", "patient_id"]
    second = tables[1].frame[[*key, *columns]]
    both = tables[0].frame.drop(columns="threshold").merge(second, on=key, suffixes=("_a", "_b"), validate="one_to_one")
    known = both["target_a"].notna() & both["target_b"].notna()
    one_sided = int((both["target_a"].notna() ^ both["target_b"].notna()).sum())
    if one_sided:
        notes.append(f"{one_sided} rows are labelled in one of the tables only and are left out.")
    both = both[known].reset_index(drop=True)
    if (wrong := both["target_a"] != both["target_b"]).any():
        row = both[wrong].iloc[0]
        raise MetricError(
            f"{names[1]}: {int(wrong.sum())} labels differ from those of {names[0]} (first: sample {row['sample_id']}, "
            f"{row['finding']}: {row['target_b']:g} against {row['target_a']:g}). Score both against the same labels."
        )
    return both.rename(columns={"target_a": "target"}).drop(columns="target_b").pipe(_one_patient_column, notes)


def _one_patient_column(both: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Keeps the grouping with fewer patients: the other lacks ids, or takes one patient for several."""
    counts = {side: both[f"patient_id_{side}"].nunique() for side in "ab"}
    pairs = len(both.drop_duplicates(["patient_id_a", "patient_id_b"]))
    if {pairs} != set(counts.values()):
        notes.append(
            f"The tables group samples into patients differently ({counts['a']} and {counts['b']} patients); "
            "the grouping with fewer patients is used."
        )
    kept, dropped = ("patient_id_a", "patient_id_b") if counts["a"] <= counts["b"] else ("patient_id_b", "patient_id_a")
    return both.rename(columns={kept: "patient_id"}).drop(columns=dropped)
