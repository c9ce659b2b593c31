"""Pixels that are not image: the filling around a round field of view or a collimated exposure (PS3.3 C.7.5.1.1.2)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def padding_mask(stored: NDArray[Any], value: int, limit: int | None) -> NDArray[np.bool_]:
    """Where stored values are padding.

    Args:
        stored: (H, W), before any LUT.
        value: Pixel Padding Value (0028,0120).
        limit: Pixel Padding Range Limit (0028,0121): the other end of a range of padding values, on either side; or None.

    Returns:
        bool (H, W).
    """
    if limit is None or limit == value:
        return stored == value
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


def fill_padding(values: NDArray[np.float32], mask: NDArray[np.bool_], *, bright_is_low: bool) -> float:
    """Sets padding to the darkest valid value, in place, so that it neither glows nor stretches a window.

    Args:
        values: float32 (H, W).
        mask: bool (H, W), with at least one False.
        bright_is_low: Whether low values will be shown bright (the image is to be inverted).

    Returns:
        The value that was filled in.
    """
    if bright_is_low:
        darkest = float(np.max(values, initial=-np.inf, where=~mask))
    else:
        darkest = float(np.min(values, initial=np.inf, where=~mask))
    np.copyto(values, np.float32(darkest), where=mask)
    return darkest
