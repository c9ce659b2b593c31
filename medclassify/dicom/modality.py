"""From stored values to the values a modality means: rescale slope and intercept, or a table (PS3.3 C.11.1)."""

import numpy as np
from numpy.typing import NDArray


def apply_rescale(values: NDArray[np.float32], slope: float, intercept: float) -> NDArray[np.float32]:
    """``values · slope + intercept``, in place (PS3.3 C.11.1.1.2).

    Args:
        values: float32 (H, W), stored values.
        slope: Rescale Slope (0028,1053).
        intercept: Rescale Intercept (0028,1052).

    Returns:
        The same array.
    """
    if slope != 1:
        values *= np.float32(slope)
    if intercept != 0:
        values += np.float32(intercept)
    return values


def rescaled_range(lowest: int, highest: int, slope: float, intercept: float) -> tuple[float, float]:
    """The range of all possible values after the rescale, in ascending order."""
    ends = sorted((lowest * slope + intercept, highest * slope + intercept))
    return ends[0], ends[1]
