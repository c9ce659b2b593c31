import numpy as np
import pytest
from scipy import special

from medclassify.calibration import fit_calibrator
from medclassify.errors import CalibrationError
from medclassify.metrics import calibration_intercept, calibration_slope
from medclassify.records import LogitTable, Split

MODEL = "f" * 64


def table(logits: np.ndarray, findings: tuple[str, ...] | None = None) -> LogitTable:
    names = findings or tuple(f"finding {k}" for k in range(logits.shape[1]))
    return LogitTable(tuple(f"s{n}" for n in range(len(logits))), names, logits.astype(np.float64), MODEL)


def one_finding(n_pos: int, n_neg: int, seed: int = 0, backwards: bool = False) -> tuple[LogitTable, np.ndarray, np.ndarray]:
    """An overconfident network whose logits are also shifted."""
    rng = np.random.default_rng(seed)
    target = np.r_[np.ones(n_pos), np.zeros(n_neg)][:, None]
    logits = 2.5 * (rng.normal(size=target.shape) + (1.2 * target - 0.3) * (-1 if backwards else 1))
    return table(logits), target, np.ones(target.shape, bool)


def test_platt_removes_planted_miscalibration_on_new_samples():
    rng = np.random.default_rng(0)
    z = rng.normal(-1, 1.5, (8000, 1))
    target = (rng.random(z.shape) < special.expit(z)).astype(float)
    logits = 2 * z + 1
    half = slice(0, 4000), slice(4000, 8000)
    calibrator = fit_calibrator(table(logits[half[0]]), target[half[0]], np.ones((4000, 1), bool), task="multilabel")
    assert calibrator.maps[0].method == "platt"
    p = calibrator.transform(table(logits[half[1]])).probabilities[:, 0]
    y = target[half[1], 0]
    # The calibrator's own sampling error adds to the interval's: hence a tolerance, not the interval.
    assert calibration_slope(y, p).value == pytest.approx(1, abs=0.12)
    assert calibration_intercept(y, p).value == pytest.approx(0, abs=0.12)
    assert calibration_slope(y, special.expit(logits[half[1], 0])).ci_high < 0.7


@pytest.mark.parametrize(
    ("n_pos", "n_neg", "method"),
    [
        (50, 200, "platt"),
        (49, 200, "temperature"),
        (200, 49, "temperature"),
        (5, 200, "temperature"),
        (4, 200, "identity"),
        (200, 4, "identity"),
        (0, 200, "identity"),
        (200, 0, "identity"),
        (0, 0, "identity"),
    ],
)
def test_auto_chooses_by_the_number_of_samples_and_says_so(n_pos, n_neg, method):
    found = fit_calibrator(*one_finding(n_pos, n_neg), task="multilabel")
    (only,) = found.maps
    assert (only.method, only.n_pos, only.n_neg) == (method, n_pos, n_neg)
    assert f"{n_pos} positives and {n_neg} negatives" in found.notes[0]
    assert found.notes[0].startswith("finding 0: ")
    assert ("NOT CALIBRATED" in found.notes[0]) == (method == "identity")
    assert found.warnings == (found.notes if method == "identity" else ())
    if method == "temperature":
        assert "too few for Platt" in only.note
        assert only.intercept == 0
        assert 1.2 < only.temperature < 8


def test_what_is_asked_for_is_done():
    data = one_finding(30, 200)
    assert fit_calibrator(*data, task="multilabel", method="platt").maps[0].method == "platt"
    assert fit_calibrator(*one_finding(100, 200), task="multilabel", method="temperature").maps[0].method == "temperature"
    none = fit_calibrator(*data, task="multilabel", method="none")
    assert (none.maps[0].method, none.maps[0].slope, none.maps[0].intercept) == ("identity", 1, 0)
    assert none.notes == ("finding 0: not calibrated, as asked",)
    assert none.warnings == ()


