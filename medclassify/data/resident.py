"""Keeps the prepared images of training on a GPU where they fit: a batch is then a list of places instead of megabytes.

100,000 images of 256 × 256 are 6.6 GB of bytes. Where they do not fit, batches are streamed (see ``ahead``).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SHARE = 0.25  # of the memory that is free before training; the rest is for the network's own maps
_CHUNK = 1024  # images moved at a time


@dataclass(frozen=True, slots=True, eq=False)
class ResidentImages:
    """Images on a device.

    Attributes:
        images: uint8 (M, C, S, S), on the device.
        rows: int64 (M,), ascending: which rows of the store they are.
    """

    images: Tensor
    rows: NDArray[np.int64]

    def places(self, rows: NDArray[np.int64]) -> Tensor:
        """Where rows of the store, all of them resident, stand in ``images``: int64 (N,), on the host."""
        return torch.from_numpy(np.searchsorted(self.rows, rows))

    def take(self, places: Tensor) -> Tensor:
        """The images at places (B,) that are on the device: uint8 (B, C, S, S)."""
        return self.images.index_select(0, places)


def resident_bytes(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> int:
    """What ``make_resident`` would take on a device."""
    return len(rows) * int(np.prod(images.shape[1:]))


def has_room(needed: int, free: int) -> bool:
    """Whether images may live on a device: they take at most a quarter of what is free, so that the network is not crowded.

    Args:
        needed: Bytes of the images.
        free: Bytes free on the device before training.
    """
    return needed <= _SHARE * free


def make_resident(images: NDArray[np.uint8], rows: NDArray[np.int64], device: torch.device) -> ResidentImages:
    """Copies rows of a store to a device, each once.

    Args:
        images: uint8 (N, C, S, S), memory-mapped or not.
        rows: int64, which of them; in any order, repeats allowed.
        device: Where to.
    """
    wanted = np.unique(rows)
    held = torch.empty((len(wanted), *images.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(wanted), _CHUNK):
        chosen = wanted[start : start + _CHUNK]
        held[start : start + len(chosen)].copy_(torch.from_numpy(images[chosen]))
    return ResidentImages(held, wanted)
