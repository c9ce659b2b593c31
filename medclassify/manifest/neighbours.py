"""Which pairs of images are worth a close look, without comparing every image with every other."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SAMPLE = 4000
_DIMENSIONS = 128
_NEAREST = 5
_LEAST_COSINE = 0.3
_LEAST_COSINE_OF_NEGATIVE = 0.5  # negatives are rare, and every image is somewhat like some others' negatives
_ALL_AT_ONCE = 20_000
_CELLS_EACH = 3
_BLOCK = 2048


class Candidates(NamedTuple):
    """Pairs of rows: ``first`` < ``second``, int64 (P,); ``inverted`` bool (P,): the second fits as a negative."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    inverted: NDArray[np.bool_]


def candidates(small: NDArray[np.uint8], patients: NDArray[np.int64]) -> Candidates:
    """The nearest neighbours of each image among other patients' images.

    Thumbnails become whitened principal components (what all chests share counts little, what tells two apart counts much)
    and are compared by cosine: with all others up to 20,000 images, beyond that with those in the same cell. Each image lies
    in the three nearest of about √N cells, so that N images cost of the order of N^1.5 multiply-adds, all in BLAS.

    Args:
        small: uint8 (N, n, n), ``thumbnails``.
        patients: int64 (N,): images of equal numbers are not compared.

    Returns:
        At most five (in each cell) for every image.
    """
    plain, negative = _embedded(small)
    keys, inverted = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    for cell in _cells(plain):
        for query, least in ((plain, _LEAST_COSINE), (negative, _LEAST_COSINE_OF_NEGATIVE)):
            one, other = _nearest(query, plain, cell, patients, least)
            keys.append(np.minimum(one, other) * len(small) + np.maximum(one, other))
            inverted.append(np.full(len(one), query is negative))
    pairs, position = np.unique(2 * np.concatenate(keys) + np.concatenate(inverted), return_index=True)
    return Candidates(pairs // 2 // len(small), pairs // 2 % len(small), np.concatenate(inverted)[position])


def _embedded(small: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors (N, D) of the images and of their negatives."""
    count = len(small)
    dimensions = min(_DIMENSIONS, max(4, count // 8))
    sample = _features(small[:: max(1, -(-count // _SAMPLE))])
    mean = sample.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    basis = (axes[:, -dimensions:] / np.sqrt(np.maximum(variance[-dimensions:], 1e-3))).astype(np.float32)
    plain, negative = np.empty((2, count, dimensions), np.float32)
    for start in range(0, count, _BLOCK):
        features = _features(small[start : start + _BLOCK])
        plain[start : start + _BLOCK] = _unit((features - mean) @ basis)
        negative[start : start + _BLOCK] = _unit((255 - features - mean) @ basis)
    return plain, negative


def _features(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    return halved(small).reshape(len(small), -1)


def halved(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of two by two pixels: float32 (P, n / 2, n / 2)."""
    half = small.shape[1] // 2
    return small.reshape(len(small), half, 2, half, 2).mean(axis=(2, 4), dtype=np.float32)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _cells(plain: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """Groups of rows that may be near one another."""
    count = len(plain)
    if count <= _ALL_AT_ONCE:
        yield np.arange(count)
        return
    centres = plain[:: int(count**0.5)]
    cell_of = np.concatenate(
        [
            np.argpartition(-(plain[start : start + _BLOCK] @ centres.T), _CELLS_EACH, axis=1)[:, :_CELLS_EACH]
            for start in range(0, count, _BLOCK)
        ]
    ).ravel()
    order = np.argsort(cell_of, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(cell_of[order])) + 1):
        yield part // _CELLS_EACH


def _nearest(
    query: NDArray[np.float32],
    plain: NDArray[np.float32],
    cell: NDArray[np.int64],
    patients: NDArray[np.int64],
    least: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows of one cell whose cosine is among the largest of its row."""
    members, owners = plain[cell].T, patients[cell]
    ones, others = [], []
    nearest = min(_NEAREST, len(cell))
    for start in range(0, len(cell), _BLOCK):
        rows = cell[start : start + _BLOCK]
        cosine = query[rows] @ members
        cosine[patients[rows][:, None] == owners] = -1
        best = np.argpartition(-cosine, nearest - 1, axis=1)[:, :nearest]
        near = np.take_along_axis(cosine, best, axis=1) >= least
        ones.append(np.repeat(rows, near.sum(axis=1)))
        others.append(cell[best[near]])
    return np.concatenate(ones), np.concatenate(others)
