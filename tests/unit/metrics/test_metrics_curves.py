import numpy as np
import pytest
from sklearn.metrics import auc, roc_curve

from medclassify import metrics
from medclassify.errors import MetricError


@pytest.mark.parametrize("digits", [None, 1, 0])
def test_the_corners_are_scikit_learns(digits):
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.4
    score = rng.normal(size=300) + y
    score = score if digits is None else np.round(score, digits)
    points = metrics.roc_curve_points(y, score)
    fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
    assert auc(points.fpr, points.tpr) == pytest.approx(auc(fpr, tpr), abs=1e-14)
    assert auc(points.fpr, points.tpr) == pytest.approx(metrics.auroc(y, score).value, abs=1e-14)
    assert set(zip(points.fpr, points.tpr, strict=True)) <= set(zip(fpr, tpr, strict=True))
    assert (points.fpr[0], points.tpr[0], points.threshold[0]) == (0, 0, np.inf)
    assert (points.fpr[-1], points.tpr[-1]) == (1, 1)


def test_a_point_is_what_its_threshold_gives():
    rng = np.random.default_rng(0)
    y = rng.random(200) < 0.4
    score = np.round(rng.normal(size=200) + y, 1)
    points = metrics.roc_curve_points(y, score)
    for fpr, tpr, threshold in zip(points.fpr, points.tpr, points.threshold, strict=True):
        assert tpr == pytest.approx((score >= threshold)[y].mean())
        assert fpr == pytest.approx((score >= threshold)[~y].mean())


def test_a_separating_score_needs_three_points():
    points = metrics.roc_curve_points([0, 0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert points.fpr.tolist() == [0, 0, 1]
    assert points.tpr.tolist() == [0, 1, 1]


def test_one_class_has_no_curve():
    with pytest.raises(MetricError, match="a ROC curve needs both classes; received n_pos=0, n_neg=2"):
        metrics.roc_curve_points([0, 0], [0.1, 0.2])


def test_reliability_bins_hold_every_sample_once():
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 2, 1000)
    y = rng.random(1000) < p
    found = metrics.reliability_bins(y, p)
    assert found.n.tolist() == [100] * 10
    assert (found.n * found.observed).sum() == pytest.approx(y.sum())
    assert (found.n * found.probability).sum() == pytest.approx(p.sum())
    assert (np.diff(found.probability) > 0).all()
    first = np.sort(p)[:100]
    assert found.probability[0] == pytest.approx(first.mean())
    assert (found.ci_low[0], found.ci_high[0]) == pytest.approx(metrics.wilson(found.observed[0], 100, 1.959964), abs=1e-6)
    assert ((found.ci_low < found.observed) | (found.observed == 0)).all()


def test_reliability_bands_widen_for_repeated_patients():
    rng = np.random.default_rng(0)
    p = rng.random(300)
    y = rng.random(300) < p
    rows = np.tile(np.arange(300), 4)
    apart, together = metrics.reliability_bins(y[rows], p[rows]), metrics.reliability_bins(y[rows], p[rows], patients=rows)
    assert ((together.ci_high - together.ci_low) > 1.5 * (apart.ci_high - apart.ci_low)).all()


def test_the_corp_curve_never_falls_and_keeps_the_prevalence():
    rng = np.random.default_rng(0)
    p = np.round(rng.random(400), 2)
    y = rng.random(400) < p**2
    curve = metrics.corp_curve(y, p)
    assert (np.diff(curve.probability) > 0).all()
    assert (np.diff(curve.observed) >= 0).all()
    assert curve.observed[np.searchsorted(curve.probability, p)].mean() == pytest.approx(y.mean())


def test_the_corp_curve_pools_what_falls():
    assert metrics.corp_curve([1, 0, 1], [0.1, 0.2, 0.9]).observed.tolist() == [0.5, 0.5, 1.0]


def test_no_sample_has_no_diagram():
    with pytest.raises(MetricError, match="at least one sample for a reliability diagram; received none"):
        metrics.corp_curve([], [])
    with pytest.raises(MetricError, match="at least one sample for a reliability diagram; received none"):
        metrics.reliability_bins([], [])
