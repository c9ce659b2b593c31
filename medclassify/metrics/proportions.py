"""Intervals of proportions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from medclassify.metrics.checks import check_level, distinct
from medclassify.metrics.clustered import variance_of_total


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share and the independent observations it is worth.

    Attributes:
        share: Successes over rows, in [0, 1].
        n: Rows, the denominator.
        units: Patients with a row.
        effective_n: ``n`` over the design effect; ``n`` itself where no patient repeats.
    """

    share: float
    n: int
    units: int
    effective_n: float

    @property
    def clustered(self) -> bool:
        return self.units < self.n


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile, 1.96 for a level of 0.95."""
    return float(special.ndtri(0.5 + 0.5 * check_level(level)))


def t_quantile(level: float, df: float) -> float:
    """The two-sided quantile of Student's t."""
    return float(special.stdtrit(df, 0.5 + 0.5 * check_level(level)))


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval; ``n`` may be an effective number.

    Args:
        share: The observed share, in [0, 1].
        n: Observations, > 0.
        z: Normal quantile.

    Source:
        Wilson, JASA 22:209 (1927); method 3 of Newcombe, Statistics in Medicine 17:857 (1998).
    """
    weight = z * z / n
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(share * (1 - share) / n + weight / (4 * n))
    # At a share of 0 or 1 the limit is that number; the subtraction would miss it by rounding.
    return (0.0 if share == 0 else float(centre - half)), (1.0 if share == 1 else float(centre + half))


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a binomial share; ``successes`` may be fractional.

    Source:
        Clopper & Pearson, Biometrika 26:404 (1934).
    """
    tail = (1 - check_level(level)) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def proportion(success: NDArray[np.bool_], codes: NDArray[np.intp] | None, level: float = 0.95) -> Proportion:
    """A share with its effective number of observations.

    Where patients repeat, n is divided by the design effect (variance between patients over binomial variance, at
    least 1) and lowered for the few patients that variance was learnt from, (z/t)². A share of 0 or 1 shows nothing
    about the likeness of images within a patient; they are then taken as copies of each other.

    Args:
        success: bool (n,), n ≥ 1.
        codes: intp (n,), patients, or None.
        level: Confidence level, for the second correction.

    Source:
        Korn & Graubard, Survey Methodology 24:193 (1998); Dean & Pagano, J Surv Stat Methodol 3:484 (2015).
    """
    n, share = success.size, float(success.mean())
    if codes is None or distinct(codes) == n:
        return Proportion(share, n, n, float(n))
    sizes = np.bincount(codes)
    units = int(np.count_nonzero(sizes))
    if share in (0.0, 1.0) or units < 2:
        return Proportion(share, n, units, n * n / float((sizes * sizes).sum()))
    variance, _ = variance_of_total(success.astype(np.float64) - share, codes)
    design_effect = max(1.0, variance / (n * share * (1 - share)))
    few = (normal_quantile(level) / t_quantile(level, units - 1)) ** 2
    return Proportion(share, n, units, n / design_effect * few)
