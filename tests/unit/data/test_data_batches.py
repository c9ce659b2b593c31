"""Every rank's share: steps that make up an epoch's order, and a tune split of which no sample is lost or made up."""

import itertools

import pytest

from medclassify.data.batches import EpochBatches, TuneBatches
from medclassify.data.dataset import EpochShuffle


def epoch_of(size: int, batch_size: int, ranks: int, epoch: int = 0) -> list[list[list[int]]]:
    """The batches of each rank."""
    order = EpochShuffle(size, seed=3)
    order.set_epoch(epoch)
    return [list(EpochBatches(order, batch_size, rank, ranks)) for rank in range(ranks)]


@pytest.mark.parametrize(("size", "batch_size", "ranks"), [(64, 8, 2), (67, 8, 3), (7, 8, 2), (5, 16, 1), (16, 16, 1)])
def test_ranks_share_the_steps_of_an_epoch(size: int, batch_size: int, ranks: int) -> None:
    parts = epoch_of(size, batch_size, ranks)
    assert len({len(part) for part in parts}) == 1 and parts[0], "ranks take as many steps"
    assert len({len(batch) for part in parts for batch in part}) == 1, "all shares are equal"
    seen = list(itertools.chain(*itertools.chain(*parts)))
    assert len(seen) == len(set(seen)) and set(seen) <= set(range(size))
    assert size - len(seen) < min(batch_size * ranks, size), "what is left fills no step"
    assert len(EpochBatches(EpochShuffle(size, 3), batch_size, 0, ranks)) == len(parts[0])


def test_two_ranks_see_in_a_step_what_one_of_twice_the_batch_sees() -> None:
    one, (first, second) = epoch_of(70, 16, 1)[0], epoch_of(70, 8, 2)
    assert [a + b for a, b in zip(first, second, strict=True)] == one


def test_a_resumed_epoch_leaves_out_what_was_taken_and_the_next_one_does_not() -> None:
    order = EpochShuffle(70, seed=3)
    batches = EpochBatches(order, 8, 1, 2)
    batches.go_on(1, 3)
    order.set_epoch(1)
    assert list(batches) == epoch_of(70, 8, 2, epoch=1)[1][3:] == list(batches)
    assert len(batches) == 4, "Lightning counts the whole epoch"
    order.set_epoch(2)
    assert list(batches) == epoch_of(70, 8, 2, epoch=2)[1]


@pytest.mark.parametrize("size", [0, 1, 2, 21, 32, 33])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_tune_sample_once_and_a_batch_for_every_rank(size: int, ranks: int) -> None:
    parts = [list(TuneBatches(size, 4, rank, ranks)) for rank in range(ranks)]
    assert sorted(itertools.chain(*itertools.chain(*parts))) == list(range(size))
    assert all(parts), "a rank without a batch would leave the evaluation to the others"
    assert [len(TuneBatches(size, 4, rank, ranks)) for rank in range(ranks)] == [len(part) for part in parts]
