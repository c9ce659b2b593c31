"""Whether 95 % intervals hold the truth in 95 of 100 samples: small simulations of what docs/metrics.md states."""

import numpy as np
import pytest
from scipy.special import ndtri

from medclassify import metrics


def binormal(rng: np.random.Generator, n_pos: int, n_neg: int, area: float) -> tuple[np.ndarray, np.ndarray]:
    y = np.r_[np.ones(n_pos, bool), np.zeros(n_neg, bool)]
    return y, rng.normal(size=y.size) + np.sqrt(2) * ndtri(area) * y


def outliers(rng: np.random.Generator, n_pos: int, n_neg: int, area: float) -> tuple[np.ndarray, np.ndarray]:
    """Positives stand above all negatives, but for a share of 1 − area that stands below: mislabelled images."""
    y = np.r_[np.ones(n_pos, bool), np.zeros(n_neg, bool)]
    astray = rng.random(y.size) < 1 - area
    return y, np.where(y, np.where(astray, -1, 1) * (1 + rng.random(y.size)), 0.5 * rng.random(y.size))


def coverage(draw, n_pos: int, n_neg: int, area: float, rounds: int = 500, **options) -> tuple[float, float]:
    """Share of intervals that hold the truth, and share of samples that are fully separated."""
    rng = np.random.default_rng(0)
    found = [metrics.auroc(*draw(rng, n_pos, n_neg, area), **options) for _ in range(rounds)]
    return float(np.mean([one.ci_low <= area <= one.ci_high for one in found])), float(
        np.mean([one.value == 1 for one in found])
    )


@pytest.mark.parametrize(("area", "least"), [(0.75, 0.92), (0.90, 0.87), (0.97, 0.89)])
def test_logit_delong_with_ten_positives(area, least):
    held, _ = coverage(binormal, 10, 90, area)
    assert held >= least
    if area > 0.8:
        wald, _ = coverage(binormal, 10, 90, area, interval="wald")
        assert held > wald + 0.03


@pytest.mark.parametrize("interval", ["shrunk", "logit"])
@pytest.mark.parametrize(
    ("draw", "area"), [(binormal, 0.99), (binormal, 0.995), (binormal, 0.999), (outliers, 0.85), (outliers, 0.9)]
)
def test_full_separation_is_covered(draw, area, interval):
    """Where a good part of the samples separates, an interval without width would lose that part."""
    held, separated = coverage(draw, 10, 90, area, interval=interval)
    assert separated > 0.1
    # Shrinking takes a few positives below all negatives for the tail of a smooth curve (docs/metrics.md).
    assert held >= (0.909 if draw is outliers and interval == "shrunk" else 0.95)


def test_obuchowski_covers_where_row_wise_delong_does_not():
    """Trap: row-wise intervals with repeated patients; 150 patients with 1 to 6 images that resemble each other."""
    rng = np.random.default_rng(0)

    def sample(n_patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        patients = np.repeat(np.arange(n_patients), rng.integers(1, 7, n_patients))
        ill = (rng.random(n_patients) < 0.35)[patients]
        return ill, 1.2 * ill + rng.normal(size=n_patients)[patients] + 0.7 * rng.normal(size=patients.size), patients

    y, score, _ = sample(40_000)
    truth = metrics.auroc(y, score).value
    held = {"rows": 0, "patients": 0}
    for _ in range(300):
        y, score, patients = sample(150)
        for name, found in (("rows", metrics.auroc(y, score)), ("patients", metrics.auroc(y, score, patients=patients))):
            held[name] += found.ci_low <= truth <= found.ci_high
    assert held["rows"] / 300 < 0.85
    assert held["patients"] / 300 > 0.91


@pytest.mark.parametrize(("n_patients", "share"), [(30, 0.8), (80, 0.9)])
def test_effective_numbers_cover_where_row_wise_wilson_does_not(n_patients, share):
    rng = np.random.default_rng(0)
    held = {"rows": 0, "patients": 0}
    for _ in range(500):
        patients = np.repeat(np.arange(n_patients), rng.integers(1, 7, n_patients))
        mean = rng.beta(2 * share, 2 * (1 - share), n_patients)[patients]
        called, y = rng.random(patients.size) < mean, np.ones(patients.size)
        for name, ids in (("rows", None), ("patients", patients)):
            found = metrics.rates(y, called, patients=ids)["sensitivity"]
            held[name] += found.ci_low <= share <= found.ci_high
    assert held["rows"] / 500 < 0.9
    assert held["patients"] / 500 > 0.925
