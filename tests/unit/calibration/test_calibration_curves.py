"""Beta and isotonic calibration."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special
from sklearn.isotonic import IsotonicRegression

from medclassify.calibration import Calibrator, FindingMap, fit_calibrator
from medclassify.calibration.beta import fit_beta
from medclassify.calibration.isotonic import apply_isotonic, fit_isotonic
from medclassify.errors import CalibrationError
from medclassify.metrics import auroc, calibration_intercept, calibration_slope
from medclassify.records import LogitTable, Split


def table(z: np.ndarray) -> LogitTable:
    return LogitTable(tuple(f"s{n}" for n in range(len(z))), ("a",), np.asarray(z, np.float64).reshape(-1, 1), "f" * 64)


def drawn(n: int, seed: int = 0, below: float = 0.5, above: float = 1.6) -> tuple[np.ndarray, np.ndarray]:
    """Truth follows a beta curve of these slopes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, n)
    p = special.expit(above * np.logaddexp(0, z) - below * np.logaddexp(0, -z) - 0.7)
    return z, rng.random(n) < p


def fit(z, y, method) -> Calibrator:
    return fit_calibrator(table(z), y.astype(float)[:, None], np.ones((len(z), 1), bool), task="multilabel", method=method)


def test_beta_finds_the_planted_slopes():
    a, b, c = fit_beta(*drawn(60_000))
    assert (a, b, c) == pytest.approx((0.5, 1.6, -0.7), abs=0.06)


def test_beta_is_the_likelihood_optimum_of_an_independent_search():
    z, y = drawn(800, seed=3)
    n_pos = y.sum()
    target = np.where(y, (n_pos + 1) / (n_pos + 2), 1 / (len(y) - n_pos + 2))

    def loss(w):
        p = special.expit(w[0] * np.log(special.expit(z)) - w[1] * np.log1p(-special.expit(z)) + w[2])
        return -np.mean(target * np.log(p) + (1 - target) * np.log1p(-p))

    searched = optimize.minimize(
        loss, [1, 1, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 9000}
    )
    assert loss(fit_beta(z, y)) <= searched.fun + 1e-9


@pytest.mark.parametrize("method", ["beta", "isotonic"])
def test_the_curves_mend_what_platt_cannot(method):
    z, y = drawn(12_000)
    new, truth = drawn(12_000, seed=1)
    p = fit(z, y, method).transform(table(new)).probabilities[:, 0]
    assert calibration_slope(truth, p).value == pytest.approx(1, abs=0.1)
    assert calibration_intercept(truth, p).value == pytest.approx(0, abs=0.1)
    platt = fit(z, y, "platt").transform(table(new)).probabilities[:, 0]
    log_loss = lambda p: -np.mean(np.where(truth, np.log(p), np.log1p(-p)))  # noqa: E731
    assert log_loss(p) < log_loss(platt)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 30), st.floats(-1, 1))
def test_no_curve_ever_falls(seed, scale, effect):
    rng = np.random.default_rng(seed)
    y = rng.random(120) < 0.5
    z = scale * (rng.normal(size=120) + effect * y)
    grid = np.sort(np.r_[z, np.linspace(-80, 80, 400)])
    a, b, c = fit_beta(z, y)
    assert min(a, b) >= 0
    if max(a, b) > 0:
        p = FindingMap("a", "beta", a, c, 60, 60, 0, "", slope_above=b).probability(grid)
        assert (np.diff(p) >= 0).all()
    knots = fit_isotonic(z, y)
    p = apply_isotonic(grid, knots)
    assert (np.diff(p) >= 0).all()
    assert 0 < p.min() <= p.max() < 1


def test_beta_keeps_the_order_and_the_auroc():
    z, y = drawn(3000)
    p = fit(z, y, "beta").transform(table(z)).probabilities[:, 0]
    assert np.array_equal(np.argsort(p), np.argsort(z))
    assert auroc(y, p).value == auroc(y, z).value


