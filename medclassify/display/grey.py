"""Physical values to grey, and grey to bytes."""

import numpy as np
from numpy.typing import NDArray

from medclassify.errors import UnsupportedImageError

# Interpolation may step this far outside [0, 1]; anything further was never windowed.
_TOLERANCE = 1e-3


def apply_window(values: NDArray[np.floating], center: float, width: float) -> NDArray[np.float32]:
    """Maps values to grey by a linear window.

    Args:
        values: Any float array, e.g. (H, W) in Hounsfield units.
        center: Window Center (0028,1050), in the units of ``values``.
        width: Window Width (0028,1051), in the same units, at least 1.

    Returns:
        float32 of the same shape in [0, 1].

    Raises:
        UnsupportedImageError: The width is below 1, or centre or width is not finite.

    Source: DICOM PS3.3 C.11.2.1.2.1, the LINEAR function.
    """
    if not (np.isfinite(center) and np.isfinite(width) and width >= 1):
        raise UnsupportedImageError(
            f"window: width must be at least 1 and centre finite, received centre {center:g}, width {width:g}. "
            "Take the window of the file, or a preset such as -600/1500 for lung CT."
        )
    middle = center - 0.5
    if width == 1:
        return (values > middle).astype(np.float32)
    grey = (np.asarray(values, dtype=np.float32) - np.float32(middle)) / np.float32(width - 1) + np.float32(0.5)
    return np.clip(grey, 0.0, 1.0, out=grey)


def to_uint8(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Rounds grey in [0, 1] to bytes.

    Args:
        image: Float (H, W), 0 black to 1 white.

    Returns:
        uint8 of the same shape, 0 to 255.

    Raises:
        UnsupportedImageError: Values are not finite, or lie outside [0, 1]: the image was not windowed.
    """
    checked_grey(image)
    return np.clip(np.rint(np.asarray(image, dtype=np.float32) * 255.0), 0, 255).astype(np.uint8)


def checked_grey(image: NDArray[np.floating]) -> None:
    """Refuses an array that is not a finite grey picture in [0, 1]; the errors are those of `to_uint8`."""
    if image.ndim != 2 or image.size == 0:
        raise UnsupportedImageError(f"image must be (height, width) and not empty, received shape {image.shape}.")
    low, high = float(image.min()), float(image.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UnsupportedImageError("image holds values that are not finite; it cannot be shown. Read the file again.")
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise UnsupportedImageError(
            f"image must lie in [0, 1], received {low:.4g} to {high:.4g}: these are not grey levels yet; "
            "use apply_window, or read the file with a window."
        )
