import numpy as np
import pandas as pd
import pytest

from medclassify import metrics
from medclassify.errors import MetricError
from medclassify.metrics.checks import patient_codes, predicted, scored, shared_patients

Y = [0, 1] * 10
S = [float(n) for n in range(20)]


def test_everything_is_brought_into_one_form():
    samples = scored([0, 1, 1.0, False], [1, 2, 3, 4], ["b", "a", "b", "c"])
    assert samples.positive.dtype == np.bool_
    assert samples.score.dtype == np.float64
    assert samples.patients is not None
    assert samples.patients.tolist() == [0, 1, 0, 2]
    assert (samples.n_patients, samples.n_pos, samples.n_neg) == (3, 2, 2)


def test_patients_who_do_not_repeat_are_no_clusters():
    assert scored(Y, S, range(20)).patients is None
    assert scored(Y, S, [f"p{n}" for n in range(20)]).patients is None


def test_the_callers_arrays_are_not_changed():
    y, score = np.array(Y), np.array(S)
    before = y.copy(), score.copy()
    metrics.auroc(y, score)
    metrics.ece(y, score / 20)
    assert np.array_equal(y, before[0])
    assert np.array_equal(score, before[1])


@pytest.mark.parametrize(
    ("y", "score", "message"),
    [
        ([0, 1, -1], [0.0, 1.0, 2.0], r"y must hold 0 and 1 only; received 1 other values \(first: -1\)\. Leave samples"),
        ([0, 1, np.nan], [0.0, 1.0, 2.0], r"y must hold 0 and 1 only; received 1 other values \(first: nan\)"),
        (["yes", "no"], [0.0, 1.0], r"y must hold 0 and 1; received an array of type <U3"),
        ([[0, 1]], [0.0, 1.0], r"y must have one axis \(n,\); received shape \(1, 2\)"),
        ([0, 1], [0.0, np.nan], r"score must be finite; received 1 NaN or infinite values \(first at row 1\)"),
        ([0, 1], [-np.inf, np.inf], r"score must be finite; received 2 NaN or infinite values \(first at row 0\)"),
        ([0, 1], [0.0], r"score must have one value a label: expected 2, received 1"),
        ([0, 1], ["a", "b"], r"score must be numeric; received an array of type <U1"),
        ([0, 1], np.zeros(2, np.float32), r"score must be float64 \(fewer bits make ties\); received float32"),
        ([0, 1], np.zeros(2, np.float16), r"score must be float64 \(fewer bits make ties\); received float16"),
    ],
)
@pytest.mark.parametrize("statistic", [metrics.auroc, metrics.auprc, metrics.roc_curve_points])
def test_what_cannot_be_scored_is_refused(statistic, y, score, message):
    with pytest.raises(MetricError, match=message):
        statistic(y, score)


@pytest.mark.parametrize(
    "statistic",
    [
        metrics.brier,
        metrics.brier_parts,
        metrics.calibration_intercept,
        metrics.calibration_slope,
        metrics.ece,
        metrics.oe_ratio,
        metrics.reliability_bins,
    ],
)
def test_logits_are_not_taken_for_probabilities(statistic):
    with pytest.raises(MetricError, match=r"p must lie in \[0, 1\]; received 2 values outside \(largest -4\.71\)"):
        statistic([0, 1, 1], [-4.71, 1.2, 0.5])


@pytest.mark.parametrize(
    ("patients", "message"),
    [
        (["a", None, "b"], r"non-empty strings or integers; received None at row 1"),
        (["a", float("nan"), "b"], r"received nan at row 1"),
        (pd.Series(["a", pd.NA, "b"]), r"at row 1"),
        (["a", "b", ""], r"received '' at row 2\. Give a sample of an unknown patient an id of its own"),
        (["a", "b"], r"patients must have one id a sample: expected 3, received 2"),
    ],
)
def test_a_missing_patient_is_refused(patients, message):
    with pytest.raises(MetricError, match=message):
        scored([0, 1, 1], [0.1, 0.2, 0.3], patients)


def test_patient_ids_of_every_kind_give_the_same_clusters():
    ids = [7, 3, 7, 9, 3]
    for form in (ids, np.array(ids), pd.Series(ids), [str(one) for one in ids], pd.Series(ids).astype(str)):
        codes, count = patient_codes(form)
        assert count == 3
        assert [[codes[a] == codes[b] for a in range(5)] for b in range(5)] == [[a == b for a in ids] for b in ids]


def test_shared_patients_are_counted_once():
    assert shared_patients(["a", "a", "b"], ["a", "c", "a"]) == 1
    assert shared_patients(np.array([1, 1, 2]), np.array([2, 3, 1, 1])) == 2
    assert shared_patients(["a"], None) == 0


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_is_a_share(level):
    with pytest.raises(MetricError, match=r"level must lie between 0 and 1 \(0\.95 for a 95 % interval\); received"):
        metrics.auroc(Y, S, level=level)


def test_counts_below_their_least_are_refused():
    with pytest.raises(MetricError, match="resamples must be at least 100; received 10"):
        metrics.auprc(Y, S, resamples=10)
    with pytest.raises(MetricError, match="simulations must be at least 100; received 1"):
        metrics.ece(Y, np.array(S) / 20, simulations=1)
    with pytest.raises(MetricError, match="bins must be at least 1; received 0"):
        metrics.ece(Y, np.array(S) / 20, bins=0)


def test_an_unknown_way_is_refused_by_name():
    with pytest.raises(MetricError, match="interval must be 'shrunk', 'logit' or 'wald'; received 'bayes'"):
        metrics.auroc(Y, S, interval="bayes")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="binning must be 'width' or 'mass'; received 'height'"):
        metrics.ece(Y, np.array(S) / 20, binning="height")  # type: ignore[arg-type]


def test_labelled_masks_uncertain_and_missing_labels_and_counts_them():
    mask = metrics.labelled([1, 0, -1, np.nan, 1])
    assert mask.tolist() == [True, True, False, False, True]
    with pytest.raises(MetricError, match=r"y may hold 1, 0, -1 or NaN; received 1 other values \(first: 2\)"):
        metrics.labelled([1, 2, 0])


def test_probabilities_of_exactly_0_and_1_are_probabilities():
    assert predicted([0, 1], [0.0, 1.0]).score.tolist() == [0.0, 1.0]
