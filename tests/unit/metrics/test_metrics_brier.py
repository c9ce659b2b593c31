import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from medclassify import metrics
from medclassify.errors import MetricError


def forecasts(n: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 1.8, n)
    return rng.random(n) < p, p


def test_the_value_is_scikit_learns_and_the_interval_that_of_a_mean():
    y, p = forecasts()
    found = metrics.brier(y, p)
    assert found.value == pytest.approx(brier_score_loss(y, p), abs=1e-15)
    error = ((p - y) ** 2).std(ddof=1) / np.sqrt(500)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.965 * error, rel=0.02)
    assert found.ci_method == "logit-delta"


def test_the_interval_covers():
    _, p = forecasts(200_000, 9)
    truth = (p * (1 - p)).mean()
    samples = [metrics.brier(*forecasts(100, seed)) for seed in range(400)]
    covered = [found.ci_low <= truth <= found.ci_high for found in samples]
    assert 0.92 <= np.mean(covered) <= 0.985


def test_copies_of_an_image_do_not_narrow_the_interval():
    y, p = forecasts()
    rows = np.tile(np.arange(500), 5)
    once, copied = metrics.brier(y, p), metrics.brier(y[rows], p[rows], patients=rows)
    assert copied.ci_method == "logit-delta by patient"
    assert (copied.value, copied.ci_low, copied.ci_high) == pytest.approx((once.value, once.ci_low, once.ci_high), abs=1e-3)


@pytest.mark.parametrize("right", [True, False])
def test_errors_that_are_all_alike_have_no_zero_width_interval(right):
    y = np.arange(60) % 2
    found = metrics.brier(y, (y if right else 1 - y).astype(float))
    assert found.value == (0.0 if right else 1.0)
    assert found.ci_high - found.ci_low > 0.05
    assert found.ci_method == "exact-unseen-faults"
    half = metrics.brier(y, np.full(60, 0.5))
    assert half.ci_low < half.value == 0.25 < half.ci_high


def test_parts_add_up_and_are_those_of_isotonic_regression():
    y, p = forecasts()
    p = np.round(p, 2)  # ties: they must share one recalibrated value
    parts = metrics.brier_parts(y, p)
    recalibrated = IsotonicRegression().fit(p, y).predict(p)
    assert parts.brier == pytest.approx(parts.miscalibration - parts.discrimination + parts.uncertainty, abs=1e-15)
    assert parts.brier - parts.miscalibration == pytest.approx(brier_score_loss(y, recalibrated), abs=1e-12)
    assert parts.uncertainty == pytest.approx(y.mean() * (1 - y.mean()))
    assert min(parts.miscalibration, parts.discrimination) >= 0


def test_recalibration_takes_the_miscalibration_away_and_leaves_the_rest():
    y, p = forecasts(20_000)
    good, bad = metrics.brier_parts(y, p), metrics.brier_parts(y, p**3)
    assert bad.miscalibration > 5 * good.miscalibration
    assert bad.discrimination == pytest.approx(good.discrimination, abs=1e-12)


def test_nothing_cannot_be_divided():
    with pytest.raises(MetricError, match="at least one sample to divide a Brier score; received none"):
        metrics.brier_parts([], [])
