"""Many comparisons at once: adjusted p-values, and intervals that hold together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from medclassify.errors import MetricError
from medclassify.metrics.checks import check_level


def adjusted_p(p: Sequence[float | None], method: Literal["holm", "bh"] = "holm") -> list[float | None]:
    """Adjusts p-values: Holm for claims (family-wise error), Benjamini–Hochberg for exploration (false-discovery rate).

    Args:
        p: In [0, 1]; None (no test) stays None and is not counted.
        method: ``holm`` or ``bh``.

    Raises:
        MetricError: The method is not known, or a value lies outside [0, 1].

    Source:
        Holm, Scand J Statistics 6:65 (1979); Benjamini & Hochberg, JRSS B 57:289 (1995).
    """
    if method not in ("holm", "bh"):
        raise MetricError(f"method must be 'holm' or 'bh'; received {method!r}.")
    tested = np.array([each for each in p if each is not None], dtype=np.float64)
    if not ((tested >= 0) & (tested <= 1)).all():
        raise MetricError(f"p must lie in [0, 1] or be None; received {tested[~((tested >= 0) & (tested <= 1))][0]:g}.")
    # statsmodels' multipletests gives the same numbers, and collects garbage in each call: half a second beside torch
    found = iter(_holm(tested) if method == "holm" else stats.false_discovery_control(tested) if tested.size else ())
    return [None if each is None else float(next(found)) for each in p]


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The k-th smallest of m is multiplied by m − k + 1; none falls below a smaller one's, none exceeds 1."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1)
    return adjusted


@dataclass(frozen=True, slots=True, eq=False)
class SimultaneousIntervals:
    """Intervals of which, in ``level`` of all samples, every one holds its truth.

    Attributes:
        low: float64 (k,).
        high: float64 (k,).
        p: float64 (k,), family-wise p of no difference from 0.
        critical: How many standard errors the limits are away; 1.96 for one comparison of normal replicates.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    critical: float


def max_t(values: ArrayLike, replicates: ArrayLike, *, level: float = 0.95) -> SimultaneousIntervals:
    """Simultaneous intervals from replicates on shared resamples of patients: estimate ± c · its standard error.

    c is the quantile of the largest |replicate − estimate| / standard error among the comparisons. Comparisons that go
    together (patients in several subgroups, one reference group) cost less than Bonferroni's rule would have it.

    Args:
        values: float64 (k,), estimates (differences; an AUROC is better given as its logit).
        replicates: float64 (k, B), of the same resamples (``replicate``). Resamples with a NaN are left out.
        level: Of all intervals together.

    Raises:
        MetricError: The shapes do not agree, fewer than 100 resamples are defined throughout, or a row does not vary.

    Source:
        Westfall & Young, Resampling-based Multiple Testing (1993); Hothorn, Bretz & Westfall, Biometrical J 50:346 (2008).
    """
    check_level(level)
    centre, drawn = np.asarray(values, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    if centre.ndim != 1 or not centre.size or drawn.ndim != 2 or len(drawn) != centre.size:
        raise MetricError(f"replicates must be (k, B) for k values; received {drawn.shape} for {centre.shape}.")
    drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
    if drawn.shape[1] < 100:
        raise MetricError(f"replicates must hold 100 resamples in which every value is defined; received {drawn.shape[1]}.")
    error = drawn.std(axis=1, ddof=1)
    if not (error > 0).all():
        raise MetricError(f"replicates must vary: row {int((error <= 0).argmax())} holds one value. Leave it out.")
    largest = np.sort((np.abs(drawn - centre[:, None]) / error[:, None]).max(axis=0))
    critical = float(np.quantile(largest, level))
    beyond = largest.size - np.searchsorted(largest, np.abs(centre) / error, side="left")
    return SimultaneousIntervals(
        centre - critical * error, centre + critical * error, (beyond + 1) / (largest.size + 1), critical
    )