def test_a_logit_that_ranks_backwards_is_not_turned_round():
    data = one_finding(200, 200, backwards=True)
    found = fit_calibrator(*data, task="multilabel")
    assert found.maps[0].method == "identity"
    assert "ranks backwards" in found.warnings[0]
    assert "NOT CALIBRATED" in found.warnings[0]
    p = found.transform(data[0]).probabilities[:, 0]
    assert np.array_equal(np.argsort(p), np.argsort(data[0].logits[:, 0]))


def test_platt_refused_for_its_slope_may_still_have_a_temperature():
    """The logit ranks a little backwards, but its level is right: a temperature helps where a slope must not be turned."""
    rng = np.random.default_rng(0)
    logits = np.r_[rng.normal(-6.0, 1.0, 380), rng.normal(-6.3, 1.0, 70)][:, None]
    target = np.r_[np.zeros(380), np.ones(70)][:, None]
    found = fit_calibrator(table(logits), target, np.ones((450, 1), bool), task="multilabel")
    assert found.maps[0].method == "temperature"
    assert 1 < found.maps[0].temperature < 20
    assert "ranks backwards" in found.warnings[0]


def test_a_constant_logit_is_left_alone():
    _, target, mask = one_finding(60, 60)
    found = fit_calibrator(table(np.full((120, 1), 0.7)), target, mask, task="multilabel")
    assert found.warnings == ("finding 0: NOT CALIBRATED: the logit is 0.7 for all of 60 positives and 60 negatives",)


def test_masked_labels_never_enter_and_are_counted():
    logits, target, mask = one_finding(100, 200)
    clean = fit_calibrator(logits, target, mask, task="multilabel")
    noisy = table(np.r_[logits.logits, np.full((50, 1), 40.0)])
    for junk in (0.0, 1.0, -1.0, np.nan):
        found = fit_calibrator(
            noisy, np.r_[target, np.full((50, 1), junk)], np.r_[mask, np.zeros((50, 1), bool)], task="multilabel"
        )
        assert (found.maps[0].slope, found.maps[0].intercept) == (clean.maps[0].slope, clean.maps[0].intercept)
        assert found.maps[0].n_masked == 50


def test_each_finding_is_fitted_by_itself():
    first, second = one_finding(60, 240, seed=1), one_finding(3, 297, seed=2)
    both = table(np.hstack([first[0].logits, second[0].logits]), ("a", "b"))
    found = fit_calibrator(both, np.hstack([first[1], second[1]]), np.ones((300, 2), bool), task="multilabel")
    alone = fit_calibrator(*first, task="multilabel")
    assert (found.maps[0].slope, found.maps[0].intercept) == (alone.maps[0].slope, alone.maps[0].intercept)
    assert [each.method for each in found.maps] == ["platt", "identity"]
    assert found.warnings == ("b: NOT CALIBRATED: 3 positives and 297 negatives, at least 5 of each are needed",)