@pytest.mark.parametrize("ties", [8, 1])
def test_isotonic_is_scikit_learns(ties):
    z, y = drawn(5000, seed=2)
    z = np.round(z, ties)
    ours = apply_isotonic(z, fit_isotonic(z, y))
    theirs = IsotonicRegression(out_of_bounds="clip").fit(z, y).predict(z)
    assert ours == pytest.approx(np.clip(theirs, 1 / 5002, 5001 / 5002), abs=1e-12)
    between = np.linspace(-9, 9, 2000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(z, y).predict(between)
    assert np.abs(apply_isotonic(between, fit_isotonic(z, y)) - theirs).max() <= 1 / 5002 + 1e-12


def test_isotonic_is_refused_below_1000_and_beta_below_50_with_the_reason():
    z, y = drawn(2000)
    few = fit(z, y, "isotonic")
    n_pos = int(y.sum())
    assert few.maps[0].method == "platt"
    assert few.warnings[0].startswith(
        f"a: isotonic refused: {n_pos} positives and {2000 - n_pos} negatives, at least 1000 of each are needed; Platt slope"
    )
    keep = ~y | (np.cumsum(y) <= 49)
    short = fit(z[keep], y[keep], "beta")
    assert short.maps[0].method == "temperature"
    assert "beta refused: 49 positives" in short.warnings[0]
    enough = ~y | (np.cumsum(y) <= 50)
    assert fit(z[enough], y[enough], "beta").maps[0].method == "beta"


@pytest.mark.parametrize("method", ["beta", "isotonic"])
def test_a_logit_that_ranks_backwards_is_not_turned_round(method):
    z, y = drawn(6000)
    found = fit(-z, y, method)
    assert found.maps[0].method in ("temperature", "identity")
    assert f"{method} refused: the logit ranks backwards" in found.warnings[0] or found.maps[0].method == "identity"


@pytest.mark.parametrize("method", ["beta", "isotonic"])
def test_json_gives_back_an_equal_calibrator(method):
    found = fit(*drawn(5000), method)
    assert found.maps[0].method == method
    assert Calibrator.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_calibrator_of_an_earlier_version_is_read():
    stored = fit(*drawn(300), "platt").to_json()
    assert not {"slope_above", "knots"} & set(stored["findings"][0])
    assert Calibrator.from_json(stored).maps[0].method == "platt"


def test_isotonic_tells_its_ties():
    note = fit(*drawn(5000), "isotonic").notes[0]
    assert "samples on one step tie, so the AUROC may differ a little" in note


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "platt", "slope_above": 1.0}, "slope_above belongs to beta and knots to isotonic"),
        ({"method": "isotonic"}, "slope_above belongs to beta and knots to isotonic"),
        ({"method": "isotonic", "knots": ((0.0, 0.6), (1.0, 0.2))}, "or knots that fall"),
        ({"method": "beta", "slope": 0.0, "slope_above": 0.0}, "slope must be above 0"),
        ({"method": "beta", "slope": -0.1, "slope_above": 1.0}, "slope must be above 0"),
        ({"method": "spline"}, "method must be platt, temperature, beta, isotonic or identity; received 'spline'"),
    ],
)
def test_a_map_that_falls_is_refused(change, message):
    given = {
        "finding": "a",
        "method": "platt",
        "slope": 1.0,
        "intercept": 0.0,
        "n_pos": 9,
        "n_neg": 9,
        "n_masked": 0,
        "note": "",
    }
    with pytest.raises(CalibrationError, match=message):
        FindingMap(**given | change)


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_curves_are_not_for_multiclass(method):
    logits = LogitTable(("s0", "s1"), ("a", "b"), np.eye(2), "f" * 64)
    with pytest.raises(CalibrationError, match=f"method '{method}' is for multilabel; use 'temperature' or 'auto'"):
        fit_calibrator(logits, np.eye(2), np.ones((2, 2), bool), task="multiclass", method=method, split=Split.CALIBRATE)
