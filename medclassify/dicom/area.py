"""Shrinking by area, fast: halved by SIMD code, then averaged over areas of any size."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from medclassify.dicom.fingerprint import floor_to_power

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LEAST_RATIO = 2
"""How many times larger than the result an image must stay when it is halved (or decoded) by powers of two."""
_BAND_BYTES = 1 << 21
"""Bytes that are worked on at once, in 2ⁿ rows: they stay in the processor's cache."""
_SPREAD = 7  # 8-bit values are averaged as 15-bit ones

Ready = Callable[[NDArray[Any], slice], NDArray[Any]]
"""Takes some rows of an image and their place, and returns what is averaged in their stead; the rows stay as they are."""


def shrink_by_area(
    image: NDArray[Any],
    height: int,
    width: int,
    *,
    ready: Ready | None = None,
    rounding: float = 0,
    decoded_at: int = 1,
    before: float = 0,
    original: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Averages each pixel of the result over the area that it covers.

    Images are first halved, and halved again, while they stay twice as large as the result: that takes a fraction of the time.

    Args:
        image: Numbers (H, W), at least as large as the result.
        height: Rows of the result.
        width: Columns of the result.
        ready: Called with 2ⁿ rows of the image, or the last ones, and their place, before they are averaged, in order.
        rounding: How far a halving may be rounded, in values of the image. From 1/2 on, means of 16-bit integers are whole
            numbers, which takes half the time, and those of uint8 are after the first of several halvings, which takes a
            fifth (an eighth too high on average). From 1/128 on, means of uint8 are rounded to that.
        decoded_at: 2ⁿ where ``image`` is the n-th reduced resolution of a codec.
        before: How many pixels of the original its first pixel covers before the image (``codecs.Reduced``).
        original: (rows, columns) of the original of such an image.

    Returns:
        float32 (height, width).
    """
    rows, columns = image.shape
    step = 1 << halvings(rows / height, columns / width)
    least = {np.dtype(np.uint8): 1 / (1 << _SPREAD), np.dtype(np.uint16): 1 / 2, np.dtype(np.int16): 1 / 2}
    integers = step > 1 and rounding >= least.get(image.dtype, np.inf)
    values = _halved(image, step, ready, integers=integers, coarse=rounding >= 1 / 2).astype(np.float32, copy=False)
    unit, extent = step * decoded_at, original or (rows, columns)
    start = before / unit
    by_row = _overlaps(extent[0] / unit, values.shape[0], height, start)
    by_column = _overlaps(extent[1] / unit, values.shape[1], width, start)
    lying = by_column @ cv2.transpose(by_row @ values)  # cv2: numpy takes fifteen times as long where sides are powers of two
    small = np.asarray(cv2.transpose(lying))
    return (
        small * np.float32(1 / _byte_scale(step, coarse=rounding >= 1 / 2)) if integers and image.dtype == np.uint8 else small
    )


def _halved(image: NDArray[Any], step: int, ready: Ready | None, *, integers: bool, coarse: bool) -> NDArray[Any]:
    """Means of blocks of step × step; one that is not whole is filled up with copies of the edge."""
    rows, columns = image.shape
    dtype = (image.dtype if image.itemsize > 1 else np.uint16) if integers else np.float32
    halved = np.empty((-(-rows // step), -(-columns // step)), dtype)
    rows_at_once = max(floor_to_power(_BAND_BYTES // image[0].nbytes), step)
    for top in range(0, rows, rows_at_once):
        place = slice(top, min(top + rows_at_once, rows))
        band = ready(image[place], place) if ready else image[place]
        if not integers:
            band = band.astype(np.float32, copy=False)
        halved[top // step : -(-place.stop // step)] = _blocks(band, step, coarse=coarse) if step > 1 else band
    return halved


def _blocks(band: NDArray[Any], step: int, *, coarse: bool) -> NDArray[Any]:
    """Means of blocks of some rows; those of bytes in 16 bits, times ``_byte_scale``."""
    for axis in (0, 1):
        beyond = band.shape[axis] % step
        if beyond:
            inner, edge = np.split(band, [-beyond], axis)
            filled = edge.take(np.minimum(range(step), beyond - 1), axis)
            return np.concatenate([_blocks(part, step, coarse=coarse) for part in (inner, filled) if part.size], axis)
    if band.dtype == np.uint8:
        scale = _byte_scale(step, coarse=coarse)
        if coarse and step > 2:
            band, step = _halved_numbers(band), step // 2
        band, step = _sums_of_four(band), step // 2
        if step > 1:
            band *= scale // 4
    while step > 1:
        band, step = _halved_numbers(band), step // 2
    return band


def _halved_numbers(band: NDArray[Any]) -> NDArray[Any]:
    size = (band.shape[1] // 2, band.shape[0] // 2)
    return np.asarray(cv2.resize(band, size, interpolation=cv2.INTER_AREA))


def _sums_of_four(band: NDArray[Any]) -> NDArray[Any]:
    """Sums of two by two bytes. Two bytes are added as the halves of one word: faster than widening each."""
    words = band.view(np.uint16)
    pairs = words & 0xFF
    pairs += words >> 8
    return np.asarray(cv2.add(pairs[::2], pairs[1::2]))


def _byte_scale(step: int, *, coarse: bool) -> int:
    """What means of step × step bytes are multiplied by: sums of four need no more; those that are halved again get 15 bits."""
    return 4 if step == (4 if coarse else 2) or step == 2 else 1 << _SPREAD


def halvings(*ratios: float) -> int:
    """How often an image may be halved that is so many times larger than the result in each direction."""
    times = 0
    while min(ratios) >= LEAST_RATIO << (times + 1):
        times += 1
    return times


@lru_cache(maxsize=64)
def _overlaps(extent: float, cells: int, parts: int, start: float) -> "csr_array":
    """Weights (parts, cells): how much of each of ``parts`` equal parts of ``extent`` each cell of length one covers.

    Cell k lies from k − start to k + 1 − start; the last one covers what is left. A part meets few cells: dense weights take
    thirty times as long to multiply.
    """
    from scipy.sparse import csr_array  # here: reading headers can do without

    edges = np.linspace(0, extent, parts + 1)
    borders = np.arange(1, cells) - start
    borders = borders[(borders > 0) & (borders < extent)]
    cuts = np.sort(np.concatenate([edges, borders]))
    middles, lengths = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)  # between two cuts lies one cell of one part
    first = np.searchsorted(middles, edges).astype(np.int32)
    cell = np.minimum((middles + start).astype(np.int32), cells - 1)
    return csr_array(((lengths * (parts / extent)).astype(np.float32), cell, first), shape=(parts, cells))
