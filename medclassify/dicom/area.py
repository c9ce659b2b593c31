"""Shrinking by area, fast: halved by SIMD code, then averaged over areas of any size."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_RATIO = 2
"""How many times larger than the result an image must stay when it is halved (or decoded) by powers of two."""
_BAND = 256
"""Rows that are worked on at once: they stay in the processor's cache."""
_SPREAD = 7  # 8-bit values are averaged as 15-bit ones

Ready = Callable[[NDArray[np.float32], slice], None]
"""Changes some rows of an image in place before they are averaged."""


def shrink_by_area(
    image: NDArray[Any],
    height: int,
    width: int,
    *,
    ready: Ready | None = None,
    rounded: bool = False,
    decoded_at: int = 1,
    original: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Averages each pixel of the result over the area that it covers.

    Images are first halved, and halved again, while they stay twice as large as the result: that takes a fraction of the time.

    Args:
        image: Numbers (H, W), at least as large as the result.
        height: Rows of the result.
        width: Columns of the result.
        ready: Called with rows of the image as float32 and their place, before they are averaged.
        rounded: Whether means of 16-bit integers may be rounded to whole numbers each time, which takes half the time; those
            of uint8 are rounded to a 128th. Only without ``ready``.
        decoded_at: 2ⁿ where ``image`` is the n-th reduced resolution of a wavelet codec, whose pixels are centred on every
            2ⁿ-th pixel of the original, not between them.
        original: (rows, columns) of the original of such an image.

    Returns:
        float32 (height, width).
    """
    rows, columns = image.shape
    step = 1 << halvings(rows / height, columns / width)
    values = _halved(image, step, ready, rounded=rounded and image.dtype in (np.uint8, np.uint16, np.int16))
    if not (rows % step or columns % step or decoded_at > 1):
        return _resize(values, height, width)
    unit, extent = step * decoded_at, original or (rows, columns)
    start = (decoded_at - 1) / 2 / unit  # the first pixel of a reduced resolution covers (2ⁿ − 1) / 2 pixels before the image
    by_row = _overlaps(extent[0] / unit, values.shape[0], height, start)
    by_column = _overlaps(extent[1] / unit, values.shape[1], width, start)
    return np.asarray(by_row @ values @ by_column.T, np.float32)


def _halved(image: NDArray[Any], step: int, ready: Ready | None, *, rounded: bool) -> NDArray[np.float32]:
    """Means of blocks of step × step; one that is not whole is filled up with copies of the edge."""
    rows, columns = image.shape
    if step == 1:
        whole: NDArray[np.float32] = image.astype(np.float32)
        if ready:
            ready(whole, slice(0, rows))
        return whole
    halved = np.empty((-(-rows // step), -(-columns // step)), np.float32)
    rows_at_once = max(_BAND, step)
    for top in range(0, rows, rows_at_once):
        place = slice(top, min(top + rows_at_once, rows))
        band: NDArray[Any] = image[place] if rounded else image[place].astype(np.float32)
        if ready:
            ready(band, place)
        if band.dtype == np.uint8:
            band = band.astype(np.uint16)
            band <<= _SPREAD
        below, beside = -len(band) % step, -columns % step
        if below or beside:
            band = cv2.copyMakeBorder(band, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        for _ in range(step.bit_length() - 1):
            band = _resize(band, band.shape[0] // 2, band.shape[1] // 2)
        halved[top // step : top // step + len(band)] = band
    if rounded and image.dtype == np.uint8:
        halved *= np.float32(1 / (1 << _SPREAD))
    return halved


def _resize(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA))


def halvings(*ratios: float) -> int:
    """How often an image may be halved that is so many times larger than the result in each direction."""
    times = 0
    while min(ratios) >= LEAST_RATIO << (times + 1):
        times += 1
    return times


def _overlaps(extent: float, cells: int, parts: int, start: float) -> NDArray[np.float32]:
    """Weights (parts, cells): how much of each of ``parts`` equal parts of ``extent`` each cell of length one covers.

    Cell k lies from k − start to k + 1 − start; the last one covers what is left.
    """
    edges = np.linspace(0, extent, parts + 1)
    left = np.arange(cells) - start
    right = left + 1
    left[0], right[-1] = min(left[0], 0), max(right[-1], extent)
    overlap = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
    weights = np.maximum(overlap, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
