"""What every statistic must do, on whatever data: order, monotone transforms, flipped labels, ties, one image a patient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from medclassify import metrics
from medclassify.metrics.clustered import obuchowski_covariance
from medclassify.metrics.ranks import placements

SEEDS = st.integers(0, 2**32 - 1)
REPEATABLE = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def rankings(draw, least: int = 5, most: int = 40):
    """Labels and scores with many ties, some ties, or none."""
    n_pos, n_neg = draw(st.integers(least, most)), draw(st.integers(least, most))
    rng = np.random.default_rng(draw(SEEDS))
    y = rng.permutation(np.r_[np.ones(n_pos, int), np.zeros(n_neg, int)])
    score = rng.normal(size=y.size) + draw(st.floats(-2, 3)) * y
    digits = draw(st.sampled_from([None, 1, 0]))
    return y, score if digits is None else np.round(score, digits)


def brute_force(y: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """AUROC and DeLong's variance from the kernel matrix of all pairs, O(n²), as the paper defines them."""
    x, z = score[y == 1][:, None], score[y == 0][None, :]
    kernel = (x > z) + 0.5 * (x == z)
    variance = kernel.mean(axis=1).var(ddof=1) / x.size + kernel.mean(axis=0).var(ddof=1) / z.size
    return float(kernel.mean()), float(variance)


@REPEATABLE
@given(rankings())
def test_auroc_and_variance_are_those_of_all_pairs(data):
    y, score = data
    areas, covariance = metrics.auroc_covariance(y, [score])
    assert (areas[0], covariance[0, 0]) == pytest.approx(brute_force(y, score), abs=1e-13)


@REPEATABLE
@given(rankings())
def test_values_agree_with_scikit_learn(data):
    y, score = data
    assert metrics.auroc(y, score).value == pytest.approx(roc_auc_score(y, score), abs=1e-13)
    found = metrics.auprc(y, score, resamples=100)
    assert found.value == pytest.approx(average_precision_score(y, score), abs=1e-13)


@REPEATABLE
@given(rankings(), SEEDS)
def test_the_order_of_samples_does_not_matter(data, seed):
    y, score = data
    shuffled = np.random.default_rng(seed).permutation(y.size)
    patients = np.arange(y.size) // 2
    probability = 1 / (1 + np.exp(-score))
    for statistic, values in ((metrics.auroc, score), (metrics.brier, probability), (metrics.oe_ratio, probability)):
        for ids in (None, patients):
            first = statistic(y, values, patients=ids)
            second = statistic(y[shuffled], values[shuffled], patients=None if ids is None else ids[shuffled])
            assert (first.status, first.ci_method) == (second.status, second.ci_method)
            if first.value is not None:
                limits = (first.value, first.ci_low, first.ci_high)
                assert limits == pytest.approx((second.value, second.ci_low, second.ci_high), abs=1e-12)


@REPEATABLE
@given(rankings())
def test_a_strictly_monotone_transform_changes_nothing(data):
    y, score = data
    for transform in (lambda s: 2 * s + 1, np.arctan, lambda s: np.unique(s, return_inverse=True)[1]):
        assert metrics.auroc(y, transform(score)) == metrics.auroc(y, score)
        assert metrics.auprc(y, transform(score), resamples=100) == metrics.auprc(y, score, resamples=100)


@REPEATABLE
@given(rankings())
def test_flipped_labels_and_turned_scores_mirror_the_curve(data):
    y, score = data
    found = metrics.auroc(y, score)
    for mirrored in (metrics.auroc(1 - y, score), metrics.auroc(y, -score)):
        assert mirrored.value == pytest.approx(1 - found.value, abs=1e-13)
        assert (mirrored.ci_low, mirrored.ci_high) == pytest.approx((1 - found.ci_high, 1 - found.ci_low), abs=1e-10)
    assert metrics.auroc(1 - y, -score).value == pytest.approx(found.value, abs=1e-13)


