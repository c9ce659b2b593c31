"""Figures of a subgroup as they would be if it had the test set's mix of age and view: crude beside standardised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.cells import Cell, FindingCells
from medclassify.audit.gap_row import COMPLEMENT, METRICS, GapRow, blank_gap, filled_gap, with_adjusted
from medclassify.audit.replicates import STANDARDISED, Mix, Replicates, standardised_auroc
from medclassify.audit.simultaneous import gap_replicates, with_simultaneous
from medclassify.metrics.cells import MIN_CELL, MIN_DENOMINATOR, join_notes, not_estimable, status_of, worst
from medclassify.metrics.gap import bootstrap_gap
from medclassify.records import Estimate, EstimateRow, Status

BY = ("age", "age_band", "view")
"""Standardised by these unless others are named: the mix that differs most between hospitals, beside prevalence."""
LEAST_COVERED = 0.8
"""A subgroup that lacks more of the reference mix than this leaves is not standardised."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """One figure of one subgroup, crude and standardised.

    Attributes:
        finding: The finding.
        attribute: The attribute.
        subgroup: The level.
        metric: ``auroc``, ``sensitivity`` or ``specificity``.
        by: The attributes whose mix is held equal; presence of the finding is always one more.
        crude: As it is.
        standardised: With the reference mix.
        n_eff_pos: Kish's effective number of positives under the weights, or None.
        n_eff_neg: The same for negatives.
        covered: Share of the reference mix, in [0, 1], for which the subgroup has samples at all.
    """

    finding: str
    attribute: str
    subgroup: str
    metric: str
    by: tuple[str, ...]
    crude: Estimate
    standardised: Estimate
    n_eff_pos: float | None
    n_eff_neg: float | None
    covered: float


def standardised_rows(
    cells: Sequence[FindingCells], estimates: Mapping[tuple[str, str, str, str], EstimateRow], replicates: Replicates
) -> list[Standardised]:
    """Crude and standardised figures of every subgroup, where there is something to standardise by.

    Each class is weighted to its own reference mix, so that prevalence is held equal too: overall, and within every stratum.

    Args:
        cells: The cells of the table.
        estimates: (finding, attribute, subgroup, metric) → its estimate.
        replicates: Of the standardised figures, the weights made anew in each.

    Source:
        Direct standardisation: Rothman, Greenland & Lash, Modern Epidemiology, 3rd ed., chapter 3; effective number: Kish,
        Survey Sampling (1965).
    """
    rows = []
    for each in cells:
        for attribute, groups in each.groups.items():
            mix = replicates.mixes.get((each.whole.finding, attribute))
            if mix is None or not mix.by:
                continue
            for number, cell in enumerate(groups.values()):
                rows += _cell_rows(cell, mix, each.members[attribute] == number, estimates, replicates)
    return rows


def standardised_estimates(rows: Sequence[Standardised], estimates: Sequence[EstimateRow]) -> list[EstimateRow]:
    """The rows as those of ``estimates.csv``: ``auroc_standardised`` and so on, with the counts of the crude figure."""
    crude = {(row.finding, row.attribute, row.subgroup, row.metric): row for row in estimates}
    return [
        replace(
            crude[row.finding, row.attribute, row.subgroup, row.metric],
            metric=row.metric + STANDARDISED,
            estimate=row.standardised,
        )
        for row in rows
    ]


def standardised_gap_rows(
    rows: Sequence[Standardised], gaps: Sequence[GapRow], replicates: Replicates, margin: float
) -> list[GapRow]:
    """Subgroup minus reference of standardised figures, for every comparison with a reference."""
    found = {(row.finding, row.attribute, row.subgroup, row.metric): row.standardised for row in rows}
    done = []
    for gap in gaps:
        first, second = (found.get((gap.finding, gap.attribute, level, gap.metric)) for level in (gap.subgroup, gap.reference))
        if gap.reference != COMPLEMENT and first is not None and second is not None:
            done.append(_gap(gap, first, second, gap_replicates(gap, replicates, STANDARDISED), margin))
    return with_adjusted(with_simultaneous(done, replicates, STANDARDISED))


def _cell_rows(
    cell: Cell,
    mix: Mix,
    rows: NDArray[np.bool_],
    estimates: Mapping[tuple[str, str, str, str], EstimateRow],
    replicates: Replicates,
) -> list[Standardised]:
    stratum = mix.stratum[rows]
    counted = np.stack(
        [np.bincount(stratum[one], minlength=mix.share.shape[1]) for one in (cell.positive, ~cell.positive)]
    ).astype(np.float64)
    covered = (mix.share * (counted > 0)).sum(axis=1)
    n_eff = [_kish(share, n) for share, n in zip(mix.share, counted, strict=True)]
    done = []
    for metric in METRICS:
        crude = estimates.get((cell.finding, cell.attribute, cell.subgroup, metric))
        if crude is not None:
            needed = {"auroc": (0, 1), "sensitivity": (0,), "specificity": (1,)}[metric]
            held = min(n_eff[k] for k in needed), float(min(covered[k] for k in needed))
            estimate = _standardised(cell, mix, rows, metric, crude.estimate, held, replicates)
            names = cell.finding, cell.attribute, cell.subgroup, metric
            done.append(Standardised(*names, mix.by, crude.estimate, estimate, n_eff[0], n_eff[1], held[1]))
    return done


def _standardised(
    cell: Cell,
    mix: Mix,
    rows: NDArray[np.bool_],
    metric: str,
    crude: Estimate,
    held: tuple[float, float],
    replicates: Replicates,
) -> Estimate:
    if crude.value is None:
        return not_estimable(crude.note)
    least, covered = held
    if covered < LEAST_COVERED:
        return not_estimable(f"has samples for {covered:.0%} of the reference mix only")
    status = worst(crude.status, status_of(int(least), MIN_CELL if metric == "auroc" else MIN_DENOMINATOR))
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(f"effective n={least:.1f}")
    drawn = replicates.of(cell, metric + STANDARDISED)
    if drawn is None or np.isnan(drawn).all():
        return not_estimable("no resample defines it")
    found = metrics.percentiles(drawn)
    note = "" if status is Status.OK else f"effective n={least:.1f}"
    note = join_notes(note, "" if covered > 0.9999 else f"{covered:.0%} of the reference mix", found.note)
    return Estimate(_value(cell, mix, rows, metric), found.low, found.high, f"{found.method}, weighted", status, note)


def _value(cell: Cell, mix: Mix, rows: NDArray[np.bool_], metric: str) -> float:
    if metric == "auroc":
        once = np.ones((1, int(cell.patients.max()) + 1), np.uint16)
        return float(standardised_auroc(cell, mix, rows)(once)[0])
    side, wanted = (0, 1) if metric == "sensitivity" else (1, 0)
    here = (cell.positive if side == 0 else ~cell.positive) & ~np.isnan(cell.decision)
    n = np.bincount(mix.stratum[rows][here], minlength=mix.share.shape[1])
    right = np.bincount(mix.stratum[rows][here & (cell.decision == wanted)], minlength=mix.share.shape[1])
    share = mix.share[side] * (n > 0)
    return float((share * right / np.maximum(n, 1)).sum() / share.sum())


def _kish(share: NDArray[np.float64], n: NDArray[np.float64]) -> float:
    """(Σ weights)² / Σ weights², where the n samples of a stratum share its weight; 0 where there are none."""
    squared = float((share[n > 0] ** 2 / n[n > 0]).sum())
    return float(share[n > 0].sum()) ** 2 / squared if squared > 0 else 0.0


def _gap(crude: GapRow, first: Estimate, second: Estimate, drawn: NDArray[np.float64] | None, margin: float) -> GapRow:
    names = crude.finding, crude.attribute, crude.subgroup, crude.reference, crude.metric
    status = worst(first.status, second.status)
    if first.value is None or second.value is None or drawn is None:
        sides = (crude.subgroup, first), (crude.reference, second)
        notes = join_notes(*(f"{name}: {one.note}" for name, one in sides if one.value is None))
        return blank_gap(names, margin, notes)
    found = bootstrap_gap(first.value - second.value, drawn, 0.95, status, "")
    if found is None:
        return blank_gap(names, margin, "its resamples do not vary")
    return filled_gap(names, found, margin, drawn.size)
