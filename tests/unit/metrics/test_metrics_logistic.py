import numpy as np
import pytest
from scipy import optimize, special

from medclassify import metrics
from medclassify.records import Status


def forecasts(n: int = 600, slope: float = 1.0, intercept: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels whose true logit is intercept + slope · logit p."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.5, 1.2, n)
    return rng.random(n) < special.expit(intercept + slope * z), special.expit(z)


def test_coefficients_and_limits_are_those_of_the_likelihood():
    """Against scipy's optimum, and the curvature of the likelihood there by finite differences."""
    y, p = forecasts()
    z, label = special.logit(p), y.astype(float)

    def loss(eta):
        return (np.logaddexp(0, eta) - label * eta).sum()

    alpha = optimize.minimize_scalar(lambda a: loss(z + a)).x
    curvature = (loss(z + alpha + 1e-3) - 2 * loss(z + alpha) + loss(z + alpha - 1e-3)) / 1e-6
    found = metrics.calibration_intercept(y, p)
    assert found.value == pytest.approx(alpha, abs=1e-6)
    assert found.ci_high - found.value == pytest.approx(1.959964 / np.sqrt(curvature), rel=1e-4)
    assert found.ci_method == "Wald GLM"
    best = optimize.minimize(lambda w: loss(w[0] * z + w[1]), [1.0, 0.0], tol=1e-10)
    assert metrics.calibration_slope(y, p).value == pytest.approx(best.x[0], abs=1e-4)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, 0.0), (1.6, 0.0), (1.0, 0.8), (1.0, -0.8)])
def test_planted_miscalibration_is_found(slope, intercept):
    y, p = forecasts(8000, slope, intercept)
    found = metrics.calibration_slope(y, p)
    assert found.ci_low < slope < found.ci_high
    if slope == 1:
        found = metrics.calibration_intercept(y, p)
        assert found.ci_low < intercept < found.ci_high
        assert (found.ci_low > 0) == (intercept > 0)
        assert (found.ci_high < 0) == (intercept < 0)


@pytest.mark.parametrize("statistic", [metrics.calibration_intercept, metrics.calibration_slope])
def test_copies_of_an_image_do_not_narrow_the_interval(statistic):
    y, p = forecasts()
    rows = np.tile(np.arange(600), 5)
    once, copied = statistic(y, p), statistic(y[rows], p[rows], patients=rows)
    assert copied.value == pytest.approx(once.value, abs=1e-6)
    assert copied.ci_high - copied.ci_low == pytest.approx(once.ci_high - once.ci_low, rel=0.1)
    assert copied.ci_method == "Wald GLM, clustered by patient"


def test_probabilities_of_0_and_1_are_moved_and_counted():
    y, p = forecasts()
    p[:3] = [0.0, 1.0, 1.0]
    for found in (metrics.calibration_intercept(y, p), metrics.calibration_slope(y, p)):
        assert found.note == "3 probabilities moved to within [1e-9, 1 - 1e-9]"
        assert np.isfinite([found.value, found.ci_low, found.ci_high]).all()
    p[:3] = [1e-8, 1 - 1e-8, 1e-8]
    assert metrics.calibration_intercept(y, p).note == ""


def test_separation_and_constant_probabilities_have_no_slope():
    y = np.r_[np.ones(150, bool), np.zeros(150, bool)]
    falling, same = np.linspace(0.9, 0.1, 300), np.full(300, 0.5)
    for p, why in ((falling, "infinite"), (falling[::-1], "infinite"), (same, "does not vary")):
        found = metrics.calibration_slope(y, p)
        assert found.status is Status.NOT_ESTIMABLE
        assert why in found.note
    assert metrics.calibration_intercept(y, np.full(300, 0.5)).value == pytest.approx(0, abs=1e-8)


def test_repeated_patients_below_a_hundred_have_no_slope():
    y, p = forecasts()
    found = metrics.calibration_slope(y, p, patients=np.arange(600) // 8)
    assert found.status is Status.NOT_ESTIMABLE
    assert "patients" in found.note


def test_labels_that_were_no_surprise_do_not_make_it_certain():
    """Nine of nine and none of thirty-two, as nearly said, with two images a patient."""
    y = np.r_[np.ones(9), np.zeros(32)]
    p = np.r_[np.full(9, 0.9999), np.linspace(0.0001, 0.03, 32)]
    found = metrics.calibration_intercept(y, p, patients=np.arange(41) // 2)
    assert found.ci_low < 0 < found.ci_high