@REPEATABLE
@given(rankings())
def test_an_interval_holds_its_value_stays_in_range_and_is_never_empty(data):
    y, score = data
    for found in (metrics.auroc(y, score), metrics.auroc(y, score, patients=np.arange(y.size) // 2)):
        if found.value is not None:
            assert 0 <= found.ci_low <= found.value <= found.ci_high <= 1
            assert found.ci_high - found.ci_low > 1e-6


@REPEATABLE
@given(st.floats(-1e6, 1e6).filter(lambda x: x != 0))
def test_one_ulp_apart_is_not_a_tie(at):
    above = np.nextafter(at, np.inf)
    y, tied = [1] * 6 + [0] * 6, [at] * 12
    assert metrics.auroc(y, tied).value == 0.5
    assert metrics.auroc(y, [above] * 6 + [at] * 6).value == 1
    assert metrics.auroc(y, [at] * 6 + [above] * 6).value == 0
    assert metrics.auroc(y, [above] + [at] * 11).value == pytest.approx(0.5 + 0.5 / 6)


@REPEATABLE
@given(rankings())
def test_clustered_equals_unclustered_when_every_patient_has_one_image(data):
    y, score = data
    curve = placements(y == 1, score)
    clustered = obuchowski_covariance([curve], y == 1, np.arange(y.size), y.size)
    assert clustered[0, 0] == pytest.approx(metrics.auroc_covariance(y, [score])[1][0, 0], abs=1e-14)
    ids = [f"p{n}" for n in range(y.size)]
    assert metrics.auroc(y, score, patients=ids) == metrics.auroc(y, score)


@REPEATABLE
@given(rankings())
def test_a_score_has_no_gap_to_itself(data):
    y, score = data
    for other in (score, np.exp(score)):
        gap = metrics.delong_paired(y, score, other)
        assert (gap.estimate.value, gap.p) == (0, 1)
    gap = metrics.delong_unpaired(y, score, y, score)
    assert gap.estimate.value == 0
    assert gap.p == pytest.approx(1)


@REPEATABLE
@given(rankings(), rankings())
def test_a_gap_turns_its_sign_with_its_sides(first, second):
    one, two = metrics.delong_unpaired(*first, *second), metrics.delong_unpaired(*second, *first)
    assert one.estimate.value == pytest.approx(-two.estimate.value, abs=1e-13)
    assert (one.estimate.ci_low, one.estimate.ci_high) == pytest.approx((-two.estimate.ci_high, -two.estimate.ci_low), abs=1e-9)
    assert one.p == (None if two.p is None else pytest.approx(two.p))


@REPEATABLE
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=40, max_size=120), SEEDS)
def test_rates_stay_in_range_and_mirror_each_other(pairs, seed):
    y, decision = np.array(pairs).T
    patients = np.random.default_rng(seed).integers(0, 30, y.size)
    for ids in (None, patients):
        found = metrics.rates(y, decision, patients=ids)
        for estimate in found.values():
            if estimate.value is not None:
                assert 0 <= estimate.ci_low <= estimate.value <= estimate.ci_high <= 1
                assert estimate.ci_low < estimate.ci_high
        if found["fnr"].value is not None:
            assert found["fnr"].value == pytest.approx(1 - found["sensitivity"].value)


@REPEATABLE
@given(st.integers(10, 200), st.integers(10, 200), SEEDS)
def test_newcombe_turns_with_its_sides_and_agrees_with_its_p(n1, n2, seed):
    rng = np.random.default_rng(seed)
    y1, y2 = np.ones(n1, int), np.ones(n2, int)
    d1, d2 = rng.random(n1) < rng.random(), rng.random(n2) < rng.random()
    gap, mirror = metrics.rate_gaps(y1, d1, y2, d2)["sensitivity"], metrics.rate_gaps(y2, d2, y1, d1)["sensitivity"]
    assert (gap.estimate.ci_low, gap.estimate.ci_high) == pytest.approx((-mirror.estimate.ci_high, -mirror.estimate.ci_low))
    excludes_zero = gap.estimate.ci_low > 0 or gap.estimate.ci_high < 0
    assert excludes_zero == (gap.p < 0.05)
