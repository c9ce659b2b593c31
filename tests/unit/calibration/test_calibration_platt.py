import numpy as np
import pytest
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression

from medclassify.calibration.platt import fit_platt


def logits(n: int = 400, slope: float = 0.6, intercept: float = -1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(0.5, 2.5, n)
    return z, rng.random(n) < special.expit(slope * z + intercept)


def test_it_is_the_optimum_of_the_smoothed_likelihood():
    z, positive = logits()
    target = np.where(positive, (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2))
    best = optimize.minimize(
        lambda w: (np.logaddexp(0, w[0] * z + w[1]) - target * (w[0] * z + w[1])).sum(), [1.0, 0.0], method="BFGS", tol=1e-12
    )
    assert fit_platt(z, positive) == pytest.approx(tuple(best.x), abs=1e-5)


def test_with_many_samples_it_is_plain_logistic_regression():
    z, positive = logits(50_000)
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(z[:, None], positive)
    assert fit_platt(z, positive) == pytest.approx((plain.coef_[0, 0], plain.intercept_[0]), abs=2e-3)
    assert fit_platt(z, positive) == pytest.approx((0.6, -1.0), abs=0.05)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_scale_of_the_logits_does_not_matter(scale):
    z, positive = logits()
    slope, intercept = fit_platt(z, positive)
    assert fit_platt(z * scale + 3 * scale, positive) == pytest.approx((slope / scale, intercept - 3 * slope), rel=1e-6)


def test_separated_classes_have_a_finite_fit():
    z = np.r_[np.linspace(2, 9, 30), np.linspace(-9, -2, 300)]
    slope, intercept = fit_platt(z, z > 0)
    assert 0.5 < slope < 50
    p = special.expit(slope * z + intercept)
    assert (p[:30] > 0.6).all()
    assert (p[30:] < 0.1).all()


def test_a_logit_that_ranks_backwards_has_a_negative_slope():
    z, positive = logits()
    assert fit_platt(-z, positive)[0] < -0.4
