"""Trap: ECE is above 0 for a perfect model, and the more so the smaller the group; it is never shown without its null band."""

import numpy as np
import pytest

from medclassify import metrics
from medclassify.metrics.ece import bin_index


def by_hand(y, p, bins):
    total = 0.0
    for number in range(bins):
        rows = (p >= number / bins) & ((p < (number + 1) / bins) | ((number == bins - 1) & (p == 1)))
        if rows.any():
            total += rows.sum() * abs(y[rows].mean() - p[rows].mean())
    return total / len(y)


def calibrated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.5, 0.5, n)
    return rng.random(n) < p, p


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_value_is_the_mean_distance_over_bins(bins):
    y, p = calibrated(400, 0)
    p[:2] = [0.0, 1.0]
    assert metrics.ece(y, p, bins=bins).value == pytest.approx(by_hand(y, p, bins), abs=1e-14)


@pytest.mark.parametrize(("n", "mean"), [(50, 0.159), (500, 0.052), (10_000, 0.011)])
def test_a_calibrated_model_shows_the_published_bias(n, mean):
    """Means that a perfectly calibrated model shows with 15 bins, by direct simulation, row by row."""
    rng = np.random.default_rng(1)
    simulated = []
    for _ in range(60):
        p = rng.random(n)
        simulated.append(by_hand(rng.random(n) < p, p, 15))
    assert np.mean(simulated) == pytest.approx(mean, rel=0.12)
    y, p = rng.random(n) < (p := rng.random(n)), p
    said = float(metrics.ece(y, p).note.rsplit(" ", 1)[1])
    assert said == pytest.approx(np.mean(simulated), rel=0.08, abs=6e-4)


def test_the_band_holds_a_calibrated_model_and_not_a_miscalibrated_one():
    samples = [metrics.ece(*calibrated(300, seed)) for seed in range(300)]
    inside = [found.ci_low <= found.value <= found.ci_high for found in samples]
    assert 0.92 <= np.mean(inside) <= 0.98
    y, p = calibrated(2000, 0)
    worse = metrics.ece(y, p**2)
    assert worse.value > 2 * worse.ci_high


def test_the_limits_are_named_as_a_null_band():
    found = metrics.ece(*calibrated(300, 0))
    assert found.ci_method == "null band (no confidence interval)"
    assert found.note.startswith("a calibrated model of this size shows ")


def test_groups_of_different_size_are_told_apart_by_their_bands():
    """Both groups are perfectly calibrated; the smaller one has the greater ECE, and the greater band."""
    small, large = metrics.ece(*calibrated(60, 0)), metrics.ece(*calibrated(20_000, 1))
    assert small.value > 5 * large.value
    assert small.ci_low <= small.value <= small.ci_high
    assert large.ci_low <= large.value <= large.ci_high


def test_the_band_by_patient_is_that_of_the_patients():
    y, p = calibrated(400, 0)
    rows = np.tile(np.arange(400), 6)
    once, copied = metrics.ece(y, p), metrics.ece(y[rows], p[rows], patients=rows)
    assert copied.value == pytest.approx(once.value, abs=1e-14)
    assert (copied.ci_low, copied.ci_high) == pytest.approx((once.ci_low, once.ci_high), rel=0.15)
    assert metrics.ece(y[rows], p[rows]).ci_high < 0.6 * once.ci_high


def test_bins_of_equal_mass_are_of_equal_mass_and_keep_ties_together():
    p = np.random.default_rng(0).random(1000) ** 4
    assert np.bincount(bin_index(p, 10, "mass")).tolist() == [100] * 10
    tied = np.r_[np.zeros(500), np.linspace(0.1, 1, 500)]
    index = bin_index(tied, 10, "mass")
    assert np.unique(index[:500]).size == 1
    assert np.bincount(index).min() > 0


def test_bins_of_equal_width_leave_out_the_empty_ones():
    assert bin_index(np.array([0.0, 0.05, 0.95, 1.0]), 10, "width").tolist() == [0, 0, 1, 1]


def test_the_band_by_patient_holds_labels_that_were_no_surprise():
    """Small residuals turned round stay small: labels drawn from the probabilities show what they may be."""
    y = np.r_[np.ones(9), np.zeros(32)]
    p = np.r_[np.full(9, 0.9999), np.linspace(0.0001, 0.03, 32)]
    found = metrics.ece(y, p, patients=np.arange(41) // 2)
    assert found.value is not None and found.ci_low is not None and found.ci_high is not None
    assert found.ci_low <= found.value <= found.ci_high
