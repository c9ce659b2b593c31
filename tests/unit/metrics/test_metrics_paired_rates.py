"""Differences of rates on the same samples, against published intervals."""

import numpy as np
import pytest

from medclassify.errors import MetricError
from medclassify.metrics.paired_rates import newcombe_paired_interval, paired_rate_gap
from medclassify.records import Status


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [((36, 12, 2, 0), 0.0569, 0.3404), ((1, 1, 7, 12), -0.507, -0.026)],  # Newcombe 1998; Fagerland 2014 (Bentur's data)
)
def test_the_published_intervals(table: tuple[int, int, int, int], low: float, high: float):
    found = newcombe_paired_interval(table)
    assert found == pytest.approx((low, high), abs=6e-4 if low < 0 else 6e-5)


def test_the_correlation_narrows_it():
    alike = newcombe_paired_interval((45, 5, 5, 45))
    unlike = newcombe_paired_interval((25, 25, 25, 25))
    assert alike[1] - alike[0] < 0.6 * (unlike[1] - unlike[0])


def test_p_is_where_the_interval_touches_zero():
    first, second = [1] * 38 + [0] * 12, [1] * 36 + [0] * 2 + [1] * 0 + [0] * 12
    gap = paired_rate_gap(first, second)
    assert gap.p is not None
    touching = newcombe_paired_interval((36, 2, 0, 12), level=1 - gap.p)
    assert min(map(abs, touching)) < 1e-9
    assert paired_rate_gap(second, first).p == pytest.approx(gap.p)


def test_swapping_swaps_the_sign():
    random = np.random.default_rng(0)
    a, b = random.random(80) < 0.7, random.random(80) < 0.5
    one, two = paired_rate_gap(a, b).estimate, paired_rate_gap(b, a).estimate
    assert one.value == pytest.approx(-two.value)
    assert (one.ci_low, one.ci_high) == pytest.approx((-two.ci_high, -two.ci_low))


def test_copies_of_patients_do_not_narrow_it():
    random = np.random.default_rng(1)
    a, b = random.random(60) < 0.8, random.random(60) < 0.6
    alone = paired_rate_gap(a, b).estimate
    copied = paired_rate_gap(np.repeat(a, 4), np.repeat(b, 4), patients=np.repeat(np.arange(60), 4)).estimate
    assert "bootstrap" in copied.ci_method
    assert copied.ci_high - copied.ci_low == pytest.approx(alone.ci_high - alone.ci_low, rel=0.15)


def test_small_samples_and_agreement():
    assert paired_rate_gap([1] * 9, [0] * 9).estimate.status is Status.NOT_ESTIMABLE
    few = paired_rate_gap([1] * 12, [1] * 12, name="n_pos").estimate
    assert (few.status, few.note, few.value) == (Status.UNSTABLE, "n_pos=12", 0)
    same = paired_rate_gap([1] * 60, [1] * 60, patients=[number // 3 for number in range(60)])
    assert "counted once" in same.estimate.ci_method and same.p == 1
    assert same.estimate.ci_high == pytest.approx(newcombe_paired_interval((20, 0, 0, 0))[1])


def test_two_lengths_are_refused():
    with pytest.raises(MetricError, match=r"success2 must have one value a sample: expected 3, received 2"):
        paired_rate_gap([1, 0, 1], [1, 0])
