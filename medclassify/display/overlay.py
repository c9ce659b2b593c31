"""A saliency map over the image it explains."""

import numpy as np
from numpy.typing import NDArray

from medclassify.display.grey import checked_grey
from medclassify.errors import UnsupportedImageError

# Okabe & Ito (2008): these stay apart for every common colour vision deficiency, and on grey.
_WEAK_FOR = np.array([240, 228, 66], dtype=np.float32)
_STRONG_FOR = np.array([213, 94, 0], dtype=np.float32)
_AGAINST = np.array([0, 114, 178], dtype=np.float32)


def overlay(
    image: NDArray[np.floating],
    saliency: NDArray[np.floating],
    *,
    limit: float,
    opacity: float = 0.5,
    show_against: bool = False,
) -> NDArray[np.uint8]:
    """Colours an image where a saliency map speaks for the finding.

    Colour and cover grow with saliency ÷ ``limit``, so the same ``limit`` makes maps comparable across images, and a map
    of noise stays pale. The map is never stretched by its own minimum and maximum.

    Args:
        image: Float (H, W) in [0, 1].
        saliency: Float (H, W) in the units of ``limit``; positive speaks for the finding.
        limit: The saliency that gets full colour; above 0. Take it from the whole dataset, not from this map.
        opacity: Share of colour where saliency reaches ``limit``, in [0, 1].
        show_against: Also colour (blue) what speaks against the finding.

    Returns:
        uint8 (H, W, 3), RGB: yellow to vermillion for the finding; grey is untouched where the map is 0.

    Raises:
        UnsupportedImageError: Shapes differ, values are not finite, or limit or opacity is out of range.
    """
    checked_grey(image)
    if saliency.shape != image.shape:
        raise UnsupportedImageError(
            f"saliency must have the image's shape {image.shape}, received {saliency.shape}. Resize the map first."
        )
    if not np.isfinite(saliency).all():
        raise UnsupportedImageError("saliency holds values that are not finite; it cannot be shown. Explain this sample again.")
    if not (np.isfinite(limit) and limit > 0):
        raise UnsupportedImageError(f"limit must be above 0, received {limit:g}. Use the dataset's own saliency range.")
    if not 0 <= opacity <= 1:
        raise UnsupportedImageError(f"opacity must lie in [0, 1], received {opacity:g}.")
    strength = np.clip(saliency.astype(np.float32) / np.float32(limit), -1.0, 1.0)[..., np.newaxis]
    grey = np.clip(image.astype(np.float32), 0.0, 1.0)[..., np.newaxis] * np.float32(255.0)
    positive = np.maximum(strength, 0.0)
    colour = (_WEAK_FOR + (_STRONG_FOR - _WEAK_FOR) * positive).astype(np.float32)
    picture = _blend(grey, colour, positive * np.float32(opacity))
    if show_against:
        picture = _blend(picture, _AGAINST, np.maximum(-strength, 0.0) * np.float32(opacity))
    return np.rint(picture).astype(np.uint8)


def _blend(under: NDArray[np.float32], colour: NDArray[np.float32], cover: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(under + (colour - under) * cover, dtype=np.float32)
