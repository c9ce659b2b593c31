"""Grey levels: as the model saw the image, or as the reader sets them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.picture import Picture, Window
from medclassify.display import apply_window

_CT_WINDOWS = {"Lung": (-600, 1500), "Mediastinum": (40, 400), "Bone": (400, 1800), "Brain": (40, 80)}
_WINDOWS: dict[Window, str] = {"voi": "the file's own", "percentile": "0.5th–99.5th percentile", "full": "full range"}
# A DICOM window is at least 1 wide, so grey in [0, 1] is windowed in thousandths.
_PARTS = 1000.0


@dataclass(frozen=True, slots=True)
class Levels:
    """How an image is to be made grey.

    Attributes:
        window: How it is read; ``none`` keeps Hounsfield units.
        centre: Centre of a further window, or None for none; in HU with window ``none``, else a share of the grey range.
        width: Its width, in the same units.
        invert: Dark for dense.
    """

    window: Window
    centre: float | None = None
    width: float | None = None
    invert: bool = False


def ask_levels(wanted: bool, standard: Window, modality: str) -> Levels:
    """Shows the controls where the reader wants them.

    Args:
        wanted: Whether the reader sets the levels; else the image is shown as the model saw it.
        standard: The run's own window.
        modality: Of the image; CT is set in Hounsfield units.
    """
    if not wanted:
        return Levels(standard)
    places = st.columns([1.4, 1.4, 1.4, 0.8], vertical_alignment="bottom")
    if modality == "CT":
        preset = places[0].selectbox("CT window", list(_CT_WINDOWS), key=f"{session.VIEW}preset")
        middle, span = _CT_WINDOWS[preset]
        centre = places[1].slider("Centre (HU)", -1000, 1000, key=_kept(f"centre/{preset}", middle))
        width = places[2].slider("Width (HU)", 1, 3000, key=_kept(f"width/{preset}", span))
        return Levels("none", centre, width, _ask_invert(places[3]))
    names = list(_WINDOWS)
    window = places[0].selectbox("Window", names, format_func=_WINDOWS.__getitem__, key=_kept("window", standard))
    centre = places[1].slider("Centre (%)", 0, 100, key=_kept("centre", 50))
    width = places[2].slider("Width (%)", 5, 100, key=_kept("width", 100))
    invert = _ask_invert(places[3])
    if (centre, width) == (50, 100):
        return Levels(window, invert=invert)
    return Levels(window, centre / 100, width / 100, invert)


def to_grey(picture: Picture, levels: Levels) -> NDArray[np.float32]:
    """Applies the levels to a picture that was read with their window; float32 (h, w) in [0, 1]."""
    grey = picture.pixels
    if levels.centre is not None and levels.width is not None:
        parts = 1.0 if levels.window == "none" else _PARTS
        grey = apply_window(grey * np.float32(parts), levels.centre * parts, levels.width * parts)
    return np.asarray(1 - grey, dtype=np.float32) if levels.invert else grey


def _ask_invert(place: Any) -> bool:
    return place.toggle("Invert", key=f"{session.VIEW}invert")


def _kept(name: str, default: Any) -> str:
    key = f"{session.VIEW}{name}"
    st.session_state.setdefault(key, default)
    return key
