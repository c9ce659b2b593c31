"""Temperature scaling: one number that makes a network more or less sure, and changes no ranking."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

LIMITS = (0.05, 20.0)
"""A temperature outside is not believed: the likelihood then has no optimum that means anything."""


def fit_sigmoid_temperature(logit: NDArray[np.float64], target: NDArray) -> float:
    """The temperature T of sigmoid(logit / T) with the greatest likelihood.

    Args:
        logit: float64 (n,).
        target: bool or float64 (n,) in [0, 1]: ``platt.soft_targets`` have an optimum also where the logit parts the classes.

    Returns:
        T, within ``LIMITS``. At the upper limit the logit tells nothing, or ranks backwards; at the lower one it parts the
        classes without error.
    """
    share = np.asarray(target, np.float64)

    def loss(inverse: float) -> float:
        z = inverse * logit
        return float((share * np.logaddexp(0, -z) + (1 - share) * np.logaddexp(0, z)).sum())

    return _best(loss)


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
