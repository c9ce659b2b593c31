"""Small pictures that are the same for copies of one image: without its frame, and whatever the window."""

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Rows and columns of a thumbnail: ribs can be told apart, the noise of a codec cannot."""

_FLAT = 4.0  # grey levels: a row or column that varies less is frame (JPEG leaves some variation in a black one)
_LEAST = 16  # rows or columns: what is left over must still be a picture
_NESTED = 4  # frames within frames: padding, then the black of the square


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrinks what each image shows, without its frame, to a square of equalised grey levels.

    Equalisation (each grey level becomes its rank in the image) makes every increasing window or gamma curve the same
    picture, and an inverted image the negative of it.

    Args:
        images: uint8 (N, 1, S, S), prepared images; may be memory-mapped.

    Returns:
        uint8 (N, SIDE, SIDE).
    """
    small = np.empty((len(images), SIDE, SIDE), np.uint8)
    for row, image in enumerate(images):
        pixels = np.asarray(image[0], np.float32)
        top, bottom, left, right = _content(pixels)
        rows, columns = _areas(top, bottom, pixels.shape[0]), _areas(left, right, pixels.shape[1])
        small[row] = _equalised(np.asarray(rows @ pixels @ columns.T, np.float32))
    return small


def detail(small: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Edges and ribs without slow shading, of equal strength everywhere.

    Args:
        small: (P, n, n).

    Returns:
        float32 (P, n, n): the band between two Gaussians, divided by its own local standard deviation.
    """
    side = small.shape[-1]
    wide = 4.0 * side / SIDE
    band = blurred(small, 0.7 * side / SIDE) - blurred(small, wide)
    power = blurred(np.square(band, dtype=np.float32), wide) + np.float32(6.5)  # levels²: flat regions stay flat
    return np.asarray(band / np.sqrt(power), np.float32)


def blurred(small: NDArray[np.uint8] | NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur of (P, n, n) with ``sigma`` in pixels; weights are renormalised at the edges."""
    place = np.arange(small.shape[-1], dtype=np.float32)
    weights = np.exp(-0.5 * ((place[:, None] - place) / np.float32(sigma)) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights @ np.asarray(small, np.float32) @ weights.T, np.float32)


def _content(pixels: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is not frame."""
    top, bottom, left, right = 0, pixels.shape[0], 0, pixels.shape[1]
    for _ in range(_NESTED):
        inside = pixels[top:bottom, left:right]
        rows, columns = np.flatnonzero(inside.std(axis=1) > _FLAT), np.flatnonzero(inside.std(axis=0) > _FLAT)
        if min(len(rows), len(columns)) < _LEAST or (len(rows), len(columns)) == inside.shape:
            break
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    return top, bottom, left, right


def _areas(start: int, stop: int, size: int) -> NDArray[np.float32]:
    """float32 (SIDE, size): the share of each pixel in each thumbnail row, so that shrinking is a product of matrices."""
    edges = np.linspace(start, stop, SIDE + 1)
    pixel = np.arange(size)
    overlap = np.clip(np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, None)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)


def _equalised(small: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels = np.clip(small, 0, 255).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=256)
    middle = (np.cumsum(counts) - counts / 2) / levels.size  # the mean rank of equal levels: black stays one level
    return np.rint(255 * middle).astype(np.uint8)[levels]
