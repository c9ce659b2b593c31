"""Beta calibration: a logistic curve that may be steeper on one side of the middle than on the other."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special


def fit_beta(logit: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Fits p = sigmoid(a · ln s − b · ln(1 − s) + c) with s = sigmoid(logit), by maximum likelihood with a, b ≥ 0.

    a is the slope far below 0, b the slope far above; with a = b it is Platt scaling. Labels are moved off 0 and 1 as
    Platt does, so that the fit exists where the logit separates the classes.

    Args:
        logit: float64 (n,), of at least two values.
        positive: bool (n,), both classes.

    Returns:
        a, b and c. Both slopes 0 say that the logit ranks backwards; that is the caller's to refuse.

    Source:
        Kull, Silva Filho & Flach, AISTATS, PMLR 54:623 (2017).
    """
    n_pos = int(np.count_nonzero(positive))
    target = np.where(positive, (n_pos + 1) / (n_pos + 2), 1 / (positive.size - n_pos + 2))
    design = np.stack([-np.logaddexp(0, -logit), np.logaddexp(0, logit), np.ones_like(logit)], axis=1)
    scale = np.maximum(np.abs(design).max(axis=0), 1e-12)  # in units of their own size: a network's scale is arbitrary
    scaled = design / scale

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = scaled @ weights
        return float((np.logaddexp(0, z) - target * z).mean()), scaled.T @ (special.expit(z) - target) / target.size

    start = np.array([0.0, 0.0, special.logit(target.mean())])
    limits = [(0, None), (0, None), (None, None)]
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options=_PATIENT)
    a, b, c = (float(each) for each in found.x / scale)
    return a, b, c


_PATIENT = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-10}
