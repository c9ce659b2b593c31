"""Whether low values are bright, decided once.

PS3.3 C.7.6.3.1.2: MONOCHROME1 shows the lowest value white, after all VOI transformations. PS3.3 C.8.11.3 (DX image):
Presentation LUT Shape INVERSE goes with MONOCHROME1 and IDENTITY with MONOCHROME2: both attributes describe the same single
inversion. Files that contradict themselves are inverted when either says so, and are flagged.
"""

import numpy as np
from numpy.typing import NDArray


def is_inverted(photometric: str, lut_shape: str) -> tuple[bool, str, str]:
    """Decides the polarity of a greyscale image.

    Args:
        photometric: Photometric Interpretation (0028,0004): ``MONOCHROME1`` or ``MONOCHROME2``.
        lut_shape: Presentation LUT Shape (2050,0020): ``IDENTITY``, ``INVERSE`` or "".

    Returns:
        Whether to invert, why in words, and a warning or "".
    """
    if photometric == "MONOCHROME1":
        contradicts = lut_shape == "IDENTITY"
        reason = "MONOCHROME1"
    else:
        contradicts = lut_shape == "INVERSE"
        reason = "Presentation LUT Shape INVERSE" if contradicts else ""
    if not contradicts:
        return bool(reason), reason, ""
    warning = (
        f"Photometric Interpretation (0028,0004) {photometric} contradicts "
        f"Presentation LUT Shape (2050,0020) {lut_shape}: inverted once; look at the image"
    )
    return True, reason, warning


def invert(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """``1 − grey``, in place, for float32 (H, W) in [0, 1]."""
    return np.subtract(np.float32(1), grey, out=grey)
