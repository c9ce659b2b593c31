"""Numbers look the same everywhere, and nothing undefined looks like a number."""

import pytest

from medclassify.audit.words import (
    calibration_words,
    estimate_text,
    gap_number,
    gap_text,
    number,
    p_value,
    span,
)
from medclassify.records import Estimate, Status

UNDEFINED = Estimate(None, None, None, "", Status.NOT_ESTIMABLE, "n_pos=3")


def ok(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, "x", Status.OK)


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.9124, "auroc", ".912"),
        (1.0, "auroc", "1.000"),
        (0.0, "auroc", ".000"),
        (0.9996, "auroc", "1.000"),
        (0.9124, "sensitivity", "91.2 %"),
        (1.0, "ppv", "100.0 %"),
        (0.912, "calibration_slope", "0.91"),
        (-0.403, "calibration_intercept", "−0.40"),
        (-0.0001, "calibration_intercept", "0.00"),
        (12.3, "oe_ratio", "12.30"),
    ],
)
def test_number(value: float, metric: str, text: str) -> None:
    assert number(value, metric) == text


def test_intervals() -> None:
    assert estimate_text(ok(0.912, 0.874, 0.941), "auroc", n_pos=9, n_neg=9) == ".912 (.874–.941)"
    assert estimate_text(ok(0.9, 0.85, 0.93), "sensitivity", n_pos=9, n_neg=9) == "90.0 % (85.0–93.0)"
    assert estimate_text(ok(-0.4, -0.57, -0.24), "calibration_intercept", n_pos=9, n_neg=9) == "−0.40 (−0.57 to −0.24)"
    assert span(-0.1, 0.2, "calibration_intercept") == "−0.10 to 0.20"


@pytest.mark.parametrize(
    ("note", "n_pos", "n_neg", "text"),
    [
        ("n_pos=3", 3, 90, "not estimable (n₊=3)"),
        ("", 3, 90, "not estimable (n₊=3)"),
        ("", 90, 0, "not estimable (n₋=0)"),
        ("n_pos=4 of 2 patients", 4, 90, "not estimable (n₊=4 of 2 patients)"),
    ],
)
def test_undefined_is_said_with_its_reason(note: str, n_pos: int, n_neg: int, text: str) -> None:
    undefined = Estimate(None, None, None, "", Status.NOT_ESTIMABLE, note)
    assert estimate_text(undefined, "auroc", n_pos=n_pos, n_neg=n_neg) == text


def test_gaps_carry_their_sign() -> None:
    assert gap_text(-0.034, -0.089, 0.021, "auroc") == "−.034 (−.089 to +.021)"
    assert gap_text(0.041, -0.02, 0.098, "sensitivity") == "+4.1 (−2.0 to +9.8) points"
    assert gap_number(0.00001, "auroc") == ".000"


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< .001"), (0.032, ".032"), (1.0, "1.000"), (None, "–"), (float("nan"), "–")])
def test_p_values(p: float | None, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("intercept", "slope", "words"),
    [
        (ok(0.0, -0.1, 0.1), ok(1.0, 0.9, 1.1), "No shift seen: {}. No over- or underconfidence seen."),
        (ok(0.3, 0.1, 0.5), ok(1.0, 0.9, 1.1), "Too low on average: {}. No over- or underconfidence seen."),
        (ok(-0.3, -0.5, -0.1), ok(1.0, 0.9, 1.1), "Too high on average: {}. No over- or underconfidence seen."),
        (ok(0.0, -0.1, 0.1), ok(0.6, 0.5, 0.7), "No shift seen: {}. Too extreme (overconfident)."),
        (ok(0.0, -0.1, 0.1), ok(1.6, 1.5, 1.7), "No shift seen: {}. Too cautious (underconfident)."),
        (ok(0.0, -0.9, 0.9), ok(1.0, 0.5, 1.5), "No shift seen: {}. Over- or underconfidence: uncertain (slope 0.50–1.50)."),
        (ok(0.0, -0.1, 0.1), UNDEFINED, "No shift seen: {}. Over- or underconfidence: too few samples."),
    ],
)
def test_calibration_in_words(intercept: Estimate, slope: Estimate, words: str) -> None:
    given = {"calibration_intercept": intercept, "calibration_slope": slope, "oe_ratio": ok(1.1, 0.9, 1.3)}
    assert calibration_words(given) == words.format("observed ÷ expected 1.10 (0.90–1.30)")


def test_calibration_that_cannot_be_judged_is_not_called_good() -> None:
    assert calibration_words({"calibration_intercept": UNDEFINED, "calibration_slope": UNDEFINED}).startswith("Not estimable")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.098, "Miscalibrated: ECE .098, where calibrated models show .038 to .089."),
        (0.060, ""),
        (0.017, "Closer than chance leaves a calibrated model (ECE .017, where calibrated models show .038 to .089): "),
    ],
)
def test_an_ece_outside_its_band_is_said(value: float, said: str) -> None:
    given = {"calibration_intercept": ok(0.0, -0.1, 0.1), "calibration_slope": UNDEFINED, "ece": ok(value, 0.038, 0.089)}
    text = calibration_words(given)
    assert text.startswith("No shift seen. Over- or underconfidence: too few samples.")
    assert (said in text) if said else ("ECE" not in text)
