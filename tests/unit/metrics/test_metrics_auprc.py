import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from medclassify import metrics
from medclassify.records import Status


def drawn(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.2
    return y, rng.normal(size=n) + 1.5 * y


def test_the_value_is_average_precision_and_the_interval_a_percentile_of_copied_rows():
    y, score = drawn()
    found = metrics.auprc(y, score, resamples=2000, seed=1)
    assert found.value == pytest.approx(average_precision_score(y, score), abs=1e-14)
    rng = np.random.default_rng(5)
    copies = [average_precision_score(y[rows], score[rows]) for rows in rng.integers(0, 300, (500, 300))]
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(np.quantile(copies, [0.025, 0.975])), abs=0.02)
    assert found.ci_method == "patient-bootstrap percentile (B=2000)"
    assert (found.status, found.note) == (Status.OK, "")


def test_the_seed_makes_it_repeatable():
    y, score = drawn()
    assert metrics.auprc(y, score, seed=4) == metrics.auprc(y, score, seed=4)
    assert metrics.auprc(y, score, seed=4).ci_low != metrics.auprc(y, score, seed=5).ci_low


def test_copies_of_an_image_do_not_narrow_the_interval():
    y, score = drawn()
    rows = np.tile(np.arange(300), 5)
    once = metrics.auprc(y, score)
    copied = metrics.auprc(y[rows], score[rows], patients=rows)
    as_if_independent = metrics.auprc(y[rows], score[rows])
    assert copied.value == pytest.approx(once.value)
    assert copied.ci_high - copied.ci_low == pytest.approx(once.ci_high - once.ci_low, rel=0.1)
    assert as_if_independent.ci_high - as_if_independent.ci_low < 0.6 * (once.ci_high - once.ci_low)


def test_full_separation_has_no_zero_width_interval():
    found = metrics.auprc([1] * 10 + [0] * 90, -np.arange(100.0))
    assert found.value == 1.0
    assert found.ci_high == 1.0
    assert found.ci_low < 0.75
    assert found.ci_method == "exact-unseen-faults"
    assert "fully separated" in found.note
    larger = metrics.auprc([1] * 100 + [0] * 900, -np.arange(1000.0))
    assert found.ci_low < larger.ci_low < 1


def test_undefined_resamples_are_said():
    # five patients hold all positives among 8: a resample without any of them is not rare with so few patients
    y = np.r_[np.ones(5), np.zeros(25)]
    patients = [f"p{n}" for n in range(5)] + [f"n{n % 25}" for n in range(25)]
    found = metrics.auprc(y, np.r_[np.arange(5.0), np.arange(25.0) - 21], patients=patients)
    assert found.status is Status.UNSTABLE
    assert "resamples undefined" in found.note
    assert "n_pos=5" in found.note


def test_cells_share_their_resamples_and_lose_nothing():
    y, score = drawn()
    ids = np.arange(300)
    group = np.random.default_rng(1).random(300) < 0.5
    separated = (np.r_[np.ones(10), np.zeros(50)], -np.arange(60.0), ids[:60])
    cells = [
        (y, score, ids),
        (y[group], score[group], ids[group]),
        (y[:40] & False, score[:40], ids[:40]),
        separated,
        (y, score, ids),
    ]
    found = metrics.auprc_cells(cells, seed=2)
    assert found[0] == metrics.auprc(y, score, patients=ids, seed=2) == found[4]
    alone = metrics.auprc(y[group], score[group], seed=3)
    assert found[1].value == alone.value
    assert (found[1].ci_low, found[1].ci_high) == pytest.approx((alone.ci_low, alone.ci_high), abs=0.04)
    assert (found[2].status, found[2].note) == (Status.NOT_ESTIMABLE, "n_pos=0")
    assert found[3].ci_method == "exact-unseen-faults"
    named = [(labels, values, [f"p{one}" for one in people]) for labels, values, people in cells]
    assert metrics.auprc_cells(named, seed=2) == found
    assert metrics.auprc_cells([]) == []
