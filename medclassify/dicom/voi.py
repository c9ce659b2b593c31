"""Values of interest to grey in [0, 1]: windows, percentiles and whole ranges (PS3.3 C.11.2). All work in place."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.5, 99.5)
"""Where an image has no window: these percentiles become black and white."""

_STRIDE = 4
_LARGE = 512


def window_linear(values: NDArray[np.float32], center: float, width: float) -> NDArray[np.float32]:
    """LINEAR (PS3.3 C.11.2.1.2.1): from ``c − 0.5 − (w−1)/2`` to ``c − 0.5 + (w−1)/2``; needs ``width`` ≥ 1.

    Args:
        values: float32 (H, W), after the modality LUT.
        center: Window Center (0028,1050).
        width: Window Width (0028,1051).

    Returns:
        The same array in [0, 1].
    """
    if width == 1:
        return np.greater(values, np.float32(center - 0.5), out=values, casting="unsafe")
    return stretch(values, *linear_ends(center, width))


def linear_ends(center: float, width: float) -> tuple[float, float]:
    """The values that LINEAR makes black and white."""
    return center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2


def window_linear_exact(values: NDArray[np.float32], center: float, width: float) -> NDArray[np.float32]:
    """LINEAR_EXACT (PS3.3 C.11.2.1.3.2): from ``c − w/2`` to ``c + w/2``; needs ``width`` > 0."""
    return stretch(values, center - width / 2, center + width / 2)


def window_sigmoid(values: NDArray[np.float32], center: float, width: float) -> NDArray[np.float32]:
    """SIGMOID (PS3.3 C.11.2.1.3.1): ``1 / (1 + exp(−4 (x − c) / w))``; needs ``width`` > 0."""
    values -= np.float32(center)
    values *= np.float32(-4 / width)
    np.clip(values, -80, 80, out=values)  # beyond these float32 overflows, and grey is 0 or 1 to its last digit
    np.exp(values, out=values)
    values += 1
    return np.reciprocal(values, out=values)


def stretch(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Maps ``low`` to 0 and ``high`` to 1, clipping beyond; needs ``high`` > ``low``."""
    values -= np.float32(low)
    values *= np.float32(1 / (high - low))
    return np.clip(values, 0, 1, out=values)


def percentile_range(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of the valid pixels.

    Images of 512 pixels and more are sampled at every 4th row and column, which moves the result by a small part of a grey
    level and takes a tenth of the time. Where the two percentiles agree, the extremes are taken.

    Args:
        values: (H, W), of any type.
        mask: bool (H, W), True where a pixel is padding; or None.

    Returns:
        (low, high); equal where the image is constant.
    """
    step = _STRIDE if min(values.shape) >= _LARGE else 1
    sample = values[::step, ::step]
    valid = sample if mask is None else sample[~mask[::step, ::step]]
    if valid.size:
        low, high = (float(value) for value in np.percentile(valid, PERCENTILES))
        if high > low:
            return low, high
    everything = values if mask is None else values[~mask]
    return float(everything.min()), float(everything.max())
