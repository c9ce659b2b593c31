"""Differences between subgroups, and what may be said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.attributes import complete
from medclassify.audit.cells import Cell, FindingCells, finding_cells
from medclassify.audit.gap_row import COMPLEMENT, METRICS, GapRow, blank_gap, filled_gap, gaps_frame, with_adjusted
from medclassify.audit.replicates import Replicates, replicate_table
from medclassify.audit.simultaneous import with_simultaneous
from medclassify.audit.table import AuditTable, audit_table
from medclassify.errors import ManifestError


def gap_table(
    predictions: pd.DataFrame | AuditTable,
    *,
    attributes: Sequence[str] = (),
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    references: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compares subgroups; the columns of ``gaps.csv``. See `gap_rows`."""
    table = audit_table(predictions, attributes)
    return gaps_frame(gap_rows(table, margin=margin, bootstrap=bootstrap, seed=seed, references=references))


def gap_rows(
    table: AuditTable,
    *,
    margin: float,
    bootstrap: int,
    seed: int,
    references: Mapping[str, str] | None = None,
    replicates: Replicates | None = None,
) -> list[GapRow]:
    """Compares every subgroup with its attribute's reference, and with all others where there are three or more.

    AUROC by unpaired DeLong (Obuchowski where a patient repeats), by a bootstrap over patients where a patient stands in
    both groups; sensitivity and specificity by Newcombe, likewise. Holm's and Benjamini–Hochberg's adjustments run over all
    findings and subgroups of one metric and one kind of reference, max-T intervals over those with a reference.

    Args:
        table: The checked predictions.
        margin: Gaps whose 95 % interval lies within ±margin pass.
        bootstrap: Patient resamples where a patient stands in both groups.
        seed: Their seed.
        references: Attribute → reference level; the largest group where none is declared.
        replicates: Of the table's figures, where they are at hand.

    Raises:
        ManifestError: A declared reference is no level of its attribute.
    """
    declared = references or {}
    for attribute, level in declared.items():
        if level not in table.levels.get(attribute, ()):
            has = ", ".join(table.levels.get(attribute, ())) or "nothing"
            raise ManifestError(f"reference {attribute}={level} is no subgroup of the table; {attribute} has: {has}.")
    with_rates = bool(table.frame["decision"].notna().any())
    chosen = {attribute: declared.get(attribute) or _largest(table, attribute) for attribute in table.attributes}
    cells = list(finding_cells(table))
    drawn = replicates or replicate_table(table, cells, standardise=(), bootstrap=bootstrap, seed=seed)
    rows = [
        row
        for each in cells
        for first, second in _pairs(each, chosen)
        for row in _compare(first, second, margin, bootstrap, seed, with_rates, drawn)
    ]
    return with_simultaneous(with_adjusted(rows), drawn)


def _largest(table: AuditTable, attribute: str) -> str:
    """The same reference for every finding: the level with most samples, where there is one in which nothing is missing."""
    sizes = table.frame.drop_duplicates("sample_id")[attribute].value_counts()
    levels = [level for level in table.levels[attribute] if complete(level)] or table.levels[attribute]
    return max(levels, key=lambda level: int(sizes.get(level, 0)))


def _pairs(cells: FindingCells, chosen: Mapping[str, str]) -> list[tuple[Cell, Cell]]:
    pairs = []
    for attribute, groups in cells.groups.items():
        reference = groups[chosen[attribute]]
        others = [cell for cell in groups.values() if cell is not reference]
        pairs += [(cell, reference) for cell in others]
        if len([level for level in groups if complete(level)]) > 2:
            pairs += [(cell, _rest(cell, groups)) for cell in groups.values()]
    return pairs


def _rest(cell: Cell, groups: Mapping[str, Cell]) -> Cell:
    rest = [other for other in groups.values() if other is not cell]
    names = ("positive", "score", "decision", "patients")
    return replace(
        rest[0], subgroup=COMPLEMENT, **{name: np.concatenate([getattr(one, name) for one in rest]) for name in names}
    )


def _compare(
    first: Cell, second: Cell, margin: float, bootstrap: int, seed: int, with_rates: bool, drawn: Replicates
) -> list[GapRow]:
    names = {
        metric: (first.finding, first.attribute, first.subgroup, second.subgroup, metric)
        for metric in (METRICS if with_rates else METRICS[:1])
    }
    empty = next((f"{cell.subgroup}: no labelled sample" for cell in (first, second) if cell.n == 0), "")
    if empty:
        return [blank_gap(each, margin, empty) for each in names.values()]
    replicates = _differences(first, second, drawn)
    options: dict[str, Any] = {"resamples": bootstrap, "seed": seed}
    pair = (first.positive, first.score, second.positive, second.score)
    ids: dict[str, Any] = {"patients1": first.patients, "patients2": second.patients}
    found = {"auroc": metrics.auroc_gap(*pair, **ids, **options, replicates=replicates.get("auroc"))}
    if with_rates:
        one, two = first.decided(), second.decided()
        if one.n and two.n:
            pair = (one.positive, one.decision == 1, two.positive, two.decision == 1)
            ids = {"patients1": one.patients, "patients2": two.patients}
            rates = {metric: replicates[metric] for metric in METRICS[1:] if metric in replicates}
            gaps = metrics.rate_gaps(*pair, **ids, **options, replicates=rates or None)
            found |= {metric: gaps[metric] for metric in METRICS[1:]}
    return [
        filled_gap(each, found[metric], margin, bootstrap) if metric in found else blank_gap(each, margin, "no threshold")
        for metric, each in names.items()
    ]


def _differences(first: Cell, second: Cell, drawn: Replicates) -> dict[str, NDArray[np.float64]]:
    """First minus second on every resample; nothing for all others together, which are no subgroup."""
    sides = {metric: (drawn.of(first, metric), drawn.of(second, metric)) for metric in METRICS}
    return {metric: one - two for metric, (one, two) in sides.items() if one is not None and two is not None}
