import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from medclassify.calibration import (
    Calibrator,
    FindingMap,
    PrevalenceShift,
    choose_operating_points,
    fit_calibrator,
    prevalence_shifts,
    shift_points,
    shift_probabilities,
)
from medclassify.errors import CalibrationError
from medclassify.metrics import calibration_intercept, oe_ratio
from medclassify.records import LogitTable, Split

MODEL = "f" * 64


def draw(n: int, prevalence: float, seed: int) -> tuple[LogitTable, np.ndarray]:
    """How the finding looks is the same; how frequent it is, is not. Normal classes make the true posterior logistic."""
    rng = np.random.default_rng(seed)
    y = rng.random((n, 1)) < prevalence
    return LogitTable(tuple(f"s{k}" for k in range(n)), ("a",), rng.normal(size=(n, 1)) + 2.0 * y, MODEL), y.astype(float)


def fitted(prevalence: float = 0.3) -> Calibrator:
    logits, y = draw(20_000, prevalence, 0)
    return fit_calibrator(logits, y, np.ones(y.shape, bool), task="multilabel")


@pytest.mark.parametrize("target", [0.02, 0.1, 0.6])
def test_probabilities_are_right_at_the_new_prevalence(target):
    calibrator = fitted()
    shifts = prevalence_shifts(calibrator, {"a": target})
    logits, y = draw(40_000, target, 1)
    before = calibrator.transform(logits)
    after = shift_probabilities(before, shifts)
    assert oe_ratio(y[:, 0], after.probabilities[:, 0]).value == pytest.approx(1, abs=0.08)
    assert calibration_intercept(y[:, 0], after.probabilities[:, 0]).value == pytest.approx(0, abs=0.1)
    assert abs(calibration_intercept(y[:, 0], before.probabilities[:, 0]).value) > 0.5


def test_the_shift_is_the_difference_of_prior_log_odds():
    (shift,) = prevalence_shifts(calibrator_of(30, 70), {"a": 0.05})
    assert shift == PrevalenceShift("a", 0.3, 0.05, float(special.logit(0.05) - special.logit(0.3)))
    # p(x|1) π / (p(x|1) π + p(x|0) (1 − π)) at each prevalence, for one likelihood ratio
    ratio = 4.2
    at = lambda prior: ratio * prior / (ratio * prior + 1 - prior)  # noqa: E731
    assert shift.apply(np.array([at(0.3)]))[0] == pytest.approx(at(0.05), abs=1e-15)
    assert "from a prevalence of 0.3 to 0.05" in shift.note
    assert shift.to_json() == {"finding": "a", "source": 0.3, "target": 0.05, "shift": shift.shift}


def test_the_same_prevalence_changes_nothing_and_ends_stay():
    (shift,) = prevalence_shifts(calibrator_of(30, 70), {"a": 0.3})
    p = np.array([0.0, 1e-9, 0.2, 1.0])
    assert shift.apply(p) == pytest.approx(p, abs=1e-15)
    assert PrevalenceShift("a", 0.5, 0.01, -4.6).apply(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]


@given(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=40), st.floats(-6, 6))
def test_the_order_stays(values, shift):
    p = np.sort(np.array(values))
    assert (np.diff(PrevalenceShift("a", 0.5, 0.5, shift).apply(p)) >= 0).all()


def test_the_same_samples_are_called_at_the_moved_threshold():
    logits, y = draw(3000, 0.3, 4)
    calibrator = fitted()
    prob, shifts = calibrator.transform(logits), prevalence_shifts(calibrator, {"a": 0.01})
    points = choose_operating_points(prob, y, np.ones(y.shape, bool))
    (moved,) = shift_points(points, shifts)
    assert moved.threshold < points[0].threshold
    called = prob.probabilities >= points[0].threshold
    assert np.array_equal(shift_probabilities(prob, shifts).probabilities >= moved.threshold, called)


def test_other_findings_stay_bit_for_bit():
    calibrator = Calibrator("multilabel", Split.CALIBRATE, MODEL, (finding("a", 30, 70), finding("b", 10, 90)))
    logits = LogitTable(("s0", "s1"), ("a", "b"), np.array([[0.1, 0.2], [1.0, -3.0]]), MODEL)
    prob = calibrator.transform(logits)
    shifted = shift_probabilities(prob, prevalence_shifts(calibrator, {"a": 0.1}))
    assert np.array_equal(shifted.probabilities[:, 1], prob.probabilities[:, 1])
    assert (shifted.probabilities[:, 0] < prob.probabilities[:, 0]).all()


@pytest.mark.parametrize(
    ("prevalence", "message"),
    [
        ({"c": 0.1}, "prevalence of 'c': the model predicts a. Correct the name"),
        ({"a": 0.0}, r"prevalence of a must lie between 0 and 1 \(0.02 for 2 %\), received 0"),
        ({"a": 2}, "received 2"),
        ({"a": float("nan")}, "received nan"),
    ],
)
def test_what_cannot_be_corrected_is_refused(prevalence, message):
    with pytest.raises(CalibrationError, match=message):
        prevalence_shifts(calibrator_of(30, 70), prevalence)


def test_uncalibrated_findings_and_classes_are_refused():
    bare = Calibrator("multilabel", Split.CALIBRATE, MODEL, (finding("a", 3, 70, method="identity"),))
    with pytest.raises(CalibrationError, match="prevalence of a: it was not calibrated"):
        prevalence_shifts(bare, {"a": 0.1})
    classes = Calibrator("multiclass", Split.CALIBRATE, MODEL, (finding("a", 30, 70),))
    with pytest.raises(CalibrationError, match="this one is multiclass"):
        prevalence_shifts(classes, {"a": 0.1})
    assert prevalence_shifts(classes, {}) == ()


def finding(name: str, n_pos: int, n_neg: int, method="temperature") -> FindingMap:
    return FindingMap(name, method, 1.0, 0.0, n_pos, n_neg, 0, "")


def calibrator_of(n_pos: int, n_neg: int) -> Calibrator:
    return Calibrator("multilabel", Split.CALIBRATE, MODEL, (finding("a", n_pos, n_neg),))
