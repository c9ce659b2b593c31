import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from medclassify.metrics import clopper_pearson, wilson
from medclassify.metrics.proportions import normal_quantile, proportion, t_quantile


@pytest.mark.parametrize(("successes", "n"), [(0, 12), (1, 29), (15, 148), (81, 263), (12, 12)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_intervals_are_those_of_statsmodels(successes, n, level):
    ours = wilson(successes / n, n, normal_quantile(level))
    assert ours == pytest.approx(proportion_confint(successes, n, 1 - level, method="wilson"), abs=1e-12)
    exact = proportion_confint(successes, n, 1 - level, method="beta")
    assert clopper_pearson(successes, n, level) == pytest.approx(exact, abs=1e-12)


def test_limits_at_the_ends_are_exact_and_the_interval_is_not_empty():
    assert wilson(0.0, 30, 1.96)[0] == 0.0
    assert wilson(1.0, 30, 1.96)[1] == 1.0
    assert wilson(0.0, 30, 1.96)[1] > 0.1


def test_quantiles():
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054)
    assert t_quantile(0.95, 10) == pytest.approx(2.2281388519649385)


def test_without_repeats_n_is_n():
    success = np.array([True, False, True, True])
    for codes in (None, np.array([4, 2, 0, 1])):
        found = proportion(success, codes)
        assert (found.share, found.n, found.units, found.effective_n, found.clustered) == (0.75, 4, 4, 4.0, False)


def test_copies_are_worth_one():
    rng = np.random.default_rng(0)
    success = rng.random(400) < 0.7
    found = proportion(np.repeat(success, 6), np.repeat(np.arange(400), 6))
    assert (found.n, found.units, found.clustered) == (2400, 400, True)
    assert found.effective_n == pytest.approx(400, rel=0.02)


def test_independent_images_keep_nearly_all_their_worth():
    rng = np.random.default_rng(0)
    found = proportion(rng.random(2400) < 0.7, np.repeat(np.arange(400), 6))
    assert 1800 < found.effective_n <= 2400


def test_the_effective_number_by_hand():
    """Korn and Graubard: n over the design effect, times (z/t)² with one degree of freedom less than patients."""
    success = np.array([True, True, True, True, False, False])
    codes = np.array([0, 0, 0, 1, 1, 2])
    # share 2/3; sums of deviations 1, -1/3, -2/3; variance 3/2 (1 + 1/9 + 4/9) = 7/3; binomial 6 · 2/9 = 4/3
    found = proportion(success, codes)
    assert found.effective_n == pytest.approx(6 / (7 / 4) * (normal_quantile(0.95) / t_quantile(0.95, 2)) ** 2)


def test_images_that_differ_within_patients_are_not_worth_more_than_themselves():
    success = np.tile([True, False], 50)
    found = proportion(success, np.repeat(np.arange(50), 2))
    assert found.effective_n == pytest.approx(100 * (normal_quantile(0.95) / t_quantile(0.95, 49)) ** 2)


def test_a_share_of_one_shows_no_likeness_and_images_are_taken_as_copies():
    sizes = np.array([1, 2, 3, 4])
    found = proportion(np.ones(10, bool), np.repeat(np.arange(4), sizes))
    assert found.effective_n == pytest.approx(100 / (sizes**2).sum())
