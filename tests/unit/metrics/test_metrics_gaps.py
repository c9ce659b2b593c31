"""Differences of AUROCs and of rates between scores and groups."""

import numpy as np
import pytest
from scipy import stats

from medclassify import metrics
from medclassify.errors import MetricError
from medclassify.metrics.gap import mover
from medclassify.records import Status


def group(n: int, area: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.4
    return y, rng.normal(size=n) + y * np.sqrt(2) * stats.norm.ppf(area)


def test_paired_z_is_the_difference_over_its_error():
    y, first = group(200, 0.8, 0)
    second = first + np.random.default_rng(1).normal(size=200)
    areas, covariance = metrics.auroc_covariance(y, [first, second])
    gap = metrics.delong_paired(y, first, second)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert gap.estimate.value == pytest.approx(areas[0] - areas[1])
    assert gap.statistic == pytest.approx((areas[0] - areas[1]) / error)
    assert gap.p == pytest.approx(2 * stats.norm.sf(abs(gap.statistic)))
    assert (gap.estimate.ci_high - gap.estimate.ci_low) / 2 == pytest.approx(stats.norm.ppf(0.975) * error)
    assert gap.estimate.ci_method == "DeLong paired"


@pytest.mark.parametrize("patients", [None, np.arange(200) // 3])
def test_identical_curves_have_no_gap_and_a_p_of_one(patients):
    y, score = group(200, 0.8, 0)
    for other in (score, 3 * score - 7, np.exp(score)):
        gap = metrics.delong_paired(y, score, other, patients=patients)
        assert (gap.estimate.value, gap.estimate.ci_low, gap.estimate.ci_high, gap.p, gap.statistic) == (0, 0, 0, 1, 0)
        assert gap.estimate.ci_method == "identical ranking"


def test_ties_broken_another_way_are_not_identical():
    y, score = group(200, 0.8, 0)
    gap = metrics.delong_paired(y, score, np.round(score))
    assert gap.estimate.ci_method == "DeLong paired"
    assert gap.p < 1


def test_two_separating_scores_do_not_have_a_certain_gap_of_zero():
    y = np.r_[np.ones(20), np.zeros(40)]
    rng = np.random.default_rng(0)
    gap = metrics.delong_paired(y, y + rng.random(60) / 2, y + rng.random(60) / 2)
    assert (gap.estimate.value, gap.p) == (0, 1)
    assert gap.estimate.ci_low < -0.1
    assert gap.estimate.ci_high > 0.1
    assert gap.estimate.ci_method == "MOVER exact-pairs"


def test_paired_by_patient_is_wider_than_by_row():
    y, first = group(200, 0.8, 0)
    second = first + np.random.default_rng(1).normal(size=200)
    rows = np.tile(np.arange(200), 4)
    by_row = metrics.delong_paired(y[rows], first[rows], second[rows])
    by_patient = metrics.delong_paired(y[rows], first[rows], second[rows], patients=rows)
    assert by_patient.estimate.ci_method == "Obuchowski paired"
    assert by_patient.p > by_row.p


def test_unpaired_is_welch():
    a, b = group(150, 0.8, 0), group(90, 0.7, 1)
    gap = metrics.delong_unpaired(*a, *b)
    va, vb = (metrics.auroc_covariance(y, [score])[1][0, 0] for y, score in (a, b))
    df = (va + vb) ** 2 / (va**2 / 149 + vb**2 / 89)
    value = metrics.auroc(*a).value - metrics.auroc(*b).value
    assert gap.estimate.value == pytest.approx(value)
    assert gap.df == pytest.approx(df)
    assert gap.statistic == pytest.approx(value / np.sqrt(va + vb))
    assert gap.p == pytest.approx(2 * stats.t.sf(abs(gap.statistic), df))
    assert gap.estimate.ci_high - value == pytest.approx(stats.t.ppf(0.975, df) * np.sqrt(va + vb))


def test_unpaired_groups_may_not_share_a_patient():
    a, b = group(50, 0.8, 0), group(50, 0.7, 1)
    with pytest.raises(MetricError, match="2 patients are in both groups, which are therefore not independent. Use auroc_gap"):
        metrics.delong_unpaired(*a, *b, patients1=np.arange(50), patients2=np.arange(48, 98))


def test_gap_of_disjoint_groups_is_the_unpaired_test():
    a, b = group(150, 0.8, 0), group(90, 0.7, 1)
    assert metrics.auroc_gap(*a, *b) == metrics.delong_unpaired(*a, *b)
    ids = [f"a{n // 2}" for n in range(150)], [f"b{n // 3}" for n in range(90)]
    gap = metrics.auroc_gap(*a, *b, patients1=ids[0], patients2=ids[1])
    assert gap == metrics.delong_unpaired(*a, *b, patients1=ids[0], patients2=ids[1])
    assert gap.estimate.ci_method == "Obuchowski unpaired"


def test_gap_of_groups_that_share_patients_resamples_patients():
    """The same patients in both views: what they share falls out of the difference."""
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.4
    effect = rng.normal(size=300) + 1.2 * y
    first, second = effect + 0.3 * rng.normal(size=300), effect + 0.3 * rng.normal(size=300)
    ids = np.arange(300)
    shared = metrics.auroc_gap(y, first, y, second, patients1=ids, patients2=ids)
    apart = metrics.delong_unpaired(y, first, y, second)
    paired = metrics.delong_paired(y, first, second)
    assert shared.estimate.ci_method == "patient-bootstrap percentile (B=2000)"
    assert shared.estimate.value == pytest.approx(paired.estimate.value)
    width = shared.estimate.ci_high - shared.estimate.ci_low
    assert width == pytest.approx(paired.estimate.ci_high - paired.estimate.ci_low, rel=0.15)
    assert width < 0.7 * (apart.estimate.ci_high - apart.estimate.ci_low)
    assert shared.p == pytest.approx(paired.p, abs=0.1)
    same = metrics.auroc_gap(y, first, y, first, patients1=ids, patients2=ids)
    assert (same.estimate.value, same.p) == (0, 1)


def test_a_separated_group_keeps_its_uncertainty():
    separated = np.r_[np.ones(20), np.zeros(30)], np.r_[np.ones(20), np.zeros(30)] + np.linspace(0, 0.5, 50)
    gap = metrics.auroc_gap(*separated, *group(200, 0.8, 0))
    assert gap.estimate.ci_method == "MOVER exact-pairs"
    assert gap.p is None
    assert gap.estimate.value - gap.estimate.ci_low > 0.15
    assert "no variance" in gap.estimate.note


def test_a_small_group_is_named():
    a, b = group(150, 0.8, 0), group(150, 0.7, 1)
    few = np.flatnonzero(~b[0])[:30].tolist() + np.flatnonzero(b[0])[:3].tolist()
    gap = metrics.auroc_gap(*a, b[0][few], b[1][few])
    assert gap.estimate.status is Status.NOT_ESTIMABLE
    assert gap.estimate.note == "second group: n_pos=3"
    assert gap.p is None
    more = np.flatnonzero(~b[0])[:30].tolist() + np.flatnonzero(b[0])[:12].tolist()
    gap = metrics.auroc_gap(b[0][more], b[1][more], *a)
    assert gap.estimate.status is Status.UNSTABLE
    assert gap.estimate.note == "first group: n_pos=12"


def test_mover_of_symmetric_limits_is_pythagoras():
    assert mover((0.8, 0.7, 0.9), (0.6, 0.5, 0.7)) == pytest.approx((0.2 - np.sqrt(0.02), 0.2 + np.sqrt(0.02)))


def calls(n: int, sensitivity: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.5
    return y, rng.random(n) < np.where(y, sensitivity, 0.2)


def test_newcombe_is_the_published_example():
    """Newcombe 1998, Table II, contrast (a): 56/70 against 48/80, method 10."""
    assert metrics.newcombe_interval(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_rate_gaps_join_test_and_interval():
    a, b = calls(300, 0.9, 0), calls(200, 0.8, 1)
    gaps = metrics.rate_gaps(*a, *b)
    assert tuple(gaps) == metrics.RATES
    one, two = metrics.rates(*a)["sensitivity"], metrics.rates(*b)["sensitivity"]
    gap = gaps["sensitivity"]
    assert gap.estimate.value == pytest.approx(one.value - two.value)
    limits = mover((one.value, one.ci_low, one.ci_high), (two.value, two.ci_low, two.ci_high))
    assert (gap.estimate.ci_low, gap.estimate.ci_high) == pytest.approx(limits)
    assert gap.estimate.ci_method == "Newcombe"
    touching = metrics.rate_gaps(*a, *b, level=1 - gap.p)["sensitivity"].estimate
    assert touching.ci_low == pytest.approx(0, abs=1e-9)
    assert gaps["fnr"].estimate.value == pytest.approx(-gap.estimate.value)
    assert gaps["fnr"].p == pytest.approx(gap.p)


def test_equal_rates_have_p_one_and_hopeless_ones_p_zero():
    a = calls(300, 0.9, 0)
    assert metrics.rate_gaps(*a, *a)["sensitivity"].p == 1
    y = np.repeat([1, 0], 20_000)
    assert metrics.rate_gaps(y, y, y, 1 - y)["sensitivity"].p == 0


def test_equal_auroc_can_hide_unequal_sensitivity():
    """Trap: the same ranking, shifted in one group, misses more there at the frozen threshold."""
    y, score = group(1000, 0.9, 0)
    shifted = score - 1
    assert metrics.auroc_gap(y, score, y, shifted).estimate.value == pytest.approx(0, abs=1e-12)
    gap = metrics.rate_gaps(y, score > 0.8, y, shifted > 0.8)["sensitivity"]
    assert gap.estimate.ci_low > 0.2


def test_rate_gaps_of_shared_patients_resample_patients():
    y, decision = calls(300, 0.85, 0)
    other = np.where(np.random.default_rng(3).random(300) < 0.05, ~decision, decision)
    ids = np.arange(300)
    shared = metrics.rate_gaps(y, decision, y, other, patients1=ids, patients2=ids)["sensitivity"].estimate
    apart = metrics.rate_gaps(y, decision, y, other)["sensitivity"].estimate
    assert shared.ci_method == "patient-bootstrap percentile (B=2000)"
    assert shared.value == apart.value
    assert shared.ci_high - shared.ci_low < 0.8 * (apart.ci_high - apart.ci_low)


def test_rate_gaps_by_patient_use_effective_numbers():
    a, b = calls(300, 0.9, 0), calls(200, 0.8, 1)
    rows1, rows2 = np.tile(np.arange(300), 3), np.tile(np.arange(200), 3)
    once = metrics.rate_gaps(*a, *b)["sensitivity"].estimate
    copied = metrics.rate_gaps(
        a[0][rows1], a[1][rows1], b[0][rows2], b[1][rows2],
        patients1=[f"a{n}" for n in rows1], patients2=[f"b{n}" for n in rows2],
    )["sensitivity"].estimate  # fmt: skip
    assert copied.ci_method == "Newcombe n_eff"
    assert copied.ci_high - copied.ci_low == pytest.approx(once.ci_high - once.ci_low, rel=0.05)


def test_a_rate_without_denominator_has_no_gap():
    a = calls(300, 0.9, 0)
    gap = metrics.rate_gaps(*a, np.zeros(50), np.zeros(50), patients1=np.arange(300), patients2=np.arange(290, 340))
    assert gap["sensitivity"].estimate.status is Status.NOT_ESTIMABLE
    assert gap["sensitivity"].estimate.note == "second group: n_pos=0"
    assert gap["specificity"].estimate.value is not None
