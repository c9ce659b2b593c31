"""The image of a sample, its grey levels, and the saliency overlay."""

import base64
import html
from typing import cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.picture import Picture, Window, fit_map, read_picture
from app.text import plain
from medclassify.display import apply_window, overlay, png_bytes, to_uint8
from medclassify.errors import MedclassifyError
from medclassify.records import Units
from medclassify.review import ReviewRun

_CT_WINDOWS = {"Lung": (-600, 1500), "Mediastinum": (40, 400), "Bone": (400, 1800), "Brain": (40, 80)}
_GREY = {"voi": "the file's own window", "percentile": "0.5th to 99.5th percentile", "full": "full range"}
# A DICOM window is at least 1 wide, so grey in [0, 1] is windowed in thousandths.
_PARTS = 1000.0


def show_image(run: ReviewRun, sample_id: str, finding: str | None) -> None:
    """Shows the original image, with the overlay of the chosen finding where one is stored."""
    place = st.empty()
    levels, explanation = st.columns([1, 2.9], vertical_alignment="center")
    with levels, st.popover("Grey levels", icon=":material/contrast:", width="stretch"):
        window = st.selectbox("Window", list(_GREY), index=list(_GREY).index(run.window), format_func=_GREY.__getitem__)
        try:
            picture = read_picture(*run.images.loc[sample_id, ["path", "modality"]], cast(Window, window))
        except MedclassifyError as error:
            place.error(plain(str(error)), icon=":material/hide_image:")
            return
        grey = _grey(picture)
    with explanation:
        opacity = _overlay_controls(run, sample_id, finding)
    notes = st.container(gap="xsmall")
    with notes:
        pixels = _overlaid(run, sample_id, finding, picture, grey, opacity) if finding and opacity else None
        steps = "; ".join(picture.applied) or "stored values as they are"
        st.caption(f"{picture.columns} × {picture.rows} pixels · {plain(steps)}")
        for warning in picture.warnings:
            st.warning(plain(warning))
    place.image(png_bytes(to_uint8(grey) if pixels is None else pixels, level=1), width="stretch", alt=f"Sample {sample_id}")
    session.was_shown(sample_id, "image")


def _grey(picture: Picture) -> NDArray[np.float32]:
    if picture.units is Units.HU:
        preset = st.selectbox("CT window", list(_CT_WINDOWS))
        centre, width = _CT_WINDOWS[preset]
        centre = st.slider("Centre (HU)", -1000, 1000, centre, key=f"centre/{preset}")
        width = st.slider("Width (HU)", 1, 3000, width, key=f"width/{preset}")
        grey = apply_window(picture.pixels, centre, width)
    else:
        centre = st.slider("Centre (% of the range)", 0, 100, 50)
        width = st.slider("Width (% of the range)", 5, 100, 100)
        unchanged = (centre, width) == (50, 100)
        grey = (
            picture.pixels
            if unchanged
            else apply_window(picture.pixels * _PARTS, 0.01 * centre * _PARTS, 0.01 * width * _PARTS)
        )
    return np.asarray(1 - grey, dtype=np.float32) if st.toggle("Invert") else grey


def _overlay_controls(run: ReviewRun, sample_id: str, finding: str | None) -> float:
    """Asks for the overlay, with its sanity check beside it; the opacity, 0 where none is wanted or stored."""
    if finding is None or (sample_id, finding) not in run.explanations:
        st.caption("No Grad-CAM map is stored for this finding." if finding else "Choose a finding to see its Grad-CAM map.")
        return 0.0
    switch, strength, sanity = st.columns([1, 1.1, 1.3], vertical_alignment="center")
    wanted = switch.toggle("Grad-CAM", key=f"{session.VIEW}overlay")
    key = f"{session.VIEW}opacity"
    st.session_state.setdefault(key, 50)
    percent = strength.slider("Opacity (%)", 5, 100, step=5, key=key, disabled=not wanted, label_visibility="collapsed")
    with sanity:
        _show_sanity(run)
    return percent / 100 if wanted else 0.0


def _overlaid(
    run: ReviewRun, sample_id: str, finding: str, picture: Picture, grey: NDArray[np.float32], opacity: float
) -> NDArray[np.uint8] | None:
    limit = run.explanations.limits.get(finding, 0.0)
    try:
        saliency = run.explanations.read(sample_id, finding)
        pixels = overlay(grey, fit_map(saliency.raw, picture), limit=limit, opacity=opacity)
    except MedclassifyError as error:
        st.error(plain(str(error)))
        return None
    _show_legend(limit, saliency.layer)
    session.was_shown(sample_id, f"saliency/{finding}")
    return pixels


def _show_sanity(run: ReviewRun) -> None:
    sanity = run.explanations.sanity
    if sanity is None:
        st.badge("sanity check not run", icon=":material/help:", color="gray")
    elif sanity.get("passed") is True:
        st.badge("sanity check passed", icon=":material/check:", color="green")
    else:
        st.badge("SANITY CHECK FAILED: these maps say little about the model", icon=":material/warning:", color="red")


def _show_legend(limit: float, layer: str) -> None:
    ramp = np.linspace(0, limit, 256, dtype=np.float32)[np.newaxis].repeat(8, axis=0)
    strip = overlay(np.full(ramp.shape, 0.5, dtype=np.float32), ramp, limit=limit, opacity=1.0)
    source = base64.b64encode(png_bytes(strip)).decode()
    st.html(
        f'<div class="mc-legend">0 <img alt="colour scale" src="data:image/png;base64,{source}"> '
        f"{limit:.2g} logits and more · layer {html.escape(layer)}</div>"
    )
