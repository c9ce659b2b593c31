import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from medclassify import metrics
from medclassify.errors import MetricError
from medclassify.metrics.proportions import normal_quantile


def called(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(400) < 0.3
    return y, rng.random(400) < np.where(y, 0.85, 0.2)


def test_rates_are_those_of_the_confusion_matrix_with_wilson_limits():
    y, decision = called()
    tn, fp, fn, tp = confusion_matrix(y, decision).ravel()
    expected = {
        "sensitivity": (tp, tp + fn), "specificity": (tn, tn + fp), "ppv": (tp, tp + fp), "npv": (tn, tn + fn),
        "fnr": (fn, tp + fn), "fpr": (fp, tn + fp),
    }  # fmt: skip
    found = metrics.rates(y, decision)
    assert tuple(found) == metrics.RATES
    for name, (successes, n) in expected.items():
        assert found[name].value == pytest.approx(successes / n, abs=1e-15)
        limits = metrics.wilson(successes / n, n, normal_quantile(0.95))
        assert (found[name].ci_low, found[name].ci_high) == pytest.approx(limits, abs=1e-15)
        assert found[name].ci_method == "Wilson"


def test_miss_rate_is_the_mirror_of_sensitivity():
    found = metrics.rates(*called(), patients=np.random.default_rng(1).integers(0, 150, 400))
    assert found["fnr"].value == pytest.approx(1 - found["sensitivity"].value)
    assert found["fnr"].ci_low == pytest.approx(1 - found["sensitivity"].ci_high)
    assert found["fpr"].ci_high == pytest.approx(1 - found["specificity"].ci_low)


def test_copies_of_an_image_do_not_narrow_the_interval():
    y, decision = called()
    rows = np.tile(np.arange(400), 6)
    once, copied = metrics.rates(y, decision), metrics.rates(y[rows], decision[rows], patients=rows)
    for name in metrics.RATES:
        width = copied[name].ci_high - copied[name].ci_low
        assert width == pytest.approx(once[name].ci_high - once[name].ci_low, rel=0.05)
        assert copied[name].ci_method == "Wilson n_eff"


def test_a_threshold_of_one_half_on_a_rare_finding_shows_as_a_sensitivity_of_zero():
    """Trap: 0.5 for a rare finding. The probabilities are right, the ranking is good, and everything is missed."""
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-rng.normal(-4, 1.2, 20_000)))
    y = rng.random(p.size) < p
    half = metrics.rates(y, p >= 0.5)
    assert metrics.auroc(y, p).value > 0.75
    assert half["specificity"].value > 0.99
    assert half["sensitivity"].value < 0.1


def test_decisions_must_be_decisions():
    with pytest.raises(MetricError, match=r"decision must hold 0 and 1 only; received 2 other values \(first: 0\.7\)"):
        metrics.rates([0, 1], [0.7, 0.2])
    with pytest.raises(MetricError, match="decision must have one value a label: expected 2, received 3"):
        metrics.rates([0, 1], [0, 1, 1])
