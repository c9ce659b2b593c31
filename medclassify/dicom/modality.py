"""From stored values to the values a modality means: rescale slope and intercept, or a table (PS3.3 C.11.1)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def apply_rescale(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[np.float32]:
    """``stored · slope + intercept`` (PS3.3 C.11.1.1.2).

    Values of 32 bits do not fit a float32 before the rescale; it is computed in float64.

    Args:
        stored: Integers (H, W), or float32 where they have been averaged.
        slope: Rescale Slope (0028,1053).
        intercept: Rescale Intercept (0028,1052).

    Returns:
        A new float32 (H, W).
    """
    wide = stored.dtype.kind != "f" and stored.itemsize > 2
    values: NDArray[Any] = stored.astype(np.float64 if wide else np.float32)
    if slope != 1:
        values *= values.dtype.type(slope)
    if intercept != 0:
        values += values.dtype.type(intercept)
    return values.astype(np.float32, copy=False)


def rescaled_range(lowest: int, highest: int, slope: float, intercept: float) -> tuple[float, float]:
    """The range of all possible values after the rescale, in ascending order."""
    ends = sorted((lowest * slope + intercept, highest * slope + intercept))
    return ends[0], ends[1]
