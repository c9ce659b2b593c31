"""Trap: a subgroup with one class only must say so, and never show 0, 0.5 or 1."""

import numpy as np
import pytest

from medclassify import metrics
from medclassify.metrics.cells import worst
from medclassify.records import Status

RANKED = (metrics.auroc, metrics.auprc)
PREDICTED = (metrics.brier, metrics.calibration_intercept, metrics.ece, metrics.oe_ratio)


def cell(n_pos: int, n_neg: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n_pos * 1000 + n_neg)
    y = np.r_[np.ones(n_pos), np.zeros(n_neg)]
    return y, np.clip(rng.random(y.size) * 0.7 + 0.2 * y, 0, 1)


@pytest.mark.parametrize("statistic", [*RANKED, *PREDICTED, metrics.calibration_slope])
@pytest.mark.parametrize(
    ("n_pos", "n_neg", "note"), [(0, 300, "n_pos=0"), (300, 0, "n_neg=0"), (4, 300, "n_pos=4"), (0, 0, "n_pos=0, n_neg=0")]
)
def test_a_cell_below_five_is_not_estimable(statistic, n_pos, n_neg, note):
    found = statistic(*cell(n_pos, n_neg))
    assert (found.value, found.ci_low, found.ci_high, found.ci_method) == (None, None, None, "")
    assert found.status is Status.NOT_ESTIMABLE
    assert found.note.startswith(note)


@pytest.mark.parametrize("statistic", [*RANKED, *PREDICTED])
@pytest.mark.parametrize(("n_pos", "status"), [(5, Status.UNSTABLE), (19, Status.UNSTABLE), (20, Status.OK)])
def test_a_cell_below_twenty_is_unstable(statistic, n_pos, status):
    found = statistic(*cell(n_pos, 300))
    assert found.status is status
    assert found.value is not None
    assert found.ci_low < found.ci_high
    assert ("n_pos=" in found.note) == (status is Status.UNSTABLE)


@pytest.mark.parametrize("statistic", [*RANKED, *PREDICTED])
def test_images_of_one_patient_are_one_observation(statistic):
    y, score = cell(40, 300)
    patients = np.r_[np.repeat(np.arange(4), 10), np.arange(4, 304)]
    found = statistic(y, score, patients=patients)
    assert found.status is Status.NOT_ESTIMABLE
    assert found.note == "n_pos=40 of 4 patients"


def test_the_slope_needs_a_hundred_of_each():
    for n_pos, n_neg, note in (
        (99, 300, "n_pos=99: a slope needs 100 of each"),
        (300, 99, "n_neg=99: a slope needs 100 of each"),
    ):
        found = metrics.calibration_slope(*cell(n_pos, n_neg))
        assert (found.status, found.note) == (Status.NOT_ESTIMABLE, note)
    assert metrics.calibration_slope(*cell(100, 100)).status is Status.OK


def test_rates_need_a_denominator_of_ten():
    y = np.r_[np.ones(9), np.zeros(15)]
    found = metrics.rates(y, np.r_[np.ones(9), np.ones(3), np.zeros(12)])
    assert found["sensitivity"].status is Status.NOT_ESTIMABLE
    assert found["sensitivity"].note == "n_pos=9"
    assert found["specificity"].status is Status.UNSTABLE
    assert found["specificity"].note == "n_neg=15"
    assert found["ppv"].note == "called_positive=12"
    assert found["npv"].note == "called_negative=12"


def test_no_positives_gives_no_sensitivity_rather_than_zero():
    found = metrics.rates(np.zeros(50), np.zeros(50))
    for name in ("sensitivity", "fnr", "ppv"):
        assert found[name].value is None
        assert found[name].status is Status.NOT_ESTIMABLE
    assert found["specificity"].value == 1.0


def test_the_least_trustworthy_status_wins():
    assert worst(Status.OK, Status.NOT_ESTIMABLE, Status.UNSTABLE) is Status.NOT_ESTIMABLE
    assert worst(Status.OK, Status.UNSTABLE) is Status.UNSTABLE
    assert worst(Status.OK, Status.OK) is Status.OK
