"""Variances when a patient has more than one image."""

import numpy as np
from numpy.typing import NDArray

from medclassify.metrics.checks import distinct
from medclassify.metrics.ranks import Placements


def obuchowski_covariance(
    curves: list[Placements], positive: NDArray[np.bool_], codes: NDArray[np.intp], n_patients: int
) -> NDArray[np.float64]:
    """Covariance of AUROCs of several scores on the same images, patients as clusters.

    S10/M + S01/N + (S11 + S11ᵀ)/(MN), with M positives and N negatives; with one image a patient it is DeLong's.

    Args:
        curves: The placements of each of k scores.
        positive: bool (n,).
        codes: intp (n,), the patient of each image.
        n_patients: The number of patients.

    Returns:
        float64 (k, k).

    Source:
        Obuchowski, Biometrics 53:567 (1997).
    """
    n_pos, n_neg = curves[0].positive.size, curves[0].negative.size
    of_positive, of_negative = codes[positive], codes[~positive]
    above = np.stack([_sums(curve.positive - curve.auroc, of_positive, n_patients) for curve in curves])
    below = np.stack([_sums(curve.negative - curve.auroc, of_negative, n_patients) for curve in curves])
    s10 = _small_sample(distinct(of_positive)) * above @ above.T / n_pos
    s01 = _small_sample(distinct(of_negative)) * below @ below.T / n_neg
    s11 = _small_sample(distinct(codes)) * above @ below.T
    return s10 / n_pos + s01 / n_neg + (s11 + s11.T) / (n_pos * n_neg)


def disjoint_pairs(positive: NDArray[np.bool_], codes: NDArray[np.intp] | None) -> int:
    """How many (positive, negative) pairs can be formed so that no patient is used twice."""
    if codes is None:
        return int(min(np.count_nonzero(positive), np.count_nonzero(~positive)))
    return min(distinct(codes[positive]), distinct(codes[~positive]), distinct(codes) // 2)


def variance_of_total(deviations: NDArray[np.float64], codes: NDArray[np.intp] | None) -> tuple[float, int]:
    """Variance of a sum of deviations from a mean, patients as clusters.

    Args:
        deviations: float64 (n,), adding up to 0.
        codes: intp (n,), the patient of each row; None where no patient repeats.

    Returns:
        C/(C − 1) · Σ (sum within a patient)², and C, the number of patients with a row.
    """
    units = deviations.size if codes is None else distinct(codes)
    sums = deviations if codes is None else _sums(deviations, codes, 0)
    return _small_sample(units) * float(sums @ sums), units


def _sums(values: NDArray[np.float64], codes: NDArray[np.intp], n_patients: int) -> NDArray[np.float64]:
    return np.bincount(codes, weights=values, minlength=n_patients).astype(np.float64)


def _small_sample(units: int) -> float:
    return units / (units - 1) if units > 1 else np.inf
