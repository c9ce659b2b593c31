"""Weighted statistics against scikit-learn on rows that are really copied."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medclassify.metrics import WeightedAuroc, WeightedAveragePrecision, draw_patients, percentiles, replicate, replicate_ratios


@pytest.fixture(params=["no ties", "ties"])
def table(request):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 60, 200)
    y = rng.random(200) < 0.3
    score = rng.normal(size=200) + y
    return y, np.round(score, 1) if request.param == "ties" else score, codes


@pytest.mark.parametrize(
    ("statistic", "reference"), [(WeightedAuroc, roc_auc_score), (WeightedAveragePrecision, average_precision_score)]
)
def test_a_weighted_resample_is_the_copied_resample(table, statistic, reference):
    y, score, codes = table
    counts = np.concatenate(list(draw_patients(60, resamples=120, seed=3)))
    found = statistic(y, score, codes)(counts)
    for row in range(0, 120, 7):
        rows = np.repeat(np.arange(200), counts[row, codes])
        assert found[row] == pytest.approx(reference(y[rows], score[rows]), abs=1e-13)


@pytest.mark.parametrize(
    ("statistic", "reference"), [(WeightedAuroc, roc_auc_score), (WeightedAveragePrecision, average_precision_score)]
)
@pytest.mark.parametrize(
    ("levels", "share"), [(0, 0.002), (0, 0.9), (3, 0.4), (1, 0.5)], ids=["rare", "common", "three scores", "one score"]
)
def test_runs_longer_than_a_piece_are_summed_whole(statistic, reference, levels, share):
    rng = np.random.default_rng(0)
    y = rng.random(6000) < share
    score = rng.integers(0, levels, 6000).astype(float) if levels else rng.normal(size=6000) + y
    codes = np.arange(6000) // 2
    counts = next(draw_patients(3000, resamples=100, seed=0))[:3]
    counts[0] = 255  # the most that a patient may be drawn
    expected = [reference(np.repeat(y, counts[row, codes]), np.repeat(score, counts[row, codes])) for row in range(3)]
    assert statistic(y, score, codes)(counts) == pytest.approx(expected, abs=1e-12)


def test_a_tie_right_behind_the_first_row_counts_half():
    """From the top: a negative, then a positive tied with a negative, then a negative: 1.5 of 3 pairs."""
    y, score = np.array([False, True, False, False]), np.array([3.0, 2.0, 2.0, 1.0])
    once = np.ones((1, 4), np.uint8)
    assert WeightedAuroc(y, score, np.arange(4))(once)[0] == pytest.approx(0.5)
    assert WeightedAuroc(y, score, np.arange(4))(np.array([[2, 1, 1, 1]], np.uint8))[0] == pytest.approx(1.5 / 4)


def test_a_ratio_of_a_resample_is_the_copied_ratio(table):
    y, score, codes = table
    sums = [np.bincount(codes, weights=part, minlength=60) for part in (y & (score > 0), y, score, np.ones(200))]
    found = replicate_ratios(np.stack(sums[::2], axis=1), np.stack(sums[1::2], axis=1), resamples=100, seed=3)
    counts = np.concatenate(list(draw_patients(60, resamples=100, seed=3)))
    for row in (0, 41, 99):
        rows = np.repeat(np.arange(200), counts[row, codes])
        assert found[0, row] == pytest.approx((score[rows] > 0)[y[rows]].mean(), abs=1e-14)
        assert found[1, row] == pytest.approx(score[rows].mean(), abs=1e-13)


def test_a_ratio_without_denominator_is_undefined():
    one = np.array([[1.0], [0.0]])
    drawn = replicate_ratios(one, one, resamples=1000, seed=0)[0]
    assert 180 < np.isnan(drawn).sum() < 320  # one resample in four draws the second patient twice
    assert (drawn[~np.isnan(drawn)] == 1).all()


@pytest.mark.parametrize("n_patients", [1, 2, 60, 5000])
def test_every_resample_draws_as_many_patients_as_there_are(n_patients):
    counts = np.concatenate(list(draw_patients(n_patients, resamples=150, seed=0)))
    assert counts.shape == (150, n_patients)
    assert (counts.sum(axis=1, dtype=np.int64) == n_patients).all()


def test_draws_are_multinomial():
    counts = np.concatenate(list(draw_patients(40, resamples=20_000, seed=0))).astype(float)
    assert counts.mean(axis=0) == pytest.approx(np.ones(40), abs=0.04)
    covariance = np.cov(counts.T)
    assert np.diag(covariance) == pytest.approx(np.full(40, 1 - 1 / 40), abs=0.06)
    assert covariance[~np.eye(40, dtype=bool)].mean() == pytest.approx(-1 / 40, abs=0.002)


def test_the_seed_decides_and_the_blocks_do_not():
    first, again, other = (np.concatenate(list(draw_patients(3000, resamples=200, seed=seed))) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_statistics_share_their_resamples(table):
    y, score, codes = table
    statistic = WeightedAuroc(y, score, codes)
    drawn = replicate([statistic, statistic, WeightedAuroc(y, -score, codes)], 60, resamples=100, seed=0)
    assert drawn.shape == (3, 100)
    assert np.array_equal(drawn[0], drawn[1])
    assert drawn[0] + drawn[2] == pytest.approx(np.ones(100), abs=1e-13)


def test_a_resample_without_a_class_is_undefined_and_counted():
    y = np.array([True, False, False, False])
    drawn = replicate([WeightedAuroc(y, np.arange(4.0), np.arange(4))], 4, resamples=1000, seed=0)[0]
    failed = np.isnan(drawn).sum()
    assert 250 < failed < 380  # (3/4)^4 = 0.316 without the positive, and (1/4)^4 with nothing else
    found = percentiles(drawn)
    assert found.failed == failed
    assert found.note == f"{failed} of 1000 resamples undefined"
    assert found.method == "patient-bootstrap percentile (B=1000)"


def test_percentiles_are_those_of_the_defined_replicates():
    drawn = np.r_[np.arange(1001.0), np.full(9, np.nan)]
    found = percentiles(drawn, 0.90)
    assert (found.low, found.high, found.failed, found.resamples) == (pytest.approx(50), pytest.approx(950), 9, 1010)
    assert np.isnan(percentiles(np.full(5, np.nan)).low)
