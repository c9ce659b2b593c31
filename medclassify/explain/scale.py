"""The scale of a model's overlays: one a finding, from many images, never from the image that is shown."""

import numpy as np
from numpy.typing import NDArray


def saliency_limit(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The value at which an overlay reaches its full colour, per finding, from a reference set of images.

    Scaling each map by its own maximum makes noise look confident; one limit for all images of a model does not.

    Args:
        maps: float32 (N, K, h, w), of the calibrate split.

    Returns:
        float64 (K,): the 99.5th percentile of the positive values; 0 where a finding has none.
    """
    positive = np.moveaxis(maps, 1, 0).reshape(maps.shape[1], -1)
    return np.array([np.percentile(row[row > 0], 99.5) if (row > 0).any() else 0.0 for row in positive])
