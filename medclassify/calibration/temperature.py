"""Temperature scaling: one number that makes a network more or less sure, and changes no ranking."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

LIMITS = (0.05, 20.0)
"""A temperature outside is not believed: the likelihood then has no optimum that means anything."""


def fit_sigmoid_temperature(logit: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The temperature T of sigmoid(logit / T) with the greatest likelihood.

    Args:
        logit: float64 (n,).
        positive: bool (n,).

    Returns:
        T, within ``LIMITS``. At the upper limit the logit tells nothing, or ranks backwards.
    """
    signed = np.where(positive, logit, -logit)
    return _best(lambda inverse: float(np.logaddexp(0, -inverse * signed).sum()))


def fit_softmax_temperature(logits: NDArray[np.float64], label: NDArray[np.intp]) -> float:
    """The temperature T of softmax(logits / T) with the greatest likelihood.

    Args:
        logits: float64 (n, K).
        label: intp (n,), the column of each sample's class.

    Returns:
        T, within ``LIMITS``.

    Source:
        Guo et al., On Calibration of Modern Neural Networks, ICML (2017).
    """
    truth = logits[np.arange(label.size), label]

    def loss(inverse: float) -> float:
        return float(np.sum(special.logsumexp(inverse * logits, axis=1)) - inverse * truth.sum())

    return _best(loss)


def at_limit(temperature: float) -> bool:
    """Whether the optimum lies at (or beyond) one of ``LIMITS``."""
    return temperature <= LIMITS[0] * 1.01 or temperature >= LIMITS[1] / 1.01


def _best(loss: Callable[[float], float]) -> float:
    """The loss is convex in 1/T, hence has one minimum in log T."""
    bounds = np.log(LIMITS[0]), np.log(LIMITS[1])
    found = optimize.minimize_scalar(
        lambda log_t: loss(np.exp(-log_t)), bounds=bounds, method="bounded", options={"xatol": 1e-8}
    )
    return float(np.exp(found.x))
