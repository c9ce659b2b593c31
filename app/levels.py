"""Grey levels: as the model saw the image, or as the reader sets them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.picture import Picture, Window, read_picture
from medclassify.display import apply_window

_CT_WINDOWS = {"Lung": (-600, 1500), "Mediastinum": (40, 400), "Bone": (400, 1800), "Brain": (40, 80)}
_WINDOWS: dict[Window, str] = {"voi": "the file's own", "percentile": "0.5–99.5 percentile", "full": "full range"}
# A DICOM window is at least 1 wide, so grey in [0, 1] is windowed in thousandths.
_PARTS = 1000.0
_LIST_WIDTH, _SLIDER_WIDTH = 175, 100


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


def ask_levels(wanted: bool, standard: Window, path: str, modality: str) -> Levels:
    """Shows the controls where the reader wants them.

    Args:
        wanted: Whether the reader sets the levels; else the image is shown as the model saw it.
        standard: The run's own window.
        path: The original.
        modality: Of the image; CT is set in Hounsfield units.

    Raises:
        ReviewError: The original is gone, or cannot be read.
    """
    if not wanted:
        return Levels(standard)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        return _ask_ct() if modality == "CT" else _ask_grey(standard, path)


def _ask_ct() -> Levels:
    preset = st.selectbox("CT window", list(_CT_WINDOWS), key=f"{session.VIEW}preset", width=_LIST_WIDTH)
    middle, span = _CT_WINDOWS[preset]
    centre = st.slider("Centre (HU)", -1000, 1000, key=_kept(f"centre/{preset}", middle), width=_SLIDER_WIDTH)
    width = st.slider("Width (HU)", 1, 3000, key=_kept(f"width/{preset}", span), width=_SLIDER_WIDTH)
    return Levels("none", centre, width, _ask_invert())


def _ask_grey(standard: Window, path: str) -> Levels:
    names, key = list(_WINDOWS), "window"
    if any(step.startswith("percentiles") for step in read_picture(path, "voi").applied):
        # The file has no window of its own, so none is offered; what other files are shown with is kept beside it.
        names, key, standard = names[1:], "window/none", "percentile" if standard == "voi" else standard
    window = st.selectbox("Window", names, format_func=_WINDOWS.__getitem__, key=_kept(key, standard), width=_LIST_WIDTH)
    centre = st.slider("Centre (%)", 0, 100, key=_kept("centre", 50), width=_SLIDER_WIDTH)
    width = st.slider("Width (%)", 5, 100, key=_kept("width", 100), width=_SLIDER_WIDTH)
    invert = _ask_invert()
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


def _ask_invert() -> bool:
    return st.toggle("Invert", key=f"{session.VIEW}invert")


def _kept(name: str, default: Any) -> str:
    key = f"{session.VIEW}{name}"
    st.session_state.setdefault(key, default)
    return key
