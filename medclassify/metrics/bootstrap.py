"""Resampling patients: each replicate recomputes the whole statistic, by weights on the original rows.

A resample of patients is a vector of counts, how often each was drawn. A statistic of the resample is the statistic of
the original rows weighted by their patient's count, so nothing is copied or sorted again; many statistics share one draw.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medclassify.metrics.checks import check_count, check_level

RESAMPLES = 2000
_BLOCK = 64
"""Resamples that are computed at a time: two lines of a processor's cache hold a patient's counts."""
_BLOCK_COUNTS = 1 << 18


class Statistic(Protocol):
    """Something to be computed for every resample."""

    def __call__(self, counts: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Computes float64 (b,) or (m, b) from counts (b, n_patients); NaN where the resample leaves it undefined."""
        ...


def draw_patients(n_patients: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.uint16]]:
    """Draws patients with replacement.

    Args:
        n_patients: How many patients there are to draw from, and how many each resample draws.
        resamples: How many resamples in all.
        seed: The same seed gives the same draws, whatever they are used for.

    Yields:
        Blocks of counts, uint16 (b, n_patients), one patient's side by side in memory; each row adds up to n_patients.
    """
    check_count(resamples, 100, "resamples")
    generator = np.random.default_rng(seed)
    block = max(_BLOCK, _BLOCK_COUNTS // max(n_patients, 1))
    for start in range(0, resamples, block):
        counts = np.empty((min(block, resamples - start), n_patients), np.uint16)
        for row in counts:
            # A count follows Binomial(n, 1/n), close to Poisson(1): 255 is never reached.
            row[:] = np.bincount(generator.integers(0, n_patients, size=n_patients), minlength=n_patients)
        yield np.asfortranarray(counts)


def replicate(statistics: Sequence[Statistic], n_patients: int, *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Computes several statistics on the same resamples of patients.

    Returns:
        float64 (len(statistics), resamples), NaN where a resample left a statistic undefined.
    """
    if not statistics:
        return np.empty((0, resamples))
    return np.stack(replicate_each(statistics, n_patients, resamples=resamples, seed=seed))


def replicate_each(
    statistics: Sequence[Statistic],
    n_patients: int,
    *,
    resamples: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.float64]]:
    """As ``replicate``, for statistics of several figures each; every core the process may use takes its share.

    Args:
        statistics: Each gives (b,) or (m, b), m its own.
        n_patients: How many patients there are.
        resamples: How many resamples, at least 100.
        seed: Their seed; the result does not depend on the number of cores.
        progress: Called with (done, total) resamples.

    Returns:
        For each statistic float64 (resamples,) or (m, resamples).
    """
    blocks, done = [], 0
    with ThreadPoolExecutor(_cores()) as pool:  # sparse products and sums leave Python's lock to the others
        for counts in draw_patients(n_patients, resamples=resamples, seed=seed):
            blocks.append(list(pool.map(lambda statistic, drawn=counts: statistic(drawn), statistics)))
            done += len(counts)
            if progress is not None:
                progress(done, resamples)
    return [np.concatenate(parts, axis=-1) for parts in zip(*blocks, strict=True)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