def classes(n: int = 3000, temperature: float = 2.5) -> tuple[LogitTable, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, 3))
    label = (special.softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return table(temperature * logits, ("a", "b", "c")), np.eye(3)[label], np.ones((n, 3), bool)


def test_multiclass_gets_one_temperature():
    data = classes()
    found = fit_calibrator(*data, task="multiclass")
    assert [each.method for each in found.maps] == ["temperature"] * 3
    assert found.maps[0].temperature == pytest.approx(2.5, rel=0.1)
    p = found.transform(data[0]).probabilities
    assert p.sum(axis=1) == pytest.approx(np.ones(3000))
    assert found.notes[1].startswith("b: temperature 2.")
    assert found.notes[1].endswith(f"; {int(data[1][:, 1].sum())} of 3000 samples")


def test_multiclass_leaves_incomplete_labels_out_and_counts_them():
    logits, target, mask = classes()
    mask = mask.copy()
    mask[:500, 1] = False
    found = fit_calibrator(logits, np.where(mask, target, np.nan), mask, task="multiclass")
    assert found.maps[0].n_masked == 500
    assert found.maps[0].n_pos + found.maps[0].n_neg == 2500


def test_multiclass_with_one_class_only_is_left_uncalibrated():
    logits, _, mask = classes(40)
    found = fit_calibrator(logits, np.tile([1.0, 0, 0], (40, 1)), mask, task="multiclass")
    assert [each.method for each in found.maps] == ["identity"] * 3
    assert found.warnings[0] == "a: NOT CALIBRATED: at least two findings with 5 samples are needed; 40 of 40 samples"
    none = fit_calibrator(*classes(40), task="multiclass", method="none")
    assert none.warnings == ()


def test_multiclass_that_is_no_better_than_chance_is_left_uncalibrated():
    logits, target, mask = classes(300)
    found = fit_calibrator(table(-logits.logits), target, mask, task="multiclass")
    assert found.maps[0].method == "identity"
    assert "even the highest temperature tried (20) leaves it too sure: the logits say next to nothing" in found.warnings[0]


def test_the_test_split_is_refused():
    """Trap: a temperature fitted on test."""
    with pytest.raises(CalibrationError, match="a calibrator must not be chosen on the test split, which is read once"):
        fit_calibrator(*one_finding(60, 60), task="multilabel", split=Split.TEST)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "spline"}, "method must be 'auto', 'temperature', 'platt', 'beta', 'isotonic' or 'none'; received 'sp"),
        ({"task": "regression"}, "task must be 'multilabel' or 'multiclass'; received 'regression'"),
        ({"targets": np.ones((3, 1))}, r"targets must have a row for each sample .* expected \(120, 1\), received \(3, 1\)"),
        ({"mask": np.ones((120, 2))}, r"mask must have a row .* received \(120, 2\)"),
        ({"targets": np.full((120, 1), -1.0)}, r"targets must be 0 or 1 .* 120 other values .* -1 for finding 0 at row 0"),
        ({"targets": np.full((120, 1), np.nan)}, r"received 120 other values \(first: nan"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change, message):
    logits, targets, mask = one_finding(60, 60)
    given = {"targets": targets, "mask": mask, "task": "multilabel", "method": "auto"} | change
    with pytest.raises(CalibrationError, match=message):
        fit_calibrator(logits, given["targets"], given["mask"], task=given["task"], method=given["method"])


def test_multiclass_contradictions_are_refused():
    logits, target, mask = classes(50)
    with pytest.raises(CalibrationError, match="method 'platt' is for multilabel; use 'temperature' or 'auto' for multiclass"):
        fit_calibrator(logits, target, mask, task="multiclass", method="platt")
    with pytest.raises(CalibrationError, match="exactly one finding; 50 have none or several. Use task multilabel"):
        fit_calibrator(logits, np.zeros((50, 3)), mask, task="multiclass")


def parted(scale: float) -> tuple[LogitTable, np.ndarray, np.ndarray]:
    """Fourteen positives above ten negatives, none near the middle."""
    target = np.repeat([0.0, 1.0], [10, 14])[:, None]
    return table(scale * (target - 0.5)), target, np.ones(target.shape, bool)


def test_logits_that_part_the_labels_without_error_are_as_sure_as_so_few_can_vouch_for():
    """Without a temperature 24 samples made .9998 of a logit of 8.4."""
    logits, target, mask = parted(20)
    found = fit_calibrator(logits, target, mask, task="multilabel")
    assert not found.warnings and found.maps[0].method == "temperature"
    assert found.maps[0].note.endswith("part the labels without error, which counts as 0.938 and 0.0833, not as 1 and 0")
    probabilities = found.transform(logits).probabilities[:, 0]
    np.testing.assert_allclose([probabilities[0], probabilities[-1]], [1 / 12, 15 / 16], atol=0.02)
    assert 0 < probabilities[0] < 0.5 < probabilities[-1] < 0.95


def test_logits_that_hardly_move_have_no_temperature():
    found = fit_calibrator(*parted(0.01), task="multilabel")
    assert "even the lowest temperature tried (0.05) leaves it too unsure: the logits part the labels" in found.warnings[0]
