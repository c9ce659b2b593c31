import numpy as np
import pytest
from scipy import special

from medclassify.calibration.temperature import at_limit, fit_sigmoid_temperature, fit_softmax_temperature


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_planted_temperature_is_found(temperature):
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, 40_000)
    positive = rng.random(z.size) < special.expit(z)
    assert fit_sigmoid_temperature(z * temperature, positive) == pytest.approx(temperature, rel=0.03)
    logits = rng.normal(0, 2, (20_000, 4))
    label = (special.softmax(logits, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    assert fit_softmax_temperature(logits * temperature, label) == pytest.approx(temperature, rel=0.03)


def test_two_classes_by_softmax_are_one_by_sigmoid():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, 500)
    positive = rng.random(500) < special.expit(z / 2)
    by_softmax = fit_softmax_temperature(np.stack([np.zeros(500), z], axis=1), positive.astype(np.intp))
    assert by_softmax == pytest.approx(fit_sigmoid_temperature(z, positive), rel=1e-6)


def test_it_is_the_least_loss():
    rng = np.random.default_rng(1)
    z = rng.normal(0, 3, 300)
    positive = rng.random(300) < special.expit(z / 2)
    loss = lambda t: np.logaddexp(0, -np.where(positive, z, -z) / t).sum()  # noqa: E731
    found = fit_sigmoid_temperature(z, positive)
    assert loss(found) <= min(loss(t) for t in np.geomspace(0.1, 20, 500)) + 1e-9
    assert not at_limit(found)


def test_no_information_and_backward_ranking_run_to_the_upper_limit_and_separation_to_the_lower():
    rng = np.random.default_rng(2)
    z = rng.normal(0, 3, 300)
    assert fit_sigmoid_temperature(z, z < 0) == pytest.approx(20, rel=0.01)
    assert fit_sigmoid_temperature(z, z > 0) == pytest.approx(0.05, rel=0.01)
    assert at_limit(fit_sigmoid_temperature(z, z < 0))
    assert at_limit(fit_sigmoid_temperature(z, z > 0))
