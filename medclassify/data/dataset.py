"""Serves whole batches from the prepared store; one array take a batch instead of a Python object an image."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

Batch = dict[str, Tensor]


class PreparedDataset(Dataset):
    """Prepared images with their targets.

    Args:
        images: uint8 (M, C, S, S), memory-mapped or not.
        rows: int64 (N,), which of them are the samples, in order.
        targets: float (N, K) in [0, 1]; anything where masked.
        mask: bool (N, K), True where the label is known.
    """

    def __init__(self, images: NDArray[np.uint8], rows: NDArray[np.int64], targets: NDArray, mask: NDArray[np.bool_]) -> None:
        self.images, self.rows = images, rows
        self.targets = torch.from_numpy(np.where(mask, targets, 0).astype(np.float32))
        self.mask = torch.from_numpy(mask.astype(np.float32))
        self.places: Tensor | None = None  # int64 (N,): where the images lie on a device that holds them

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        """One sample: ``image`` uint8 (C, S, S), ``target`` (K,), ``mask`` (K,), ``index``."""
        return {name: value[0] for name, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A batch: ``image`` uint8 (B, C, S, S), ``target`` and ``mask`` float32 (B, K), ``index`` int64 (B,).

        Where a device holds the images, ``place`` int64 (B,) stands for ``image``.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        index = torch.from_numpy(chosen)
        facts = {"target": self.targets[index], "mask": self.mask[index], "index": index}
        if self.places is not None:
            return {"place": self.places[index], **facts}
        return {"image": torch.from_numpy(self._take(self.rows[chosen])), **facts}

    def _take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        if not isinstance(self.images, np.ndarray):
            return self.images[rows]  # slices with their neighbours
        images = np.empty((len(rows), *self.images.shape[1:]), np.uint8)
        np.take(self.images, rows, axis=0, out=images, mode="clip")  # "clip" writes to out without a copy
        return images


def whole_batch(batch: Batch) -> Batch:
    """The collate function of a dataset that serves whole batches: nothing is left to do."""
    return batch


class EpochShuffle(Sampler[int]):
    """A random order that depends on seed and epoch alone, so that a resumed run sees what an unbroken one would have seen.

    Args:
        size: N.
        seed: The run's seed.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed, self.epoch = size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self.seed, self.epoch)).permutation(self.size).tolist())
