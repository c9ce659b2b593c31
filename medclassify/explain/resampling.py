"""Means and ratios over samples with a patient-bootstrap interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.metrics import patient_codes, percentiles, replicate_ratios

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio of sums with its 95 % interval; NaN where the denominator is 0."""

    value: float
    low: float
    high: float
    method: str


def ratios(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], patients: Sequence[str], seed: int = 0
) -> tuple[list[Interval], int]:
    """Σ numerator / Σ denominator of some columns, on the same resamples of patients; a mean has denominators of 1.

    Args:
        numerators: float64 (n, m).
        denominators: float64 (n, m).
        patients: n ids.
        seed: Of the resamples.

    Returns:
        One interval a column, and the number of patients.
    """
    codes, n_patients = patient_codes(patients)
    over, under = (_by_patient(values, codes, n_patients) for values in (numerators, denominators))
    draws = replicate_ratios(over, under, resamples=RESAMPLES, seed=seed)
    found = []
    for top, bottom, drawn in zip(over.T, under.T, draws, strict=True):
        interval = percentiles(drawn)
        value = float(top.sum() / bottom.sum()) if bottom.sum() > 0 else np.nan
        found.append(Interval(value, interval.low, interval.high, interval.method))
    return found, n_patients


def means(values: NDArray[np.float64], patients: Sequence[str], seed: int = 0) -> tuple[list[Interval], int]:
    """Means of columns float64 (n, m) over samples; otherwise as ``ratios``."""
    return ratios(values, np.ones_like(values), patients, seed)


def _by_patient(values: NDArray[np.float64], codes: NDArray[np.intp], n_patients: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(codes, column, n_patients) for column in values.T], axis=1).astype(np.float64)
