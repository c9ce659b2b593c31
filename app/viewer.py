"""The image of a sample, its grey levels, and the saliency overlay."""

import base64
import html
from typing import cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.levels import ask_levels, to_grey
from app.picture import Picture, Window, fit_map, read_picture
from app.text import plain
from medclassify.display import overlay, png_bytes, to_uint8
from medclassify.errors import MedclassifyError
from medclassify.review import ReviewRun


def show_image(run: ReviewRun, sample_id: str, finding: str | None) -> None:
    """Shows the original image, with the overlay of the chosen finding where one is stored."""
    place = st.empty()
    path, modality = run.original(sample_id)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        wanted = st.toggle("Grey levels", key=f"{session.VIEW}levels", help="Off: as the model saw the image.")
        opacity = _overlay_controls(run, sample_id, finding)
    with st.container(gap="xsmall"):
        try:
            levels = ask_levels(wanted, cast(Window, run.window), path, modality)
            picture = read_picture(path, levels.window)
        except MedclassifyError as error:
            place.error(plain(str(error)), icon=":material/hide_image:")
            return
        grey = to_grey(picture, levels)
        pixels = _overlaid(run, sample_id, finding, picture, grey, opacity) if finding and opacity else None
        steps = "; ".join(picture.applied) or "stored values as they are"
        st.caption(f"{picture.columns} × {picture.rows} pixels · {plain(steps)}")
        for warning in picture.warnings:
            st.caption(f":material/warning: {plain(warning)}")
    place.image(png_bytes(to_uint8(grey) if pixels is None else pixels, level=1), width="stretch", alt=f"Sample {sample_id}")
    session.was_shown(sample_id, "image")


def _overlay_controls(run: ReviewRun, sample_id: str, finding: str | None) -> float:
    """Asks for the overlay, with its sanity check beside it; the opacity, 0 where none is wanted or stored."""
    if finding is None or (sample_id, finding) not in run.explanations:
        st.caption("No Grad-CAM map is stored for this finding." if finding else "Choose a finding to see its Grad-CAM map.")
        return 0.0
    wanted = st.toggle("Grad-CAM", key=f"{session.VIEW}overlay")
    key = f"{session.VIEW}opacity"
    st.session_state.setdefault(key, 50)
    percent = st.slider("Opacity (%)", 5, 100, step=5, key=key, disabled=not wanted, label_visibility="collapsed", width=90)
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
    if (run.explanations.sanity or {}).get("passed") is False:
        st.caption(
            ":material/warning: The maps stay much the same when the weights are random: they say little about the model."
        )
    session.was_shown(sample_id, f"saliency/{finding}")
    return pixels


def _show_sanity(run: ReviewRun) -> None:
    sanity = run.explanations.sanity
    if sanity is None:
        st.badge("sanity check not run", icon=":material/help:", color="gray")
    elif sanity.get("passed") is True:
        st.badge("sanity check passed", icon=":material/check:", color="green")
    else:
        st.badge("SANITY CHECK FAILED", icon=":material/warning:", color="red")


def _show_legend(limit: float, layer: str) -> None:
    ramp = np.linspace(0, limit, 256, dtype=np.float32)[np.newaxis].repeat(8, axis=0)
    strip = overlay(np.full(ramp.shape, 0.5, dtype=np.float32), ramp, limit=limit, opacity=1.0)
    source = base64.b64encode(png_bytes(strip)).decode()
    st.html(
        f'<div class="mc-legend">0 <img alt="colour scale" src="data:image/png;base64,{source}"> '
        f"{limit:.2g} logits and more · layer {html.escape(layer)}</div>"
    )
