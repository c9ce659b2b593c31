"""The image of a sample in the browser's own viewer, with its series, its marks and the saliency overlay."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components import v2

from app import session
from app.originals import Stack, stack_of
from app.pixels import Pixels, pack_many, pack_map, read_pixels
from app.text import plain
from medclassify.errors import MedclassifyError
from medclassify.review import ReviewRun

_FOLDER = Path(__file__).parent
_PIXELS = v2.component("medclassify.pixels", js=(_FOLDER / "pixels.js").read_text(encoding="utf-8"))
_VIEWER = v2.component(
    "medclassify.viewer",
    js=(_FOLDER / "viewer.js").read_text(encoding="utf-8"),
    css=(_FOLDER / "viewer.css").read_text(encoding="utf-8"),
)
_METHODS = {"grad_cam": "Grad-CAM", "grad_cam_pp": "Grad-CAM++"}
_EVENTS = ("mark", "unmark", "overlay", "slices", "full")
Heard = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Marking:
    """What may be drawn on the image.

    Attributes:
        marks: What stands on it: ``x, y, width, height, frame`` in pixels of the original, ``label``, ``own`` (the reader's).
        add: Called with a new mark; None where nothing may be drawn.
        undo: Called to take the last one back.
    """

    marks: Sequence[Mapping[str, Any]] = ()
    add: Heard | None = None
    undo: Callable[[], None] | None = None


_LOOKING = Marking()


def send_pixels(key: str, message: bytes) -> None:
    """Puts values where the viewers of the page find them; it draws nothing."""
    _PIXELS(key=f"pixels/{key}", data=message)


@st.fragment
def show_viewer(
    run: ReviewRun, sample_id: str, marking: Marking = _LOOKING, *, finding: str | None = None, height: str, title: str = ""
) -> None:
    """Shows the original image of a sample; what is drawn, slid and zoomed happens in the browser.

    Args:
        run: The run.
        sample_id: The sample.
        marking: What stands on the image, and what may be drawn.
        finding: The finding whose saliency map the reader may see; None before the model's answer is revealed.
        height: Of the image, as CSS.
        title: Words on the image, for one that stands beside the sample's own.
    """
    path, _ = run.original(sample_id)
    key = f"other/{title}" if title else "viewer"  # one viewer for all samples: it need not be made anew for each
    try:
        stack = stack_of(run, sample_id, run.explanations.slice_of(sample_id, finding) if finding else "")
        with st.container(key=f"{session.HIDDEN}{key}"):
            image = _send_image(sample_id, path, stack)
            overlay = _send_map(run, sample_id, finding, image) if finding else None
            if stack:
                _send_slices(stack, f"{key}/{sample_id}")
    except MedclassifyError as error:
        st.error(plain(str(error)), icon=":material/hide_image:")
        return
    data = {
        "key": image.key,
        "label": f"Image of sample {sample_id}",
        "title": title,
        "primary": not title,
        "height": height,
        "marking": marking.add is not None,
        "marks": list(marking.marks),
        "overlay": overlay,
        "stack": {"prefix": stack.key, "count": len(stack.slices), "at": stack.at} if stack else None,
    }

    def heard(event: str) -> Callable[[], None]:
        return lambda: _hear(event, st.session_state[key].get(event), sample_id, f"{key}/{sample_id}", marking)

    _VIEWER(key=key, data=data, **{f"on_{event}_change": heard(event) for event in _EVENTS})
    if not title:
        session.was_shown(sample_id, "image")
    for warning in stack.warnings if stack else ():
        st.caption(f":material/warning: {plain(warning)}")
    if st.session_state.pop("marked", False):
        st.rerun()  # the answers beside list the marks


def prefetch(run: ReviewRun, sample_id: str) -> None:
    """Sends the image of the sample that comes next, so that it is there when the reader is."""
    try:
        stack = stack_of(run, sample_id)
        with st.container(key=f"{session.HIDDEN}next"):
            _send_image(sample_id, run.original(sample_id)[0], stack)
    except MedclassifyError:
        return  # said when the reader arrives there


def _send_image(sample_id: str, path: str, stack: Stack | None) -> Pixels:
    key, frame = f"image/{sample_id}", None
    if stack:
        key, (path, frame) = f"{stack.key}{stack.at}", stack.slices[stack.at]
    image = read_pixels(key, path, frame=frame, full=bool(st.session_state.get(f"full/{sample_id}")))
    send_pixels(key, image.message)
    return image


def _send_slices(stack: Stack, viewer: str) -> None:
    asked = st.session_state.get(f"slices/{viewer}")
    if asked:
        first, last = max(0, int(asked["first"])), min(len(stack.slices) - 1, int(asked["last"]))
        parts = [
            read_pixels(f"{stack.key}{number}", path, frame=frame).message
            for number, (path, frame) in enumerate(stack.slices[first : last + 1], start=first)
        ]
        send_pixels(f"slices/{viewer}", pack_many(parts, {"block": f"{stack.key}{first}"}))


def _send_map(run: ReviewRun, sample_id: str, finding: str, image: Pixels) -> dict[str, Any]:
    stored = (sample_id, finding) in run.explanations
    wanted = stored and bool(st.session_state.get(session.OVERLAY))
    method = _METHODS.get(run.explanations.method, run.explanations.method.replace("_", " "))
    says, tone = _sanity(run, finding) if stored else (f"no {method} map is stored for this finding", "")
    facts: dict[str, Any] = {
        "method": method,
        "stored": stored,
        "on": wanted,
        "key": None,
        "says": says,
        "tone": tone,
        "layer": "",
    }
    if not wanted:
        return facts
    try:
        saliency = run.explanations.read(sample_id, finding)
        key = f"map/{sample_id}/{finding}"
        message = pack_map(key, np.asarray(saliency.raw), image, run.explanations.limits.get(finding, 0.0))
    except MedclassifyError as error:
        return {**facts, "on": False, "stored": False, "says": str(error), "tone": "bad"}
    send_pixels(key, message)
    session.was_shown(sample_id, f"saliency/{finding}")
    return {**facts, "key": key, "layer": saliency.layer}


def _sanity(run: ReviewRun, finding: str) -> tuple[str, str]:
    passed, reasons = run.explanations.verdict(finding)
    if passed is None:
        return "sanity check not run", ""
    if passed:
        return "sanity check passed", "good"
    return "; ".join(("SANITY CHECK FAILED: the map says little about the model", *reasons)), "bad"


def _hear(event: str, value: Any, sample_id: str, viewer: str, marking: Marking) -> None:
    if value is None:
        return
    if event == "overlay":
        st.session_state[session.OVERLAY] = bool(value["on"])
    elif event == "full":
        st.session_state[f"full/{sample_id}"] = True
    elif event == "slices":
        st.session_state[f"slices/{viewer}"] = value
    elif event == "mark" and marking.add:
        marking.add(value)
        st.session_state["marked"] = True
    elif event == "unmark" and marking.undo:
        marking.undo()
        st.session_state["marked"] = True
