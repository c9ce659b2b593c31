"""Slices of a store brought into order: the channels of a 2.5-D picture, and the slices that a series is made of.

Each slice is prepared once, whatever it is shown beside: a picture of three slices is put together when it is taken.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.data.store import PreparedStore


@dataclass(frozen=True, slots=True, eq=False)
class NeighbouredImages:
    """Prepared slices, each with those beside it as channels; it is taken from like an array (M, C, S, S).

    Attributes:
        images: uint8 (M, 1, S, S), memory-mapped or not.
        channels: int64 (M, C), which rows of ``images`` make up the picture of each.
    """

    images: NDArray[np.uint8]
    channels: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.channels), self.channels.shape[1], *self.images.shape[2:])

    @property
    def filename(self) -> str | None:
        """The file of the slices, where they lie in one."""
        return getattr(self.images, "filename", None)

    @property
    def digest(self) -> str:
        """Which slices are beside which: for the name of what is made of these pictures."""
        return hashlib.sha256(self.channels.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.channels)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 (B, C, S, S)."""
        chosen = self.channels[rows]
        return self.images[chosen.reshape(-1)].reshape(len(chosen), -1, *self.images.shape[2:])


def in_stacks(store: PreparedStore, slices: pd.DataFrame, *, neighbours: int, series: bool) -> PreparedStore:
    """A store whose pictures show neighbours, and whose samples are series, as asked.

    Args:
        store: Of slices, an image each.
        slices: A manifest's slices; those that the store lacks, because they could not be read, are passed over.
        neighbours: How many slices on either side are channels. Where a stack ends, its last slice is repeated.
        series: Samples are stacks instead of slices.
    """
    place = pd.Series(np.arange(len(store.index)), index=store.index["sample_id"])
    there = slices[slices["slice_id"].isin(place.index)].sort_values(["stack", "position_mm"], kind="stable")
    rows = place.loc[there["slice_id"]].to_numpy(np.int64)
    number = there["stack"].factorize()[0]
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    parts = np.split(rows, starts[1:]) if len(rows) else []
    images = store.images
    if neighbours:
        channels = np.repeat(np.arange(len(store.index), dtype=np.int64)[:, None], 2 * neighbours + 1, axis=1)
        for part in parts:
            at = np.arange(len(part))[:, None] + np.arange(-neighbours, neighbours + 1)
            channels[part] = part[at.clip(0, len(part) - 1)]
        images = cast(NDArray[np.uint8], NeighbouredImages(store.images, channels))
    names = there["stack"].to_numpy()[starts]
    return replace(store, images=images, stacks=dict(zip(names, parts, strict=True)) if series else {})
