"""Shifts of a score: seen where there is one, and chance's limit kept where there is none."""

import numpy as np
import pytest

from medclassify.errors import MetricError
from medclassify.metrics.score_shift import score_shift


def test_chance_alone_stays_below_the_limits_as_often_as_said():
    random = np.random.default_rng(0)
    found = [score_shift(random.normal(size=300), random.normal(size=200)) for _ in range(400)]
    assert np.mean([each.psi > each.psi_limit for each in found]) == pytest.approx(0.05, abs=0.035)
    assert np.mean([each.ks > each.ks_limit for each in found]) == pytest.approx(0.05, abs=0.035)


def test_a_planted_shift_is_seen():
    random = np.random.default_rng(1)
    found = score_shift(random.normal(size=8000), random.normal(0.5, size=8000))
    assert found.beyond_chance and found.ks == pytest.approx(0.197, abs=0.02)
    assert found.psi == pytest.approx(0.25, abs=0.04)  # of two normals half a deviation apart, without bins


def test_repeating_patients_widen_the_limits():
    scores = np.arange(100.0)
    patients = np.arange(100) // 4
    assert score_shift(scores, scores, patients1=patients, patients2=patients).ks_limit == pytest.approx(
        2 * score_shift(scores, scores).ks_limit
    )


def test_one_value_for_all_is_no_shift():
    found = score_shift([1] * 50, [1] * 70)
    assert (found.psi, found.ks, found.beyond_chance) == (pytest.approx(0, abs=1e-3), 0, False)


def test_an_empty_sample_is_refused():
    with pytest.raises(MetricError, match="score2 must hold at least one score; received none"):
        score_shift([1.0], [])
