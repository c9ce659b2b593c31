import numpy as np
import pytest

from medclassify import metrics
from medclassify.errors import MetricError


def shifted(shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal ranking within and outside the group; the group's scores are shifted."""
    rng = np.random.default_rng(0)
    group = rng.random(2000) < 0.3
    y = rng.random(2000) < 0.4
    return y, rng.normal(size=2000) + 1.5 * y + shift * group, group


def test_a_shift_up_shows_as_false_alarms_and_a_shift_down_as_misses():
    even, up, down = (metrics.cross_aurocs(*shifted(shift)) for shift in (0.0, 1.0, -1.0))
    assert up["subgroup"].value == pytest.approx(even["subgroup"].value)
    assert up["bpsn"].ci_high < even["bpsn"].ci_low
    assert up["bnsp"].value > even["bnsp"].value
    assert down["bnsp"].ci_high < even["bnsp"].ci_low


def test_an_empty_group_is_not_estimable():
    found = metrics.cross_aurocs([0, 1] * 10, np.arange(20.0), np.zeros(20))
    assert found["subgroup"].note == "n_pos=0, n_neg=0"
    assert found["bpsn"].note == "n_pos=10, n_neg=0"
    assert found["bnsp"].note == "n_pos=0, n_neg=10"


def test_membership_must_be_one_value_a_sample():
    with pytest.raises(MetricError, match="in_group must have one value a label: expected 2, received 3"):
        metrics.cross_aurocs([0, 1], [0.1, 0.2], [0, 1, 1])
