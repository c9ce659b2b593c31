"""Even draws: equal cells up to the cap, the usual number of draws, the same order from the same seed and epoch."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medclassify.data.balance import MOST_REPEATS, BalancedOrder, even_draws


@pytest.mark.parametrize(
    ("sizes", "draws"),
    [
        ([50, 50], [50, 50]),
        ([90, 10], [50, 50]),
        ([97, 3], [70, 30]),  # three images ten times each, the rest to the others
        ([900, 97, 3], [485, 485, 30]),
        ([34, 33, 33], [34, 33, 33]),
        ([7], [7]),
    ],
)
def test_draws_by_hand(sizes: list[int], draws: list[int]) -> None:
    assert even_draws(sizes, sum(sizes)) == draws


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_draws_add_up_keep_to_the_cap_and_are_even_above_it(sizes: list[int]) -> None:
    draws = even_draws(sizes, sum(sizes))
    assert sum(draws) == sum(sizes)
    assert all(0 < times <= MOST_REPEATS * size for times, size in zip(draws, sizes, strict=True) if sum(sizes) >= len(sizes))
    free = [times for times, size in zip(draws, sizes, strict=True) if times < MOST_REPEATS * size]
    assert not free or max(free) - min(free) <= 1
    assert not free or max(draws) <= max(free)


def test_an_epoch_draws_cells_evenly_repeats_alike_and_differs_from_the_next() -> None:
    cells = np.repeat([0, 1, 2], [900, 97, 3])
    order = BalancedOrder(cells, seed=3)
    order.set_epoch(1)
    first = list(order)
    assert len(first) == len(order) == 1000
    assert Counter(cells[first].tolist()) == {0: 485, 1: 485, 2: 30}
    times = Counter(first)
    assert {times[index] for index in range(997, 1000)} == {10}
    assert {times[index] for index in range(900, 997)} == {5}
    assert len([index for index in times if index < 900]) == 485  # of the large cell no image twice
    resumed = BalancedOrder(cells, seed=3)
    resumed.set_epoch(1)
    assert list(resumed) == first
    resumed.set_epoch(2)
    assert list(resumed) != first
    assert first[:30] != sorted(first[:30])
    seen = set()
    for epoch in range(12):
        order.set_epoch(epoch)
        seen |= set(order)
    assert len(seen) == 1000  # every epoch another part of the large cell
