"""The difference of the AUROCs of two scores on the same samples."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from medclassify.metrics.auroc import covariance_of
from medclassify.metrics.cells import cell_status, not_estimable
from medclassify.metrics.checks import Patients, check_level, scored
from medclassify.metrics.gap import Gap, gap_without_variance
from medclassify.metrics.proportions import normal_quantile
from medclassify.metrics.ranks import placements, tie_groups
from medclassify.records import Estimate, Status


def delong_paired(y: ArrayLike, first: ArrayLike, second: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Gap:
    """Compares two scores of the same samples: DeLong's z, with Obuchowski's covariance where patients repeat.

    Args:
        y: (n,) of 0 and 1.
        first: float64 or integer (n,).
        second: float64 or integer (n,).
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        AUROC of ``first`` minus AUROC of ``second``. Scores that rank alike have a gap of exactly 0 and p = 1.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        DeLong, DeLong & Clarke-Pearson, Biometrics 44:837 (1988); Obuchowski, Biometrics 53:567 (1997).
    """
    both = scored(y, first, patients), scored(y, second, patients)
    check_level(level)
    status, note = cell_status(both[0])
    if status is Status.NOT_ESTIMABLE:
        return Gap(not_estimable(note), None)
    if _rank_alike(both[0].score, both[1].score):
        return Gap(Estimate(0.0, 0.0, 0.0, "identical ranking", status, note), 1.0, 0.0)
    curves = [placements(samples.positive, samples.score) for samples in both]
    gap = curves[0].auroc - curves[1].auroc
    covariance = covariance_of(curves, both[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance < 1e-20:
        areas = curves[0].auroc, curves[1].auroc
        return gap_without_variance(areas, both, level, status, note)
    method = "DeLong paired" if both[0].patients is None else "Obuchowski paired"
    error = variance**0.5
    half, z = normal_quantile(level) * error, gap / error
    return Gap(Estimate(gap, gap - half, gap + half, method, status, note), float(2 * special.ndtr(-abs(z))), z)


def _rank_alike(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    order = np.argsort(first)
    ordered = second[order]
    return bool((np.diff(ordered) >= 0).all()) and np.array_equal(tie_groups(first[order]), tie_groups(ordered))
