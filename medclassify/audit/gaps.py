"""Differences between subgroups, and what may be said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from medclassify import metrics
from medclassify.audit.attributes import MISSING
from medclassify.audit.cells import Cell, FindingCells, finding_cells
from medclassify.audit.gap_row import COMPLEMENT, GapRow, GapVerdict, gaps_frame, verdict_of
from medclassify.audit.table import AuditTable, audit_table
from medclassify.errors import ManifestError
from medclassify.records import Status

METRICS = ("auroc", "sensitivity", "specificity")
_Z_95, _Z_POWER_80 = 1.959964, 0.841621


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
    table: AuditTable, *, margin: float, bootstrap: int, seed: int, references: Mapping[str, str] | None = None
) -> list[GapRow]:
    """Compares every subgroup with its attribute's reference, and with all others where there are three or more.

    AUROC by unpaired DeLong (Obuchowski where a patient repeats), by a bootstrap over patients where a patient stands in
    both groups; sensitivity and specificity by Newcombe, likewise. Holm's adjustment runs over all findings and subgroups
    of one metric and one kind of reference.

    Args:
        table: The checked predictions.
        margin: Gaps whose 95 % interval lies within ±margin pass.
        bootstrap: Patient resamples where a patient stands in both groups.
        seed: Their seed.
        references: Attribute → reference level; the largest group where none is declared.

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
    rows = [
        row
        for cells in finding_cells(table)
        for first, second in _pairs(cells, chosen)
        for row in _compare(first, second, margin, bootstrap, seed, with_rates)
    ]
    return _adjusted(rows)


def _largest(table: AuditTable, attribute: str) -> str:
    """The same reference for every finding: the level with the most samples, not ``missing`` while there is another."""
    sizes = table.frame.drop_duplicates("sample_id")[attribute].value_counts()
    levels = [level for level in table.levels[attribute] if level != MISSING] or [MISSING]
    return max(levels, key=lambda level: int(sizes.get(level, 0)))


def _pairs(cells: FindingCells, chosen: Mapping[str, str]) -> list[tuple[Cell, Cell]]:
    pairs = []
    for attribute, groups in cells.groups.items():
        reference = groups[chosen[attribute]]
        others = [cell for cell in groups.values() if cell is not reference]
        pairs += [(cell, reference) for cell in others]
        if len([level for level in groups if level != MISSING]) > 2:
            pairs += [(cell, _rest(cell, groups)) for cell in groups.values()]
    return pairs


def _rest(cell: Cell, groups: Mapping[str, Cell]) -> Cell:
    rest = [other for other in groups.values() if other is not cell]
    names = ("positive", "score", "decision", "patients")
    return replace(
        rest[0], subgroup=COMPLEMENT, **{name: np.concatenate([getattr(one, name) for one in rest]) for name in names}
    )


def _compare(first: Cell, second: Cell, margin: float, bootstrap: int, seed: int, with_rates: bool) -> list[GapRow]:
    wanted = METRICS if with_rates else METRICS[:1]
    empty = next((f"{cell.subgroup}: no labelled sample" for cell in (first, second) if cell.n == 0), "")
    if empty:
        return [_blank(first, second, metric, margin, empty) for metric in wanted]
    options = {"resamples": bootstrap, "seed": seed}
    pair = (first.positive, first.score, second.positive, second.score)
    found = {"auroc": metrics.auroc_gap(*pair, patients1=first.patients, patients2=second.patients, **options)}
    if with_rates:
        one, two = first.decided(), second.decided()
        if one.n and two.n:
            pair = (one.positive, one.decision == 1, two.positive, two.decision == 1)
            gaps = metrics.rate_gaps(*pair, patients1=one.patients, patients2=two.patients, **options)
            found |= {metric: gaps[metric] for metric in METRICS[1:]}
    return [
        _row(first, second, metric, found[metric], margin, bootstrap)
        if metric in found
        else _blank(first, second, metric, margin, "no threshold")
        for metric in wanted
    ]


def _row(first: Cell, second: Cell, metric: str, gap: metrics.Gap, margin: float, bootstrap: int) -> GapRow:
    estimate = gap.estimate
    note = estimate.note.replace("first group", first.subgroup).replace("second group", second.subgroup)
    if estimate.value is None or estimate.ci_low is None or estimate.ci_high is None:
        return _blank(first, second, metric, margin, note)
    error = (estimate.ci_high - estimate.ci_low) / (2 * _Z_95)
    detectable = (_Z_95 + _Z_POWER_80) * error
    verdict = verdict_of(estimate.ci_low, estimate.ci_high, margin, estimate.status)
    if verdict is GapVerdict.INSUFFICIENT:
        few = "too few for a verdict; " if estimate.status is Status.UNSTABLE else ""
        note = f"{few}smallest detectable gap {detectable:.3f}" + (f"; {note}" if note else "")
    names = (first.finding, first.attribute, first.subgroup, second.subgroup, metric)
    numbers = (estimate.value, estimate.ci_low, estimate.ci_high, _p(gap, error, bootstrap), None, estimate.ci_method)
    return GapRow(*names, *numbers, margin, verdict, estimate.status, detectable, note)


def _blank(first: Cell, second: Cell, metric: str, margin: float, note: str) -> GapRow:
    names = (first.finding, first.attribute, first.subgroup, second.subgroup, metric)
    empty = (None, None, None, None, None, "")
    return GapRow(*names, *empty, margin, GapVerdict.INSUFFICIENT, Status.NOT_ESTIMABLE, None, note)


def _p(gap: metrics.Gap, error: float, bootstrap: int) -> float | None:
    """A bootstrap's p cannot fall below 2/(B+1), which no adjustment over many comparisons survives: there, the normal's."""
    value, floor = gap.estimate.value, 2 / (bootstrap + 1)
    if gap.p is None or value is None or "bootstrap" not in gap.estimate.ci_method or gap.p > floor * 1.01:
        return gap.p
    return min(gap.p, float(2 * special.ndtr(-abs(value) / error))) if error > 0 else gap.p


def _adjusted(rows: list[GapRow]) -> list[GapRow]:
    """Adds Holm's p (Scandinavian Journal of Statistics 6:65, 1979) within each family."""
    families: dict[tuple[str, bool], list[int]] = {}
    for place, row in enumerate(rows):
        if row.p is not None:
            families.setdefault((row.metric, row.reference == COMPLEMENT), []).append(place)
    done = list(rows)
    for places in families.values():
        for place, adjusted in zip(places, metrics.adjusted_p([rows[place].p for place in places]), strict=True):
            done[place] = replace(rows[place], p_adjusted=adjusted)
    return done
