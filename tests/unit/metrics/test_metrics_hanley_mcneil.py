"""Interval widths foretold from counts, against the published table and against intervals of real scores."""

import numpy as np
import pytest
from scipy import stats

from medclassify.errors import MetricError
from medclassify.metrics import auroc, expected_auroc_interval


def test_the_standard_error_is_the_spread_of_aurocs_of_the_model_it_assumes() -> None:
    # exponential scores (the paper's model): P(positive > negative) = 1 / (1 + rate)
    random, n_pos, n_neg, rounds = np.random.default_rng(0), 20, 60, 4000
    positive, negative = random.exponential(0.85 / 0.15, (rounds, n_pos, 1)), random.exponential(1.0, (rounds, 1, n_neg))
    aurocs = (positive > negative).mean(axis=(1, 2))
    assert aurocs.mean() == pytest.approx(0.85, abs=0.003)
    assert expected_auroc_interval(0.85, n_pos, n_neg)[0] == pytest.approx(aurocs.std(), rel=0.04)


def test_it_is_a_little_wider_than_delong_finds_on_normal_scores() -> None:
    random = np.random.default_rng(0)
    shift = stats.norm.ppf(0.85) * np.sqrt(2)  # an AUROC of .85
    y = np.repeat([1, 0], [40, 120])
    found = [auroc(y, random.normal(size=160) + shift * y) for _ in range(200)]
    width = np.mean([one.ci_high - one.ci_low for one in found if one.ci_high is not None and one.ci_low is not None])
    _, low, high = expected_auroc_interval(0.85, 40, 120)
    assert 1.0 < (high - low) / width < 1.25


def test_limits_stay_inside_and_nonsense_is_refused() -> None:
    _, low, high = expected_auroc_interval(0.97, 3, 3)
    assert 0 < low < 0.97 < high < 1
    with pytest.raises(MetricError, match=r"auroc must lie between 0 and 1; received 1\.0\."):
        expected_auroc_interval(1.0, 5, 5)
    with pytest.raises(MetricError, match="needs a positive and a negative; received 0 and 5"):
        expected_auroc_interval(0.8, 0, 5)
