import numpy as np
import pytest
from scipy import stats

from medclassify import metrics
from medclassify.errors import MetricError
from medclassify.records import Status


def binormal(n_pos: int, n_neg: int, area: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.r_[np.ones(n_pos), np.zeros(n_neg)]
    return y, rng.normal(size=y.size) + y * np.sqrt(2) * stats.norm.ppf(area)


def test_a_curve_by_hand():
    # 5 positives, 5 negatives; wins 5+5+4+3.5+2 of 25 pairs
    y = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    score = [9, 8, 6, 5, 2, 7, 5, 1, 1, 0]
    found = metrics.auroc(y, score)
    assert found.value == pytest.approx((5 + 5 + 4 + 3.5 + 3) / 25, abs=1e-15)
    assert found.ci_method == "logit-DeLong"


def test_the_default_interval_is_the_logit_of_the_wald_one():
    y, score = binormal(60, 140, 0.85)
    logit, wald = metrics.auroc(y, score), metrics.auroc(y, score, interval="wald")
    assert wald.ci_method == "Wald-DeLong"
    error = (wald.ci_high - wald.value) / stats.norm.ppf(0.975)
    centre = np.log(logit.value / (1 - logit.value))
    half = stats.norm.ppf(0.975) * error / (logit.value * (1 - logit.value))
    assert np.log(logit.ci_low / (1 - logit.ci_low)) == pytest.approx(centre - half, abs=1e-12)
    assert np.log(logit.ci_high / (1 - logit.ci_high)) == pytest.approx(centre + half, abs=1e-12)


def test_a_wald_limit_past_one_is_neither_clipped_nor_hidden():
    y, score = binormal(10, 90, 0.97, seed=3)
    wald, logit = metrics.auroc(y, score, interval="wald"), metrics.auroc(y, score)
    assert wald.ci_high > 1
    assert f"Wald limit {wald.ci_high:.3f} lies outside [0, 1]" in wald.note
    assert logit.ci_high < 1
    assert "Wald" not in logit.note


def test_a_lower_level_gives_a_narrower_interval():
    y, score = binormal(60, 140, 0.85)
    wide, narrow = metrics.auroc(y, score), metrics.auroc(y, score, level=0.5)
    assert wide.ci_low < narrow.ci_low < narrow.value < narrow.ci_high < wide.ci_high


@pytest.mark.parametrize("interval", ["logit", "wald"])
@pytest.mark.parametrize(("turned", "value"), [(False, 1.0), (True, 0.0)])
def test_full_separation_has_an_exact_interval_and_says_so(interval, turned, value):
    y = np.r_[np.ones(10), np.zeros(90)]
    score = np.arange(100.0) if turned else -np.arange(100.0)
    found = metrics.auroc(y, score, interval=interval)
    # ten independent pairs all came out in order: P = A^10, so A >= 0.025^(1/10)
    limit = 0.025**0.1
    assert found.value == value
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0, 1 - limit) if turned else (limit, 1.0), abs=1e-12)
    assert found.ci_method == "exact-pairs"
    assert "fully separated" in found.note


def test_one_score_for_all_has_no_zero_width_interval():
    found = metrics.auroc([1] * 30 + [0] * 50, np.ones(80))
    assert found.value == 0.5
    assert found.ci_low < 0.35
    assert found.ci_high > 0.65
    assert found.ci_method == "exact-pairs"
    assert "the scores do not vary" in found.note


def test_separation_counts_patients_and_uses_none_twice():
    # 30 patients, each with one positive and one negative image: at most 15 pairs of different patients
    y = np.r_[np.ones(30), np.zeros(30)]
    score = np.r_[np.ones(30) + np.arange(30), -np.arange(30.0)]
    patients = np.r_[np.arange(30), np.arange(30)]
    assert metrics.auroc(y, score, patients=patients).ci_low == pytest.approx(0.025 ** (1 / 15), abs=1e-12)
    assert metrics.auroc(y, score).ci_low == pytest.approx(0.025 ** (1 / 30), abs=1e-12)


def test_repeated_patients_choose_obuchowski_and_widen_the_interval():
    """Trap: row-wise intervals with repeated patients. Six copies of an image are worth one image."""
    y, score = binormal(60, 140, 0.85)
    once = metrics.auroc(y, score, patients=[f"p{n}" for n in range(200)])
    rows = np.tile(np.arange(200), 6)
    row_wise = metrics.auroc(y[rows], score[rows])
    by_patient = metrics.auroc(y[rows], score[rows], patients=rows)
    assert (once.ci_method, row_wise.ci_method, by_patient.ci_method) == ("logit-DeLong", "logit-DeLong", "logit-Obuchowski")
    assert by_patient.value == pytest.approx(once.value, abs=1e-15)
    assert (by_patient.ci_low, by_patient.ci_high) == pytest.approx((once.ci_low, once.ci_high), abs=0.002)
    assert (row_wise.ci_high - row_wise.ci_low) < 0.5 * (by_patient.ci_high - by_patient.ci_low)


def test_float32_ties_would_move_the_figure_and_are_refused():
    """Trap: scores saved in fewer bits make ties."""
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.5
    score = 1e4 + 1e-5 * (rng.normal(size=400) + y)
    rounded = score.astype(np.float32)
    assert np.unique(score).size > 398
    assert np.unique(rounded).size == 1
    with pytest.raises(MetricError, match="float64"):
        metrics.auroc(y, rounded)
    assert metrics.auroc(y, score).value > 0.7
    assert metrics.auroc(y, rounded.astype(np.float64)).value == 0.5


def test_covariance_needs_two_of_each_class():
    with pytest.raises(MetricError, match="y must hold positives of at least 2 patients for a variance; received 1"):
        metrics.auroc_covariance([1, 0, 0], [[1.0, 2.0, 3.0]])
    with pytest.raises(MetricError, match="y must hold negatives of at least 2 patients for a variance; received 1"):
        metrics.auroc_covariance([1, 1, 0, 0], [[1.0, 2.0, 3.0, 4.0]], patients=["a", "b", "c", "c"])
    with pytest.raises(MetricError, match=r"scores must hold at least one row \(k, n\); received none"):
        metrics.auroc_covariance([1, 0], [])


def test_covariance_of_several_scores_holds_each_ones_variance():
    y, first = binormal(40, 60, 0.8)
    second = first + np.random.default_rng(1).normal(size=100)
    areas, covariance = metrics.auroc_covariance(y, [first, second])
    assert areas == pytest.approx([metrics.auroc(y, first).value, metrics.auroc(y, second).value])
    assert covariance == pytest.approx(covariance.T)
    assert covariance[0, 0] == pytest.approx(metrics.auroc_covariance(y, [first])[1][0, 0])
    assert 0 < covariance[0, 1] < covariance[1, 1]


def test_an_estimate_is_made_of_plain_numbers():
    found = metrics.auroc(*binormal(30, 30, 0.8))
    assert [type(part) for part in (found.value, found.ci_low, found.ci_high)] == [float] * 3
    assert found.status is Status.OK
