"""Draws epochs in which small cells of the train split weigh as much as large ones."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

MOST_REPEATS = 10  # of one image in one epoch: beyond that a handful of images would be learnt by heart


class BalancedOrder(Sampler[int]):
    """A random order in which every cell is drawn equally often, and no sample more than ``MOST_REPEATS`` times an epoch.

    What a small cell may not take for that limit is shared out among the others. An epoch has as many draws as there are
    samples, so it has its usual number of steps; of a large cell another part comes every epoch. It depends on seed and epoch
    alone.

    Args:
        cells: int64 (N,), the cell of each sample, from 0.
        seed: The run's seed.
    """

    def __init__(self, cells: NDArray[np.int64], seed: int) -> None:
        self.size, self.seed, self.epoch = len(cells), seed, 0
        self.members = [np.flatnonzero(cells == cell) for cell in np.unique(cells)]
        self.draws = even_draws([len(members) for members in self.members], self.size)

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        drawn = [
            np.concatenate([np.repeat(members, times // len(members)), generator.permutation(members)[: times % len(members)]])
            for members, times in zip(self.members, self.draws, strict=True)
        ]
        return iter(generator.permutation(np.concatenate(drawn)).tolist())


def even_draws(sizes: Sequence[int], total: int) -> list[int]:
    """How often each cell is drawn: equally, but at most ``MOST_REPEATS`` times its size.

    Args:
        sizes: Samples of each cell, at least 1.
        total: Draws of an epoch, at most ``MOST_REPEATS`` times all samples.

    Returns:
        Draws of each cell; they add up to ``total``. Where that does not go evenly, the largest cells have one more.
    """
    draws, left = [0] * len(sizes), total
    order = sorted(range(len(sizes)), key=lambda cell: sizes[cell])  # the smallest first: what it leaves goes to the rest
    for place, cell in enumerate(order):
        draws[cell] = min(left // (len(order) - place), MOST_REPEATS * sizes[cell])
        left -= draws[cell]
    return draws
