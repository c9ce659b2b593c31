"""Resampling patients: each replicate recomputes the whole statistic, by weights on scores that are sorted once.

A resample of patients is a vector of counts, how often each was drawn. A statistic of the resample is the statistic of
the original rows weighted by their patient's count, so nothing is copied or sorted again; many statistics share one draw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medclassify.metrics.checks import check_count, check_level
from medclassify.metrics.ranks import tie_groups

RESAMPLES = 2000
_BLOCK_COUNTS = 1 << 18


class Statistic(Protocol):
    """Something to be computed for every resample."""

    def __call__(self, counts: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Computes float64 (b,) from counts uint8 (b, n_patients); NaN where the resample leaves it undefined."""
        ...


def draw_patients(n_patients: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Draws patients with replacement.

    Args:
        n_patients: How many patients there are to draw from, and how many each resample draws.
        resamples: How many resamples in all.
        seed: The same seed gives the same draws, whatever they are used for.

    Yields:
        Blocks of counts, uint8 (b, n_patients); each row adds up to n_patients.
    """
    check_count(resamples, 100, "resamples")
    generator = np.random.default_rng(seed)
    block = max(1, min(resamples, _BLOCK_COUNTS // max(n_patients, 1)))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, n_patients, size=(rows, n_patients))
        drawn += (np.arange(rows) * n_patients)[:, None]
        # A count follows Binomial(n, 1/n), close to Poisson(1): 255 is never reached.
        yield np.bincount(drawn.ravel(), minlength=rows * n_patients).astype(np.uint8).reshape(rows, n_patients)


def replicate(statistics: Sequence[Statistic], n_patients: int, *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Computes several statistics on the same resamples of patients.

    Returns:
        float64 (len(statistics), resamples), NaN where a resample left a statistic undefined.
    """
    if not statistics:
        return np.empty((0, resamples))
    blocks = [
        np.stack([statistic(counts) for statistic in statistics])
        for counts in draw_patients(n_patients, resamples=resamples, seed=seed)
    ]
    return np.concatenate(blocks, axis=1)


def replicate_ratios(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Computes ratios of sums (rates, means) on the same resamples of patients.

    Args:
        numerators: float64 (n_patients, k), what each patient adds to the numerator of each ratio.
        denominators: float64 (n_patients, k), likewise.
        resamples: How many resamples.
        seed: Their seed.

    Returns:
        float64 (k, resamples), NaN where a denominator is 0.
    """
    sums = np.concatenate([numerators, denominators], axis=1)
    draws = draw_patients(len(sums), resamples=resamples, seed=seed)
    over, under = np.split(np.concatenate([counts.astype(np.float64) @ sums for counts in draws]).T, 2)
    return np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """A percentile interval of replicates, and how many of them were undefined."""

    low: float
    high: float
    failed: int
    resamples: int

    @property
    def method(self) -> str:
        return f"patient-bootstrap percentile (B={self.resamples})"

    @property
    def note(self) -> str:
        return f"{self.failed} of {self.resamples} resamples undefined" if self.failed else ""


def percentiles(replicates: NDArray[np.float64], level: float = 0.95) -> Percentiles:
    """The central ``level`` share of the defined replicates, float64 (B,); (NaN, NaN) where none is defined."""
    tail = (1 - check_level(level)) / 2
    defined = replicates[~np.isnan(replicates)]
    low, high = np.quantile(defined, [tail, 1 - tail]) if defined.size else (np.nan, np.nan)
    return Percentiles(float(low), float(high), replicates.size - defined.size, replicates.size)


class _WeightedRanks:
    """Rows sorted from the highest score down; weights are summed only where a run of equal scores holds a positive."""

    def __init__(self, positive: NDArray[np.bool_], score: NDArray[np.float64], codes: NDArray[np.intp]) -> None:
        order = np.argsort(-score)
        is_positive = positive[order]
        tie = tie_groups(-score[order])
        self._codes = codes[order]
        self._positive_codes = self._codes[is_positive]
        groups, self._starts = np.unique(tie[is_positive], return_index=True)
        self._tied_positives = groups.size < self._positive_codes.size
        self._first = np.searchsorted(tie, groups, side="left")
        self._last = np.searchsorted(tie, groups, side="right") - 1
        self._tied_classes = bool((self._last - self._first + 1).sum() > self._positive_codes.size)

    def _positives(self, counts: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The weight of the positives in each run of equal scores, int32 (b, runs)."""
        positives = counts.take(self._positive_codes, axis=1).astype(np.int32)
        return np.add.reduceat(positives, self._starts, axis=1) if self._tied_positives else positives

    def _rows(self, counts: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Cumulated weight of all rows, int32 (b, n), and what each line of it starts from, int32 (b, 1).

        One running sum goes through all resamples: along the rows of a matrix it is eight times slower.
        """
        weights = counts.take(self._codes, axis=1, mode="clip")  # without a bounds check: a third faster
        cumulated = np.cumsum(weights.ravel(), dtype=np.int32).reshape(weights.shape)
        return cumulated, np.concatenate(([0], cumulated[:-1, -1]), dtype=np.int32)[:, None]


class WeightedAuroc(_WeightedRanks):
    """AUROC of the drawn rows; NaN where one class was not drawn. ``codes`` are the rows' patients, intp (n,)."""

    def __call__(self, counts: NDArray[np.uint8]) -> NDArray[np.float64]:
        in_run = self._positives(counts)
        cumulated, start = self._rows(counts)
        positives = np.cumsum(in_run, axis=1)
        n_pos = positives[:, -1:]
        n_neg = cumulated[:, -1:] - start - n_pos
        down_to = cumulated.take(self._last, axis=1) - start
        outranked = (n_neg - (down_to - positives)).astype(np.float64)
        if self._tied_classes:
            above = np.where(self._first > 0, cumulated[:, self._first - 1] - start, 0)
            outranked += 0.5 * (down_to - above - in_run)
        won = np.einsum("br,br->b", in_run, outranked)
        pairs = n_pos[:, 0].astype(np.float64) * n_neg[:, 0]
        return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


class WeightedAveragePrecision(_WeightedRanks):
    """Average precision of the drawn rows; NaN where no positive was drawn."""

    def __call__(self, counts: NDArray[np.uint8]) -> NDArray[np.float64]:
        in_run = self._positives(counts)
        cumulated, start = self._rows(counts)
        positives = np.cumsum(in_run, axis=1)
        down_to = cumulated.take(self._last, axis=1) - start
        gained = np.einsum("br,br->b", in_run, positives / np.maximum(down_to, 1))
        n_pos = positives[:, -1].astype(np.float64)
        return np.divide(gained, n_pos, out=np.full(len(n_pos), np.nan), where=n_pos > 0)
