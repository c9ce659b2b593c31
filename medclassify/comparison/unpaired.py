"""Two tables about different samples: an external test set, or the same classifier some time later."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medclassify import metrics
from medclassify.audit.cells import Cell, finding_cells
from medclassify.comparison.pairing import Pair
from medclassify.comparison.rows import DifferenceRow, Place, difference_row, holm_adjusted, two_values
from medclassify.metrics.gap import Gap
from medclassify.metrics.score_shift import ScoreShift, score_shift
from medclassify.records import Estimate, Status


@dataclass(frozen=True, slots=True)
class Shift:
    """What may have changed about one finding besides how well it is found.

    Attributes:
        finding: The finding.
        scores: How far the scores lie apart.
        intercepts: Calibration intercept in either table; None where scores are no probabilities.
        slopes: Calibration slope likewise.
    """

    finding: str
    scores: ScoreShift
    intercepts: tuple[Estimate, Estimate] | None
    slopes: tuple[Estimate, Estimate] | None


@dataclass(frozen=True, slots=True)
class MixRow:
    """How many samples of either table a subgroup has."""

    attribute: str
    subgroup: str
    n_a: int
    n_b: int
    share_a: float
    share_b: float


def unpaired_rows(pair: Pair, *, margin: float, bootstrap: int, seed: int) -> list[DifferenceRow]:
    """Compares performance on different samples: second minus first, overall and in every subgroup.

    AUROC by unpaired DeLong (Obuchowski where a patient repeats), sensitivity, specificity and prevalence by Newcombe; by a
    bootstrap over patients where one stands in both tables. A difference may come from the samples as much as from the
    classifier.

    Args:
        pair: Tables that share no sample.
        margin: Differences whose 95 % interval lies within ±margin are equal within it.
        bootstrap: Patient resamples.
        seed: Their seed.
    """
    rows: list[DifferenceRow] = []
    for place, one, two in _places(pair):
        rows += _rows(place, one, two, margin, bootstrap, seed)
    return holm_adjusted(rows)


def shifts(pair: Pair) -> list[Shift]:
    """Scores and calibration of either table."""
    found = []
    for one, two in _cells(pair):
        cells = one["all", "all"], two["all", "all"]
        if not all(cell.n for cell in cells):
            continue
        scores = score_shift(cells[0].score, cells[1].score, patients1=cells[0].patients, patients2=cells[1].patients)
        intercepts = slopes = None
        if all(table.is_probability for table in pair.tables):
            intercepts, slopes = (_of_both(cells, each) for each in (metrics.calibration_intercept, metrics.calibration_slope))
        found.append(Shift(cells[0].finding, scores, intercepts, slopes))
    return found


def subgroup_mix(pair: Pair) -> list[MixRow]:
    """Who is in either table, counted by sample."""
    rows = []
    parts = [table.frame.drop_duplicates("sample_id") for table in pair.tables]
    for name, levels in pair.levels.items():
        for level in levels:
            counts = [int((part[name] == level).sum()) for part in parts]
            shares = [count / len(part) for count, part in zip(counts, parts, strict=True)]
            rows.append(MixRow(name, level, counts[0], counts[1], shares[0], shares[1]))
    return rows


_Cells = dict[tuple[str, str], Cell]


def _cells(pair: Pair) -> Iterator[tuple[_Cells, _Cells]]:
    """The cells of either table, finding by finding, with patient codes that mean the same patient in both."""
    known: dict[str, int] = {}
    sides: list[dict[str, _Cells]] = []
    for table in pair.tables:
        # cells number the patients in order of appearance
        names = pd.factorize(table.frame["patient_id"])[1]
        codes = np.array([known.setdefault(str(name), len(known)) for name in names], dtype=np.intp)
        sides.append({})
        for each in finding_cells(table):
            parts = [each.whole, *(cell for group in each.groups.values() for cell in group.values())]
            sides[-1][each.whole.finding] = {
                (cell.attribute, cell.subgroup): Cell(
                    cell.finding, cell.attribute, cell.subgroup, cell.positive, cell.score, cell.decision, codes[cell.patients]
                )
                for cell in parts
            }
    return ((sides[0][name], sides[1][name]) for name in pair.findings)


def _places(pair: Pair) -> Iterator[tuple[Place, Cell, Cell]]:
    for one, two in _cells(pair):
        for (attribute, level), a in one.items():
            b = two.get((attribute, level))
            if b is not None:
                yield Place(a.finding, attribute, level, (a.n, a.n_pos), (b.n, b.n_pos)), a, b


def _rows(place: Place, a: Cell, b: Cell, margin: float, bootstrap: int, seed: int) -> list[DifferenceRow]:
    if not a.n or not b.n:
        empty = "first" if not a.n else "second"
        nothing = Gap(Estimate(None, None, None, "", Status.NOT_ESTIMABLE, f"{empty} table: no labelled sample"), None)
        return [difference_row(place, "auroc", (None, None), nothing, margin)]
    options = {"patients1": b.patients, "patients2": a.patients, "resamples": bootstrap, "seed": seed}
    gap = metrics.auroc_gap(b.positive, b.score, a.positive, a.score, **options)
    values = (metrics.auroc(cell.positive, cell.score, patients=cell.patients).value for cell in (a, b))
    rows = [difference_row(place, "auroc", two_values(values), gap, margin)]
    one, two = a.decided(), b.decided()
    if one.n and two.n:
        who = {**options, "patients1": two.patients, "patients2": one.patients}
        gaps = metrics.rate_gaps(two.positive, two.decision == 1, one.positive, one.decision == 1, **who)
        rates = [metrics.rates(cell.positive, cell.decision == 1, patients=cell.patients) for cell in (one, two)]
        for metric in ("sensitivity", "specificity"):
            values = (each[metric].value for each in rates)
            rows.append(difference_row(place, metric, two_values(values), gaps[metric], margin))
    # the share that has the finding is the "sensitivity" of the labels among all samples
    ones = np.ones(b.n, dtype=bool), np.ones(a.n, dtype=bool)
    share = metrics.rate_gaps(ones[0], b.positive, ones[1], a.positive, **options)["sensitivity"]
    return [*rows, difference_row(place, "prevalence", (a.n_pos / a.n, b.n_pos / b.n), _said(share), margin)]


def _of_both(cells: tuple[Cell, Cell], statistic: Callable[..., Estimate]) -> tuple[Estimate, Estimate]:
    a, b = (statistic(cell.positive, cell.score, patients=cell.patients) for cell in cells)
    return a, b


def _said(gap: Gap) -> Gap:
    """The note of a prevalence speaks of samples."""
    found = gap.estimate
    note = found.note.replace("n_pos", "n")
    return Gap(
        Estimate(found.value, found.ci_low, found.ci_high, found.ci_method, found.status, note), gap.p, gap.statistic, gap.df
    )
