"""Calibration by logistic recalibration: is risk too high or low on the whole (intercept), and too extreme (slope)?"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from medclassify.metrics.cells import cell_status, join_notes, not_estimable
from medclassify.metrics.checks import Patients, ScoredSamples, check_level, predicted
from medclassify.metrics.proportions import normal_quantile
from medclassify.records import Estimate, Status

MIN_SLOPE_CELL = 100
"""The slope needs this many positives and this many negatives."""
_CLIP = 1e-9


def calibration_intercept(y: ArrayLike, p: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Estimate:
    """Calibration in the large: α of logit P(y=1) = α + logit p. 0 is right; above 0 the model gives too little risk.

    A binomial GLM with offset; Wald interval, with a covariance clustered by patient where patients repeat, or the model's own
    where that is wider.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1]; probabilities nearer to 0 or 1 than 1e-9 are moved there, and counted in the note.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        ``not_estimable`` below 5 positives or negatives, ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Cox, Biometrika 45:562 (1958); Van Calster et al., J Clin Epidemiol 74:167 (2016).
    """
    samples = predicted(y, p, patients)
    check_level(level)
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    risk, clipped = _logit(samples.score)
    ones = np.ones((samples.positive.size, 1))
    return _coefficient(samples, ones, risk, level, status, join_notes(note, clipped))


def calibration_slope(y: ArrayLike, p: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Estimate:
    """ζ of logit P(y=1) = a + ζ·logit p. 1 is right; below 1 the probabilities are too extreme.

    A binomial GLM; Wald interval as in ``calibration_intercept``.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1]; see ``calibration_intercept``.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        ``not_estimable`` below 100 positives or negatives (patients are counted where they repeat), where p does not
        vary, and where p separates positives from negatives (the slope is then infinite).

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Cox, Biometrika 45:562 (1958); Van Calster et al., J Clin Epidemiol 74:167 (2016), for the smallest sample.
    """
    samples = predicted(y, p, patients)
    check_level(level)
    status, note = cell_status(samples, MIN_SLOPE_CELL)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(f"{note}: a slope needs {MIN_SLOPE_CELL} of each")
    risk, clipped = _logit(samples.score)
    if np.ptp(risk) == 0:
        return not_estimable("p does not vary")
    positive, negative = risk[samples.positive], risk[~samples.positive]
    if positive.min() >= negative.max() or positive.max() <= negative.min():
        return not_estimable("p separates positives from negatives: the slope is infinite")
    design = np.stack([risk, np.ones_like(risk)], axis=1)
    return _coefficient(samples, design, None, level, Status.OK, clipped)


def _logit(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    clipped = np.clip(p, _CLIP, 1 - _CLIP)
    moved = int(np.count_nonzero(clipped != p))
    return special.logit(clipped), f"{moved} probabilities moved to within [1e-9, 1 - 1e-9]" if moved else ""


def _coefficient(
    samples: ScoredSamples,
    design: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
    level: float,
    status: Status,
    note: str,
) -> Estimate:
    """The first coefficient of a binomial GLM."""
    # They take a second to import, and only these two functions need them.
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    options: dict[str, Any] = {}
    if samples.patients is not None:
        options = {"cov_type": "cluster", "cov_kwds": {"groups": samples.patients}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is looked at below
        model = GLM(samples.positive.astype(np.float64), design, family=Binomial(), offset=offset)
        fit = model.fit(maxiter=100, **options)
    # where no label was a surprise, residuals are small and tell nothing of how large they may be: never below the model's own
    value, error = float(fit.params[0]), float(max(fit.bse[0], np.sqrt(fit.normalized_cov_params[0, 0])))
    if not fit.converged or not np.isfinite([value, error]).all():
        return not_estimable(join_notes(note, "the logistic fit did not converge"))
    half = normal_quantile(level) * error
    method = "Wald GLM" if samples.patients is None else "Wald GLM, clustered by patient"
    return Estimate(value, value - half, value + half, method, status, note)
