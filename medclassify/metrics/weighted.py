"""AUROC and average precision of rows with weights, for many sets of weights at once, from scores that are sorted once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from medclassify.metrics.ranks import tie_groups

_BLOCK_RUNS = 1 << 15
_PIECE = 257
"""Rows whose weights add up to less than 2¹⁶, for no patient is drawn more than 255 times."""


class _RunSums:
    """Adds up rows by run for a block of resamples: a sparse matrix of ones times the patients' counts.

    A patient's counts lie side by side, so that a row of the table is read once for the whole block. Sums are of 16 bits, for
    half the bits are half the memory to read; a longer run is summed in pieces.
    """

    def __init__(
        self, codes: NDArray[np.intp], run: NDArray[np.intp], runs: int, n_patients: int, dtype: type = np.uint16
    ) -> None:
        starts = np.searchsorted(run, np.arange(runs + 1))  # ``run`` rises
        pieces = _pieces(np.diff(starts))
        self._first = np.cumsum(pieces) - pieces
        bounds = np.append(np.repeat(starts[:-1], pieces) + _within(pieces) * _PIECE, starts[-1])
        ones = np.ones(codes.size, dtype)
        self._matrix = sparse.csr_array((ones, codes, bounds), shape=(bounds.size - 1, n_patients))

    def __call__(self, by_patient: NDArray[Any]) -> NDArray[Any]:
        """Sums (runs, b), from counts (n_patients, b)."""
        sums = self._matrix @ by_patient
        wide = np.float64 if sums.dtype.kind == "f" else np.int64
        return sums if self._first.size == len(sums) else np.add.reduceat(sums, self._first, axis=0, dtype=wide)


def _pieces(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many pieces rows are cut into, at least one."""
    return np.maximum(1, -(-lengths // _PIECE))


def _within(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """0 … size − 1 for each size, in one array."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


class _WeightedRanks:
    """Rows sorted from the highest score down. A run ends with equal scores that hold a positive; only runs are cumulated."""

    _weights: type = np.uint16

    def __init__(self, positive: NDArray[np.bool_], score: NDArray[np.float64], codes: NDArray[np.intp]) -> None:
        order = np.argsort(-score)
        is_positive, codes = positive[order], codes[order]
        tie = tie_groups(-score[order])
        with_positive = np.unique(tie[is_positive])
        run = np.searchsorted(with_positive, tie)  # negatives behind the last positive are the last run
        tied = ~is_positive & (np.append(with_positive, -1)[run] == tie)
        # Many negatives in a row are runs of their own, without a positive: those change neither statistic.
        negatives = np.bincount(run[~is_positive], minlength=with_positive.size + 1)
        last = np.cumsum(_pieces(negatives)) - 1
        place = last[run]
        place[~is_positive] += _within(negatives) // _PIECE - _pieces(negatives)[run[~is_positive]] + 1
        self._runs, self._n_patients = int(last[-1]) + 1, int(codes.max()) + 1
        self._positives, self._negatives = self._sums(codes, place, is_positive), self._sums(codes, place, ~is_positive)
        self._tied = self._sums(codes, last[run], tied) if tied.any() else None
        self._lines = max(1, _BLOCK_RUNS // self._runs)
        # A patient is drawn 255 times at the most; half the bits are cumulated ten times as fast.
        self._dtype = np.int32 if 255 * codes.size * self._lines < 2**31 else np.int64

    def _sums(self, codes: NDArray[np.intp], run: NDArray[np.intp], rows: NDArray[np.bool_]) -> _RunSums:
        return _RunSums(codes[rows], run[rows], self._runs, self._n_patients, self._weights)

    def __call__(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Computes float64 (b,) from counts (b, n_patients), best uint16 and resample by resample in memory."""
        by_patient = np.ascontiguousarray(counts.T[: self._n_patients], dtype=np.uint16)
        return self._computed([one(by_patient) for one in (self._positives, self._negatives, self._tied) if one])

    def _computed(self, sums: list[NDArray[Any]]) -> NDArray[np.float64]:
        """The statistic from sums (runs, b), a few resamples at a time."""
        parts = [
            self._statistic(*(np.ascontiguousarray(each[:, start : start + self._lines].T) for each in sums))
            for start in range(0, sums[0].shape[1], self._lines)
        ]
        return np.concatenate(parts, axis=-1) if parts else np.empty(0)

    def _statistic(self, positives: NDArray[Any], negatives: NDArray[Any], tied: Any = 0) -> NDArray[np.float64]:
        """The statistic from the weights of each run, (b, runs): positives, all negatives, negatives in its ties."""
        raise NotImplementedError

    def _running(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Running sums along each line. One goes through all: along the rows of a matrix numpy is eight times slower."""
        sums = np.cumsum(weights.ravel(), dtype=self._dtype).reshape(weights.shape)
        sums[1:] -= sums[:-1, -1:].copy()
        return sums


class WeightedAuroc(_WeightedRanks):
    """AUROC of the drawn rows; NaN where one class was not drawn. ``codes`` are the rows' patients, intp (n,)."""

    def _statistic(self, positives: NDArray[Any], negatives: NDArray[Any], tied: Any = 0) -> NDArray[np.float64]:
        return _auroc(positives, self._running(negatives), tied)


class WeightedAveragePrecision(_WeightedRanks):
    """Average precision of the drawn rows; NaN where no positive was drawn."""

    def _statistic(self, positives: NDArray[Any], negatives: NDArray[Any], tied: Any = 0) -> NDArray[np.float64]:
        return _average_precision(positives, self._running(positives), self._running(negatives))


class WeightedRanking(_WeightedRanks):
    """Both, (2, b): AUROC and average precision, from the same sums."""

    def _statistic(self, positives: NDArray[Any], negatives: NDArray[Any], tied: Any = 0) -> NDArray[np.float64]:
        above = self._running(negatives)
        area = _auroc(positives, above, tied)
        return np.stack([area, _average_precision(positives, self._running(positives), above)])


class StandardisedAuroc(WeightedAuroc):
    """AUROC of the drawn rows with each class weighted to a given mix of strata; the weights are made anew for every resample.

    A row of stratum s weighs share of s in the mix ÷ rows of s that were drawn, among its class. Strata of which no row was
    drawn are left out. NaN where one class was not drawn.
    """

    _weights = np.float64

    def __init__(
        self,
        positive: NDArray[np.bool_],
        score: NDArray[np.float64],
        codes: NDArray[np.intp],
        stratum: NDArray[np.intp],
        mix: NDArray[np.float64],
    ) -> None:
        """``stratum`` is intp (n,), numbered from 0; ``mix`` float64 (2, strata): shares among positives, among negatives."""
        strata = mix.shape[1]
        pair, row = np.unique(codes * strata + stratum, return_inverse=True)  # a patient may have images of several strata
        row = row.reshape(-1).astype(np.intp)
        super().__init__(positive, score, row)
        self._dtype, self._mix = np.float64, mix
        self._patient, self._stratum = pair // strata, (pair % strata).astype(np.intp)
        place = np.where(positive, stratum, strata + stratum)
        self._drawn = sparse.csr_array((np.ones(place.size), (place, row)), shape=(2 * strata, pair.size), dtype=np.float64)

    def __call__(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Computes float64 (b,) from counts (b, n_patients)."""
        pairs = counts.T[self._patient].astype(np.float64)  # of this group's patients alone: the table may hold many more
        drawn = (self._drawn @ pairs).reshape(2, *self._mix.shape[1:], -1)
        weights = np.divide(self._mix[..., None], drawn, out=np.zeros(drawn.shape), where=drawn > 0)
        of_positives, of_negatives = pairs * weights[0][self._stratum], pairs * weights[1][self._stratum]
        sums = [self._positives(of_positives), self._negatives(of_negatives)]
        return self._computed([*sums, *([self._tied(of_negatives)] if self._tied else [])])


class WeightedCounts:
    """How many drawn rows each of some groups has, (groups, b)."""

    def __init__(self, group: NDArray[np.intp], groups: int, codes: NDArray[np.intp]) -> None:
        """``group`` is intp (n,), each row's; a row that counts for several groups is given several times."""
        ones = np.ones(group.size, np.int32)
        self._matrix = sparse.csr_array((ones, (group, codes)), shape=(groups, int(codes.max(initial=0)) + 1))

    def __call__(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Computes float64 (groups, b) from counts (b, n_patients)."""
        return (self._matrix @ counts.T[: self._matrix.shape[1]].astype(np.int32)).astype(np.float64)


def _auroc(positives: NDArray[Any], above: NDArray[Any], tied: Any) -> NDArray[np.float64]:
    """From positives of each run, negatives above its end (both (b, runs)) and negatives tied with its positives."""
    n_pos, n_neg = positives.sum(axis=1, dtype=np.float64), above[:, -1:]
    outranked = (n_neg - above) + 0.5 * tied
    pairs = n_pos * n_neg[:, 0]
    won = np.einsum("br,br->b", positives, outranked)
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _average_precision(positives: NDArray[Any], found: NDArray[Any], called: NDArray[Any]) -> NDArray[np.float64]:
    """From positives of each run, positives and negatives down to its end; ``called`` is written over."""
    called += found
    np.maximum(called, 1, out=called)
    gained = np.einsum("br,br->b", positives, found / called)
    n_pos = found[:, -1].astype(np.float64)
    return np.divide(gained, n_pos, out=np.full(len(n_pos), np.nan), where=n_pos > 0)
