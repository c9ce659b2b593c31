import numpy as np
import pytest

from medclassify import metrics
from medclassify.records import Status


def forecasts(n: int, factor: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 6, n)
    return rng.random(n) < np.minimum(1, factor * p), p


def test_it_is_positives_over_the_sum_of_probabilities():
    y, p = forecasts(500)
    found = metrics.oe_ratio(y, p)
    assert found.value == pytest.approx(y.sum() / p.sum(), abs=1e-15)
    assert found.ci_low * found.ci_high == pytest.approx(found.value**2)
    assert found.ci_method == "log-delta"


@pytest.mark.parametrize("factor", [0.3, 1.5])
def test_the_width_is_that_of_copied_rows(factor):
    rng = np.random.default_rng(1)
    p = rng.choice([0.05, 0.6], 800)
    y = rng.random(800) < factor * p
    found = metrics.oe_ratio(y, p)
    copies = rng.integers(0, 800, (4000, 800))
    spread = np.log(y[copies].sum(axis=1) / p[copies].sum(axis=1)).std()
    assert np.log(found.ci_high / found.ci_low) == pytest.approx(2 * 1.963 * spread, rel=0.1)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
def test_planted_over_and_underestimation_is_found(factor):
    found = metrics.oe_ratio(*forecasts(4000, factor))
    assert found.ci_low < factor < found.ci_high
    assert (found.ci_low > 1) == (factor > 1)
    assert (found.ci_high < 1) == (factor < 1)


def test_the_interval_covers():
    samples = [metrics.oe_ratio(*forecasts(300, seed=seed)) for seed in range(400)]
    covered = [found.ci_low <= 1 <= found.ci_high for found in samples]
    assert 0.92 <= np.mean(covered) <= 0.985


def test_copies_of_an_image_do_not_narrow_the_interval():
    y, p = forecasts(500)
    rows = np.tile(np.arange(500), 5)
    once, copied = metrics.oe_ratio(y, p), metrics.oe_ratio(y[rows], p[rows], patients=rows)
    assert copied.ci_method == "log-delta by patient"
    assert (copied.ci_low, copied.ci_high) == pytest.approx((once.ci_low, once.ci_high), abs=1e-3)


def test_probabilities_of_zero_expect_nothing():
    found = metrics.oe_ratio([0, 1] * 30, np.zeros(60))
    assert (found.status, found.note) == (Status.NOT_ESTIMABLE, "every p is 0")


@pytest.mark.parametrize("patients", [None, np.arange(41) // 2])
def test_labels_that_were_no_surprise_do_not_make_it_certain(patients):
    """Nine of nine and none of thirty-two, as nearly said: one label the other way would not have been strange."""
    y = np.r_[np.ones(9), np.zeros(32)]
    p = np.r_[np.full(9, 0.9999), np.linspace(0.0001, 0.03, 32)]
    found = metrics.oe_ratio(y, p, patients=patients)
    assert found.ci_low is not None and found.ci_high is not None and found.ci_low < 1 < found.ci_high
