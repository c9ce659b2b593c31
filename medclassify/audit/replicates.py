"""Every figure that needs a bootstrap, for every finding and subgroup, on the same resamples of patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.cells import ALL, Cell, FindingCells
from medclassify.audit.table import AuditTable

Key = tuple[str, str, str, str]
RANKING = ("auroc", "auprc")
COUNTED = ("n_pos", "n_neg", "sensitivity", "specificity", "sensitivity_standardised", "specificity_standardised")
STANDARDISED = "_standardised"


@dataclass(frozen=True, eq=False)
class Mix:
    """The reference mix of one finding, for the subgroups of one attribute.

    Attributes:
        by: The attributes whose values make the strata; none where there is nothing to standardise by.
        stratum: intp (n,), the stratum of each labelled sample of the finding.
        share: float64 (2, strata), the share of each stratum among positives and among negatives of the whole test set.
    """

    by: tuple[str, ...]
    stratum: NDArray[np.intp]
    share: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replicates:
    """Replicates of figures on shared resamples.

    Attributes:
        figures: (finding, attribute, subgroup, metric) → float64 (B,), NaN where a resample left it undefined.
        mixes: (finding, attribute) → its reference mix.
    """

    figures: Mapping[Key, NDArray[np.float64]]
    mixes: Mapping[tuple[str, str], Mix]

    def of(self, cell: Cell, metric: str) -> NDArray[np.float64] | None:
        """A figure of a cell, or None where it has too few samples for any."""
        return self.figures.get((cell.finding, cell.attribute, cell.subgroup, metric))


def replicate_table(
    table: AuditTable,
    cells: Sequence[FindingCells],
    *,
    standardise: Sequence[str],
    bootstrap: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Replicates:
    """Resamples the patients of a table.

    Args:
        table: The checked predictions.
        cells: Its cells.
        standardise: Attributes whose mix is held equal, those of them that the table has.
        bootstrap: Resamples.
        seed: Their seed.
        progress: Called with (done, total) resamples.
    """
    keys: list[list[Key]] = []
    statistics: list[metrics.Statistic] = []
    mixes: dict[tuple[str, str], Mix] = {}

    def add(cell: Cell, names: Sequence[str], statistic: metrics.Statistic) -> None:
        keys.append([(cell.finding, cell.attribute, cell.subgroup, name) for name in names])
        statistics.append(statistic)

    for each in cells:
        whole = each.whole
        if not whole.n:
            continue
        if ranked(whole):
            add(whole, RANKING, metrics.WeightedRanking(whole.positive, whole.score, whole.patients))
        frame = table.frame.iloc[each.rows]
        for attribute, groups in {ALL: {ALL: whole}, **each.groups}.items():
            mix = mixes[whole.finding, attribute] = reference_mix(table, frame, whole, attribute, standardise)
            member = each.members.get(attribute, np.zeros(whole.n, np.intp))
            keys.append([(whole.finding, attribute, level, name) for level in groups for name in COUNTED])
            statistics.append(_CountedFigures(whole, member, len(groups), mix))
            for number, cell in enumerate(groups.values()):
                if attribute == ALL or not ranked(cell):
                    continue
                add(cell, RANKING, metrics.WeightedRanking(cell.positive, cell.score, cell.patients))
                if mix.by:
                    add(cell, ("auroc" + STANDARDISED,), standardised_auroc(cell, mix, member == number))
    n_patients = cells[0].n_patients if cells else 0
    drawn = metrics.replicate_each(statistics, n_patients, resamples=bootstrap, seed=seed, progress=progress)
    pairs = (zip(names, np.atleast_2d(rows), strict=True) for names, rows in zip(keys, drawn, strict=True))
    return Replicates(dict(chain.from_iterable(pairs)), mixes)


def ranked(cell: Cell) -> bool:
    """It has both classes, so that an AUROC exists."""
    return 0 < cell.n_pos < cell.n


def standardised_auroc(cell: Cell, mix: Mix, rows: NDArray[np.bool_]) -> metrics.StandardisedAuroc:
    """The statistic of one cell; ``rows`` are its samples among the finding's."""
    return metrics.StandardisedAuroc(cell.positive, cell.score, cell.patients, mix.stratum[rows], mix.share)


def reference_mix(table: AuditTable, frame: pd.DataFrame, whole: Cell, attribute: str, standardise: Sequence[str]) -> Mix:
    """The mix of the whole test set, by what is neither the attribute itself nor a part of it."""
    own = {attribute, *table.intersections.get(attribute, ())}
    by = tuple(name for name in standardise if name in table.levels and name not in own)
    if attribute == ALL or not by:
        return Mix((), np.zeros(whole.n, np.intp), np.ones((2, 1)))
    codes = np.zeros(whole.n, np.intp)
    for name in by:
        codes = codes * len(table.levels[name]) + _codes(frame[name], table.levels[name])
    stratum = np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.intp)
    counted = np.stack([np.bincount(stratum[rows], minlength=stratum.max() + 1) for rows in (whole.positive, ~whole.positive)])
    return Mix(by, stratum, counted / np.maximum(counted.sum(axis=1, keepdims=True), 1))


def _codes(column: pd.Series, levels: Sequence[str]) -> NDArray[np.intp]:
    """The number of each row's level."""
    return pd.Categorical(column, categories=list(levels)).codes.astype(np.intp)


class _CountedFigures:
    """Figures that only need counting, of all subgroups of one attribute: ``COUNTED`` for each, (subgroups · 6, b)."""

    def __init__(self, whole: Cell, member: NDArray[np.intp], groups: int, mix: Mix) -> None:
        called = np.where(np.isnan(whole.decision), 2, np.where(whole.decision == 1, 0, 1)).astype(np.intp)
        self._shape = groups, mix.share.shape[1], 2, 3
        place = np.ravel_multi_index((member, mix.stratum, (~whole.positive).astype(np.intp), called), self._shape)
        self._counts = metrics.WeightedCounts(place, int(np.prod(self._shape)), whole.patients)
        self._share = mix.share.T[None, :, :, None]

    def __call__(self, counts: NDArray[np.uint16]) -> NDArray[np.float64]:
        counted = self._counts(counts).reshape(*self._shape, -1)
        classes = counted.sum(axis=(1, 3))
        yes, no = counted[:, :, :, 0], counted[:, :, :, 1]
        crude = _divided(yes.sum(axis=1), (yes + no).sum(axis=1))
        decided = yes + no
        weight = self._share * (decided > 0)
        held = _divided((weight * _divided(yes, decided, 0.0)).sum(axis=1), weight.sum(axis=1))
        parts = [classes[:, 0], classes[:, 1], crude[:, 0], 1 - crude[:, 1], held[:, 0], 1 - held[:, 1]]
        return np.stack(parts, axis=1).reshape(-1, counted.shape[-1])


def _divided(part: NDArray[np.float64], whole: NDArray[np.float64], empty: float = np.nan) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), empty), where=whole > 0)
