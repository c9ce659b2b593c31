"""Isotonic calibration: the best curve that only rises. It has no form, so it needs many samples."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Knots = tuple[tuple[float, float], ...]


def fit_isotonic(logit: NDArray[np.float64], positive: NDArray[np.bool_]) -> Knots:
    """Fits a non-decreasing curve from logit to probability by least squares (pool adjacent violators).

    Between the blocks the curve is a straight line, as scikit-learn's; beyond the first and last it is flat. Blocks of
    nothing but negatives or positives would say 0 or 1, which no sample shows: the curve is kept within 1/(n + 2) and
    (n + 1)/(n + 2), Laplace's rule for n samples.

    Args:
        logit: float64 (n,).
        positive: bool (n,).

    Returns:
        Both ends of each block, as (logit, probability), ascending in both. One probability for all says that the logit
        tells nothing or ranks backwards; that is the caller's to refuse.

    Source:
        Zadrozny & Elkan, KDD, 694 (2002); Barlow et al., Statistical Inference under Order Restrictions (1972).
    """
    values, group, counts = np.unique(logit, return_inverse=True, return_counts=True)
    observed = np.bincount(group, weights=positive.astype(np.float64)) / counts
    risen = np.asarray(optimize.isotonic_regression(observed, weights=counts).x)
    n = positive.size
    p = np.clip(risen, 1 / (n + 2), (n + 1) / (n + 2))
    ends = np.r_[True, np.diff(p) > 0] | np.r_[np.diff(p) > 0, True]
    return tuple((float(z), float(height)) for z, height in zip(values[ends], p[ends], strict=True))


def apply_isotonic(logit: NDArray[np.float64], knots: Knots) -> NDArray[np.float64]:
    """The curve's probabilities, float64 of the logit's shape."""
    z, p = np.array(knots, np.float64).T
    return np.interp(logit, z, p)
