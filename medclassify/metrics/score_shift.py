"""How far the scores of one sample lie from those of another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from medclassify.errors import MetricError
from medclassify.metrics.checks import Patients, check_count, check_patients, check_score, distinct

_BINS = 10


@dataclass(frozen=True, slots=True)
class ScoreShift:
    """Two distributions of one score.

    Attributes:
        psi: Population stability index, 0 where the distributions are alike.
        psi_limit: What 95 of 100 samples of these sizes from one population stay below.
        bins: Bins that the index was made of.
        ks: Largest distance of the two cumulated distributions, in [0, 1].
        ks_limit: What 95 of 100 samples of these sizes from one population stay below.
    """

    psi: float
    psi_limit: float
    bins: int
    ks: float
    ks_limit: float

    @property
    def beyond_chance(self) -> bool:
        """Either measure exceeds what two samples of one population show."""
        return self.psi > self.psi_limit or self.ks > self.ks_limit


def score_shift(
    score1: ArrayLike, score2: ArrayLike, *, patients1: Patients = None, patients2: Patients = None, bins: int = _BINS
) -> ScoreShift:
    """Compares two distributions of a score: index of stability over the first one's quantiles, and Kolmogorov–Smirnov.

    Neither knows a label: a shift may be another mix of patients, another prevalence or another scanner, and a model may
    fail where nothing shifts. Both grow with smaller samples, so each has the limit that chance alone reaches: for the
    index χ²(bins − 1) · (1/n1 + 1/n2), for the distance 1.358 · √(1/n1 + 1/n2), with patients in place of samples where
    they repeat (which is wide rather than narrow).

    Args:
        score1: (n1,), finite; the reference.
        score2: (n2,), finite.
        patients1: (n1,) ids, or None where no patient repeats.
        patients2: (n2,) ids.
        bins: Quantiles of the reference; ties leave fewer.

    Raises:
        MetricError: A sample is empty, or a score is not finite.

    Source:
        Yurdakul & Naranjo, J Risk Model Validation 14(4):89 (2020), for the index's distribution; Smirnov, Ann Math Stat
        19:279 (1948), for the limit of the distance.

    Example:
        >>> found = score_shift(range(100), range(30, 130))
        >>> round(found.ks, 2), found.beyond_chance
        (0.3, True)
    """
    check_count(bins, 2, "bins")
    parts = []
    for name, score, patients in (("score1", score1, patients1), ("score2", score2, patients2)):
        size = np.asarray(score).size
        if not size:
            raise MetricError(f"{name} must hold at least one score; received none.")
        codes, _ = check_patients(patients, size)
        parts.append((check_score(score, size, name), size if codes is None else distinct(codes)))
    (first, units1), (second, units2) = parts
    edges = np.unique(np.quantile(first, np.linspace(0, 1, bins + 1)[1:-1]))
    cells = edges.size + 1
    # half a sample more in each bin: an empty one would make the index infinite
    share1, share2 = (
        (np.bincount(np.searchsorted(edges, part, side="left"), minlength=cells) + 0.5) / (part.size + 0.5 * cells)
        for part in (first, second)
    )
    per_sample = 1 / units1 + 1 / units2
    return ScoreShift(
        psi=float(((share2 - share1) * np.log(share2 / share1)).sum()),
        psi_limit=float(special.chdtri(cells - 1, 0.05)) * per_sample,
        bins=cells,
        ks=float(stats.ks_2samp(first, second).statistic),  # pyright: ignore[reportAttributeAccessIssue]
        ks_limit=1.358 * per_sample**0.5,
    )
