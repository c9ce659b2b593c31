"""Reader studies: whether readers do better one way than another, for other readers and other cases than these."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from medclassify.errors import MetricError
from medclassify.metrics.auroc import auroc_covariance
from medclassify.metrics.checks import Patients, check_level
from medclassify.metrics.proportions import t_quantile
from medclassify.records import Estimate, Status

_METHOD = "Obuchowski–Rockette–Hillis"


@dataclass(frozen=True, slots=True, eq=False)
class ReaderStudy:
    """What a study of two ways of reading found, readers and cases random.

    Attributes:
        figures: float64 (2, readers), each reader's figure of merit, e.g. AUROC.
        means: The mean over readers for each of the two, each from its own data alone.
        difference: The second mean minus the first.
        f: The F statistic of no difference.
        df: Its denominator's degrees of freedom (Hillis 2007); the numerator has 1.
        p: Two-sided.
        error: Mean variance of a figure.
        cov1: Mean covariance of one reader's two figures.
        cov2: Mean covariance of two readers, the same way.
        cov3: Mean covariance of two readers, different ways.
    """

    figures: NDArray[np.float64]
    means: tuple[Estimate, Estimate]
    difference: Estimate
    f: float
    df: float
    p: float
    error: float
    cov1: float
    cov2: float
    cov3: float


def reader_study(y: ArrayLike, scores: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> ReaderStudy:
    """Compares AUROCs of the same readers and cases read in two ways.

    Args:
        y: (n,) of 0 and 1, at least two of each.
        scores: float64 or integer (2, readers, n): every reader rated every case both ways.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Raises:
        MetricError: There are fewer than two readers, the ways are not two, or the input cannot be scored.

    Source:
        As `obuchowski_rockette`; covariances by DeLong, or Obuchowski where patients repeat.
    """
    table = np.asarray(scores)
    if table.ndim != 3 or table.shape[0] != 2:
        raise MetricError(f"scores must have the shape (2, readers, n); received {table.shape}.")
    figures, covariance = auroc_covariance(y, table.reshape(-1, table.shape[2]), patients=patients)
    return obuchowski_rockette(figures.reshape(2, -1), covariance, level=level)


def obuchowski_rockette(figures: ArrayLike, covariance: ArrayLike, *, level: float = 0.95) -> ReaderStudy:
    """The analysis of variance of Obuchowski and Rockette with Hillis' degrees of freedom, readers and cases random.

    Args:
        figures: float64 (2, readers): a figure of merit of each reader, both ways.
        covariance: float64 (2 · readers, 2 · readers), of the figures row by row.
        level: Confidence level.

    Raises:
        MetricError: There are fewer than two readers, or the shapes do not fit.

    Source:
        Obuchowski & Rockette, Commun Stat Simul Comput 24:285 (1995); Hillis, Statistics in Medicine 26:596 (2007).
    """
    table, both = np.asarray(figures, np.float64), np.asarray(covariance, np.float64)
    if table.ndim != 2 or table.shape[0] != 2 or table.shape[1] < 2:
        raise MetricError(f"a reader study needs two ways and at least two readers; received figures of shape {table.shape}.")
    readers = table.shape[1]
    if both.shape != (2 * readers, 2 * readers):
        raise MetricError(f"covariance must be ({2 * readers}, {2 * readers}); received {both.shape}.")
    blocks = both.reshape(2, readers, 2, readers)
    same = np.array([[_off_diagonal(blocks[i, :, j]) for j in range(2)] for i in range(2)])
    cov2, cov3 = float((same[0, 0] + same[1, 1]) / 2), float((same[0, 1] + same[1, 0]) / 2)
    gap = table[1] - table[0]
    of_ways = readers * float(gap.mean()) ** 2 / 2
    of_both = float(gap.var(ddof=1)) / 2
    spread = of_both + readers * max(cov2 - cov3, 0.0)
    df = (readers - 1) * _squared_ratio(spread, of_both)
    f = of_ways / spread if spread > 0 else (np.inf if of_ways > 0 else 0.0)
    return ReaderStudy(
        figures=table,
        means=(_mean(table[0], same[0, 0], level), _mean(table[1], same[1, 1], level)),
        difference=_interval(float(gap.mean()), (2 * spread / readers) ** 0.5, df, level, (-1, 1)),
        f=f,
        df=df,
        p=float(special.fdtrc(1, min(df, 1e12), f)) if np.isfinite(f) else 0.0,
        error=float(np.trace(both)) / (2 * readers),
        cov1=float(np.trace(blocks[0, :, 1]) / readers),
        cov2=cov2,
        cov3=cov3,
    )


def _mean(figures: NDArray[np.float64], cov2: float, level: float) -> Estimate:
    of_readers = float(figures.var(ddof=1))
    spread = of_readers + figures.size * max(cov2, 0.0)
    df = (figures.size - 1) * _squared_ratio(spread, of_readers)
    return _interval(float(figures.mean()), (spread / figures.size) ** 0.5, df, level, (0, 1))


def _interval(value: float, error: float, df: float, level: float, bounds: tuple[int, int]) -> Estimate:
    half = t_quantile(check_level(level), min(df, 1e12)) * error
    low, high = value - half, value + half
    beyond = [
        f"limit {limit:.3f} lies outside [{bounds[0]}, {bounds[1]}]"
        for limit in (low, high)
        if not bounds[0] <= limit <= bounds[1]
    ]
    return Estimate(value, low, high, _METHOD, Status.OK, "; ".join(beyond))


def _squared_ratio(spread: float, part: float) -> float:
    return (spread / part) ** 2 if part > 0 else np.inf


def _off_diagonal(block: NDArray[np.float64]) -> float:
    """Mean covariance of two different readers."""
    readers = block.shape[0]
    return float((block.sum() - np.trace(block)) / (readers * (readers - 1)))
