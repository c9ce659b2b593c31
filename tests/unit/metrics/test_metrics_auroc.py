import numpy as np
import pytest
from scipy import stats

from medclassify import metrics
from medclassify.errors import MetricError
from medclassify.metrics.auroc import shrunk_variance
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
    assert found.ci_method == "logit-DeLong shrunk"


def test_the_logit_interval_is_the_logit_of_the_wald_one():
    y, score = binormal(60, 140, 0.85)
    logit, wald = metrics.auroc(y, score, interval="logit"), metrics.auroc(y, score, interval="wald")
    assert wald.ci_method == "Wald-DeLong"
    error = (wald.ci_high - wald.value) / stats.norm.ppf(0.975)
    centre = np.log(logit.value / (1 - logit.value))
    half = stats.norm.ppf(0.975) * error / (logit.value * (1 - logit.value))
    assert np.log(logit.ci_low / (1 - logit.ci_low)) == pytest.approx(centre - half, abs=1e-12)
    assert np.log(logit.ci_high / (1 - logit.ci_high)) == pytest.approx(centre + half, abs=1e-12)


def test_the_default_variance_leans_on_a_model_as_on_five_samples():
    assert shrunk_variance(0.9, 0.001, 20, 180) == pytest.approx(0.8 * 0.001 + 0.2 * hanley_mcneil(0.9, 20, 180))
    assert shrunk_variance(0.9, 0.001, 180, 20) == pytest.approx(shrunk_variance(0.1, 0.001, 20, 180))
    assert shrunk_variance(0.9, 0.001, 10**6, 10**6) == pytest.approx(0.001, rel=1e-3)


def hanley_mcneil(area: float, n_pos: int, n_neg: int) -> float:
    """Their formula written out, with the mean of both counts for each."""
    more = (n_pos + n_neg) / 2 - 1
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    return (area * (1 - area) + more * (q1 - area**2) + more * (q2 - area**2)) / (n_pos * n_neg)


def test_a_sample_that_happens_to_rank_well_does_not_look_sure():
    """One of twenty positives stands below a few of 180 negatives: DeLong's variance knows of one fault alone."""
    y = np.r_[np.ones(20), np.zeros(180)]
    score = np.r_[np.linspace(10, 12, 19), 2.25, np.linspace(0, 2.3, 180)]
    shrunk, plain = metrics.auroc(y, score), metrics.auroc(y, score, interval="logit")
    assert shrunk.value == plain.value > 0.99
    assert plain.ci_low > 0.99
    assert shrunk.ci_low < 0.985
    repeated = metrics.auroc(np.tile(y, 2), np.tile(score, 2), patients=np.tile(np.arange(200), 2))
    assert repeated.ci_method == "logit-Obuchowski shrunk"
    assert repeated.ci_low == pytest.approx(shrunk.ci_low, abs=2e-3)  # patients count, not images


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


@pytest.mark.parametrize("interval", ["shrunk", "logit", "wald"])
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
    assert (once.ci_method, row_wise.ci_method, by_patient.ci_method) == (
        "logit-DeLong shrunk",
        "logit-DeLong shrunk",
        "logit-Obuchowski shrunk",
    )
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


def test_an_area_just_below_1_is_no_less_certain_than_full_separation():
    """25 positives of 9 patients, one negative among them: on the logit scale alone the lower limit is .21."""
    y = np.r_[np.ones(25), np.zeros(516)]
    score = np.r_[np.arange(1000, 1025), np.arange(515), 1007.5]
    patients = np.r_[np.arange(25) // 3, 100 + np.arange(516) // 9]
    found = metrics.auroc(y, score, patients=patients)
    whole = metrics.auroc(y, np.where(score == 1007.5, 600, score), patients=patients)
    assert found.value is not None and found.ci_low is not None and whole.ci_low is not None
    assert 0.99 < found.value < 1 and whole.ci_low - 0.02 < found.ci_low < whole.ci_low
