"""Back from the network's square to the rows and columns of the image that a person sees."""

import cv2
import numpy as np
from numpy.typing import NDArray

from medclassify.records import PreparedGeometry


def to_image_geometry(saliency: NDArray[np.float32], geometry: PreparedGeometry) -> NDArray[np.float32]:
    """Undoes padding and scaling of the prepared square.

    Args:
        saliency: float32 (h, w), over the whole prepared square.
        geometry: Where the original lies in it.

    Returns:
        float32 (rows, columns) of the original image, values unchanged in scale.
    """
    square = cv2.resize(saliency, (geometry.size, geometry.size), interpolation=cv2.INTER_LINEAR)
    inside = square[geometry.top : geometry.top + geometry.height, geometry.left : geometry.left + geometry.width]
    return cv2.resize(inside, (geometry.columns, geometry.rows), interpolation=cv2.INTER_LINEAR).astype(np.float32)
