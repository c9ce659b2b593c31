"""Shares the work of an epoch out among ranks: steps of training, and a tune split of which every sample is scored once."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class EpochBatches(Sampler[list[int]]):
    """Cuts an epoch's order into steps, and every step into equal shares, one a rank.

    A step takes ``batch_size`` samples a rank: 2 ranks of 16 see in a step what 1 rank of 32 sees. What is left at the end and
    fills no step is left out of that epoch; the next one draws anew. Fewer samples than a step are one step of smaller shares.

    Args:
        order: Sample indices of an epoch, N of them, the same on every rank; it has an ``epoch``. Lightning finds it as
            ``sampler`` and calls its ``set_epoch``.
        batch_size: Samples a step and rank.
        rank: Whose shares are served.
        ranks: How many there are.
    """

    def __init__(self, order: Sampler[int], batch_size: int, rank: int = 0, ranks: int = 1) -> None:
        self.sampler, self.rank, self.ranks = order, rank, ranks
        self.size: int = len(order)  # type: ignore[arg-type]
        self.share = min(batch_size, self.size // ranks)
        self._done = (-1, 0)

    def go_on(self, epoch: int, step: int) -> None:
        """Leaves out the first steps of one epoch: a resumed run has taken them."""
        self._done = (epoch, step)

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        return self.size // (self.share * self.ranks)

    def __iter__(self) -> Iterator[list[int]]:
        order, step = list(self.sampler), self.share * self.ranks
        epoch, done = self._done
        for number in range(done if epoch == getattr(self.sampler, "epoch", None) else 0, len(self)):
            start = number * step + self.rank * self.share
            yield order[start : start + self.share]


class TuneBatches(Sampler[list[int]]):
    """One rank's samples of a split that is scored: every ``ranks``-th, in order, none twice and none made up.

    A rank that has no sample gets one empty batch: Lightning leaves the evaluation out where there is none, and the other ranks
    would wait for this one.

    Args:
        size: N.
        batch_size: Samples a batch.
        rank: Whose samples are served.
        ranks: How many there are.
    """

    def __init__(self, size: int, batch_size: int, rank: int = 0, ranks: int = 1) -> None:
        self.own, self.batch_size = range(rank, size, ranks), batch_size

    def __len__(self) -> int:
        return max(1, -(-len(self.own) // self.batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(len(self)):
            yield list(self.own[number * self.batch_size : (number + 1) * self.batch_size])
