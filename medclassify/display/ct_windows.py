"""Named windows of CT, and several of them as the channels of one picture."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from medclassify.display.grey import apply_window
from medclassify.errors import ConfigError, UnsupportedImageError

CT_WINDOWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        # Wittram et al., RadioGraphics 2004;24:1219–1238: the three settings a CT for pulmonary embolism is read with.
        "lung": (-600, 1500),
        "mediastinum": (40, 400),
        "embolism": (100, 700),
        # Radiopaedia, "Windowing (CT)": bone of the spine; brain; soft tissue of the abdomen; liver; temporal bone.
        "bone": (400, 1800),
        "brain": (40, 80),
        "abdomen": (50, 400),
        "liver": (30, 150),
        "temporal_bone": (600, 2800),
        # The same article gives subdural blood a range of widths 130–300 and levels 50–100; this is the middle of both.
        "subdural": (75, 215),
        # The wider of the two it gives for early ischaemia; the other, 32/8, is of Lev et al., Radiology 1999;213:150–155,
        # for a reader at a console: the noise of a thin slice alone fills it.
        "stroke": (40, 40),
    }
)
"""Window name to (centre, width) in Hounsfield units."""


def ct_channels(hu: NDArray[np.floating], names: Sequence[str]) -> NDArray[np.float32]:
    """Shows Hounsfield units through several windows, one channel each.

    The windows are LINEAR, not LINEAR_EXACT: that is what DICOM takes a window for that does not say otherwise, and what the
    consoles use that the numbers were chosen on. The two differ by half a Hounsfield unit.

    Args:
        hu: Float (H, W) or (D, H, W) in Hounsfield units.
        names: Keys of ``CT_WINDOWS``, in the order of the channels.

    Returns:
        float32 (C, H, W) or (C, D, H, W) in [0, 1], one C a name. Neighbouring slices become channels of a 2.5-D picture by
        ``.reshape(-1, H, W)``.

    Raises:
        ConfigError: A name is not known, or there is none.
        UnsupportedImageError: The array has another shape, or holds values that are not finite.

    Source: DICOM PS3.3 C.11.2.1.2.1, the LINEAR function.
    """
    windows = [ct_window(name) for name in names]
    if not windows:
        raise ConfigError(f"no CT window named: give at least one of {', '.join(CT_WINDOWS)}.")
    if hu.ndim not in (2, 3) or hu.size == 0 or hu.dtype.kind != "f":
        raise UnsupportedImageError(
            f"hu must be float (height, width) or (slices, height, width), received {hu.dtype} {hu.shape}. "
            "Read CT with window='none'."
        )
    low, high = float(hu.min()), float(hu.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UnsupportedImageError("hu holds values that are not finite. Read the series again.")
    return np.stack([apply_window(hu, center, width) for center, width in windows])


def ct_window(name: str) -> tuple[float, float]:
    """Centre and width of a window by its name, in Hounsfield units.

    Raises:
        ConfigError: It is not known.
    """
    if name not in CT_WINDOWS:
        close = get_close_matches(str(name), CT_WINDOWS, n=1)
        hint = f"did you mean {close[0]}? Known" if close else "known"
        raise ConfigError(f"CT window {name!r} is not known; {hint}: {', '.join(CT_WINDOWS)}.")
    return CT_WINDOWS[name]
