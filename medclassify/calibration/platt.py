"""Platt scaling: a logistic regression of the label on the logit."""

import numpy as np
from numpy.typing import NDArray
from scipy import special


def soft_targets(positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Labels moved a little off 0 and 1, to (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2): what so many can vouch for (Platt 1999)."""
    n_pos = int(np.count_nonzero(positive))
    return np.where(positive, (n_pos + 1) / (n_pos + 2), 1 / (positive.size - n_pos + 2))


def fit_platt(logit: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Fits slope and intercept of p = sigmoid(slope · logit + intercept) by maximum likelihood, without a penalty.

    Labels are ``soft_targets``: the fit then exists also where the logit separates the classes.

    Args:
        logit: float64 (n,), of at least two values.
        positive: bool (n,), both classes.

    Returns:
        Slope and intercept. A slope of 0 or below says that the logit ranks backwards; it is the caller's to refuse.

    Source:
        Platt, Advances in Large Margin Classifiers, 61 (1999); Lin, Lin & Weng, Machine Learning 68:267 (2007).
    """
    target = soft_targets(positive)
    # In units of its own spread, so that the two curvatures are alike whatever the network's scale.
    centre, spread = float(logit.mean()), float(logit.std())
    design = np.stack([(logit - centre) / spread, np.ones_like(logit)], axis=1)
    weights = np.array([0.0, special.logit(target.mean())])
    loss = _loss(design @ weights, target)
    for _ in range(100):
        p = special.expit(design @ weights)
        gradient = design.T @ (p - target)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        promised = float(gradient @ step)
        if promised < 1e-14 * positive.size:
            break
        size = 1.0
        while (new := _loss(design @ (weights - size * step), target)) > loss - 1e-4 * size * promised and size > 1e-10:
            size /= 2
        weights, loss = weights - size * step, new
    slope = float(weights[0] / spread)
    return slope, float(weights[1]) - slope * centre


def _loss(z: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, z) - target * z).sum())
