"""Several classes, groups, thresholds or comparisons at once, against the definitions written out."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from medclassify import metrics
from medclassify.errors import MetricError
from medclassify.records import Status


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_hand_till_is_scikit_learns_one_against_one(rng):
    y = rng.integers(0, 4, 240)
    raw = rng.random((240, 4)) + np.eye(4)[y]
    p = raw / raw.sum(axis=1, keepdims=True)
    found = metrics.hand_till(y, p, resamples=200)
    assert found.value == pytest.approx(roc_auc_score(y, p, multi_class="ovo"), abs=1e-13)
    by_hand = [
        np.mean([(p[y == i, i][:, None] > p[y == j, i]).mean(), (p[y == j, j][:, None] > p[y == i, j]).mean()])
        for i, j in combinations(range(4), 2)
    ]
    assert found.value == pytest.approx(np.mean(by_hand), abs=1e-13)
    assert 0.5 < found.ci_low < found.value < found.ci_high < 1
    by_patient = metrics.hand_till(np.tile(y, 4), np.tile(p, (4, 1)), patients=np.tile(np.arange(240), 4), resamples=200)
    assert by_patient.value == pytest.approx(found.value, abs=1e-13)
    assert by_patient.ci_high - by_patient.ci_low == pytest.approx(found.ci_high - found.ci_low, rel=0.01)


def test_hand_till_of_two_classes_is_the_auroc_and_a_small_class_is_said(rng):
    y, score = rng.integers(0, 2, 80), rng.random(80)
    p = np.stack([1 - score, score], axis=1)
    assert metrics.hand_till(y, p, resamples=100).value == pytest.approx(metrics.auroc(y, score).value, abs=1e-13)
    small = metrics.hand_till(np.r_[y, [2] * 4], np.c_[rng.random((84, 3))], resamples=100)
    assert (small.status, small.note) == (Status.NOT_ESTIMABLE, "class 2: n=4")


def test_decision_curve_is_the_formula(rng):
    p = rng.random(500)
    y = rng.random(500) < p
    at = np.array([0.05, 0.2, 0.6])
    curve = metrics.decision_curve(y, p, at)
    for k, t in enumerate(at):
        tp, fp = np.sum(y & (p >= t)), np.sum(~y & (p >= t))
        assert curve.net_benefit[k] == pytest.approx((tp - fp * t / (1 - t)) / 500, abs=1e-14)
        assert curve.all_called[k] == pytest.approx(y.mean() - (~y).mean() * t / (1 - t), abs=1e-14)
    doubled = metrics.decision_curve(np.tile(y, 2), np.tile(p, 2), at, patients=np.tile(np.arange(500), 2))
    assert doubled.ci_low == pytest.approx(curve.ci_low, abs=1e-12)
    assert (curve.ci_low < curve.net_benefit).all()


def test_net_benefit_covers(rng):
    grid = np.linspace(0.2, 1, 20_001)
    truth = np.trapezoid((grid - (1 - grid) / 4) * 3 * (1 - grid) ** 2, grid)  # over the density of Beta(1, 3)
    held = 0
    for _ in range(400):
        p = rng.beta(1, 3, 300)
        curve = metrics.decision_curve(rng.random(300) < p, p, [0.2])
        held += curve.ci_low[0] <= truth <= curve.ci_high[0]
    assert 0.92 < held / 400 < 0.98


def test_equalised_odds_is_the_larger_spread(rng):
    y, called, group = rng.random(900) < 0.4, rng.random(900) < 0.5, rng.choice(["a", "b", "c"], 900)
    found = metrics.equalised_odds_difference(y, called, group, resamples=200)
    rates = [[called[(group == g) & (y == k)].mean() for g in "abc"] for k in (1, 0)]
    assert found.value == pytest.approx(max(np.ptp(rates[0]), np.ptp(rates[1])), abs=1e-14)
    few = metrics.equalised_odds_difference(y, called, np.where(np.arange(900) < 12, "few", group), resamples=200)
    assert few.note == "left out, too small: few"
    alone = metrics.equalised_odds_difference(y, called, ["a"] * 900)
    assert alone.status is Status.NOT_ESTIMABLE


def test_debiased_error_is_the_formula_and_near_zero_for_a_calibrated_model(rng):
    p = rng.random(4000)
    y = rng.random(4000) < p
    total = 0.0
    for k in range(10):
        rows = (p >= k / 10) & (p < (k + 1) / 10)
        share = y[rows].mean()
        total += rows.sum() / 4000 * ((share - p[rows].mean()) ** 2 - share * (1 - share) / (rows.sum() - 1))
    found = metrics.debiased_calibration_error(y, p, bins=10, binning="width")
    assert found == pytest.approx(max(total, 0) ** 0.5, abs=1e-12)
    squares = []
    for _ in range(200):
        q = rng.random(200)
        squares.append(metrics.debiased_calibration_error(rng.random(200) < q**2, q, bins=10) ** 2)
    assert np.mean(squares) == pytest.approx(1 / 30, abs=0.002)  # ∫(p − p²)² dp; the plug-in would be .0336 + .008


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_adjusted_p_leaves_out_what_was_not_tested(ours, theirs):
    p = [0.01, None, 0.04, 0.03, None, 0.2, 0.03, 0.9, 0.011]
    found = metrics.adjusted_p(p, ours)
    assert [each is None for each in found] == [each is None for each in p]
    tested = [each for each in p if each is not None]
    assert [each for each in found if each is not None] == pytest.approx(multipletests(tested, method=theirs)[1], abs=1e-15)
    assert metrics.adjusted_p([None], ours) == [None]


def test_max_t_of_one_normal_is_its_interval_and_of_copies_too(rng):
    one = rng.normal(0.1, 0.05, (1, 200_000))
    found = metrics.max_t([0.1], one)
    assert found.critical == pytest.approx(1.96, abs=0.02)
    assert metrics.max_t([0.1, 0.1], np.repeat(one, 2, axis=0)).critical == pytest.approx(found.critical)
    ten = metrics.max_t(np.zeros(10), rng.normal(0, 1, (10, 200_000)))
    assert ten.critical == pytest.approx(2.80, abs=0.03)  # Šidák: Φ⁻¹((1 + .95^(1/10))/2)
    assert found.p[0] == pytest.approx(0.0455, abs=0.003)  # two standard errors


def test_worst_group_stands_beside_what_chance_shows(rng):
    """Identical groups of 200, half of them ill, AUROC .8: chance alone makes a gap, and more of it with more groups."""
    for groups, expected in ((2, 0.035), (8, 0.090)):
        y = rng.random(200 * groups) < 0.5
        score = rng.normal(size=y.size) + 1.19 * y
        label = np.repeat(np.arange(groups), 200)
        found = metrics.worst_group_gap(y, score, label, permutations=300)
        assert found.null_mean == pytest.approx(expected, abs=0.012)
        areas = [roc_auc_score(y[label == g], score[label == g]) for g in range(groups)]
        assert found.gap == pytest.approx(np.ptp(areas), abs=1e-13)
        assert found.p > 0.01
    worse = np.where(label == 3, rng.normal(size=y.size), score)
    assert metrics.worst_group_gap(y, worse, label, permutations=300).p < 0.01


def test_worst_group_keeps_a_patients_images_together(rng):
    patients = np.repeat(np.arange(150), 4)
    y = (rng.random(150) < 0.5)[patients]
    score = rng.normal(size=150)[patients] + 1.2 * y
    label = rng.integers(0, 3, 150)[patients]
    by_patient = metrics.worst_group_gap(y, score, label, patients=patients, permutations=300)
    by_row = metrics.worst_group_gap(y, score, label, permutations=300)
    assert by_patient.null_mean > 1.5 * by_row.null_mean


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: metrics.hand_till([0, 1], [0.1, 0.2]),
            "column a class (n, k), k of 2 or more; received shape (2,).",
        ),
        (lambda: metrics.hand_till([0, 3], np.ones((2, 2))), "y must hold classes 0 to 1 as integers; received int64."),
        (lambda: metrics.decision_curve([0, 1], [0.1, 0.2], [1.0]), "thresholds must lie between 0 and 1; received 1 to 1."),
        (lambda: metrics.decision_curve([0], [0.1], [0.5]), "needs samples of at least 2 patients; received 1."),
        (lambda: metrics.equalised_odds_difference([0, 1], [0, 1], ["a"]), "must be as long; received 2, 2, 1."),
        (lambda: metrics.debiased_calibration_error([], []), "at least one sample for a calibration error; received none."),
        (lambda: metrics.adjusted_p([0.1], "by"), "method must be 'holm' or 'bh'; received 'by'."),
        (lambda: metrics.adjusted_p([1.1]), "p must lie in [0, 1] or be None; received 1.1."),
        (
            lambda: metrics.max_t([0.0], np.ones((2, 200))),
            "(k, B) for k values; received (2, 200) for (1,).",
        ),
        (lambda: metrics.max_t([0.0], np.ones((1, 50))), "100 resamples in which every value is defined; received 50."),
        (lambda: metrics.max_t([1.0], np.ones((1, 200))), "replicates must vary: row 0 holds one value."),
        (
            lambda: metrics.worst_group_gap([0, 1] * 20, np.arange(40), [0, 1] * 20, patients=np.arange(40) // 2),
            "group must be one a patient; a patient is in two.",
        ),
        (
            lambda: metrics.worst_group_gap([0, 1] * 20, np.arange(40), [0] * 39),
            "one value a label: expected 40, received 39.",
        ),
        (
            lambda: metrics.worst_group_gap([0, 1] * 20, np.arange(40), [0] * 40),
            "5 positives and negatives each; received 1 of 1 groups.",
        ),
    ],
)
def test_what_cannot_be_computed_is_said_in_one_line(call, said):
    with pytest.raises(MetricError) as raised:
        call()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
