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
from app.pixels import Pixels, pack_map, read_pixels
from app.text import plain
from app.tickets import ticket_for
from medclassify.errors import MedclassifyError, ReviewError
from medclassify.review import ReviewRun

_FOLDER = Path(__file__).parent
_VIEWER = v2.component(
    "medclassify.viewer",
    js=(_FOLDER / "viewer.js").read_text(encoding="utf-8"),
    css=(_FOLDER / "viewer.css").read_text(encoding="utf-8"),
)
_METHODS = {"grad_cam": "Grad-CAM", "grad_cam_pp": "Grad-CAM++"}
_EVENTS = ("mark", "unmark", "overlay")
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


@st.fragment
def show_viewer(
    run: ReviewRun,
    sample_id: str,
    marking: Marking = _LOOKING,
    *,
    finding: str | None = None,
    following: str | None = None,
    height: str,
    title: str = "",
) -> None:
    """Shows the original image of a sample; what is drawn, slid and zoomed happens in the browser, which fetches the values.

    Args:
        run: The run.
        sample_id: The sample.
        marking: What stands on the image, and what may be drawn.
        finding: The finding whose saliency map the reader may see; None before the model's answer is revealed.
        following: The sample that comes next: the browser fetches its image ahead.
        height: Of the image, as CSS.
        title: Words on the image, for one that stands beside the sample's own.
    """
    key = f"other/{title}" if title else "viewer"  # one viewer for all samples: it need not be made anew for each
    try:
        stack = _stack(run, sample_id, run.explanations.slice_of(sample_id, finding) if finding else "")
        _slice(stack, stack.at)  # read here as well, so that an image that cannot be read is said, and not noted as seen
        overlay = _overlay(run, sample_id, finding, stack) if finding else None
    except MedclassifyError as error:
        st.error(plain(str(error)), icon=":material/hide_image:")
        return
    weights, doubts = _weights(run, sample_id, finding, stack) if finding else (None, ())
    data = {
        "label": f"Image of sample {sample_id}",
        "title": title,
        "primary": not title,
        "height": height,
        "images": _source(stack),
        "next": _ahead(run, following) if following else None,
        "marking": marking.add is not None,
        "marks": list(marking.marks),
        "overlay": overlay,
        "weights": weights,
    }

    def heard(event: str) -> Callable[[], None]:
        return lambda: _hear(event, st.session_state[key].get(event), marking)

    listeners: dict[str, Any] = {f"on_{event}_change": heard(event) for event in _EVENTS}
    _VIEWER(key=key, data=data, **listeners)
    if not title:
        session.was_shown(sample_id, "image")
    for warning in (*stack.warnings, *doubts):
        st.caption(f":material/warning: {plain(warning)}")
    if st.session_state.pop("marked", False):
        st.rerun()  # the answers beside list the marks


def _stack(run: ReviewRun, sample_id: str, slice_id: str = "") -> Stack:
    """The sample's series; a single image is one of one slice."""
    single = Stack(f"image/{sample_id}/", ((run.original(sample_id)[0], None),), 0)
    return stack_of(run, sample_id, slice_id) or single


def _slice(stack: Stack, number: int, *, full: bool = False) -> Pixels:
    path, frame = stack.slices[number]
    return read_pixels(f"{stack.key}{number}", path, frame=frame, full=full)


def _source(stack: Stack) -> dict[str, Any]:
    """What the browser needs to fetch the slices of a stack, and to know them by."""

    def read(number: int, full: bool) -> bytes:
        if number >= len(stack.slices):
            raise ReviewError(f"There are {len(stack.slices)} slices, and no slice {number + 1}.")
        return _slice(stack, number, full=full).message

    return {"ticket": ticket_for(stack.key, read), "prefix": stack.key, "count": len(stack.slices), "at": stack.at}


def _ahead(run: ReviewRun, sample_id: str) -> dict[str, Any] | None:
    try:
        return _source(_stack(run, sample_id))
    except MedclassifyError:
        return None  # said when the reader arrives there


def _overlay(run: ReviewRun, sample_id: str, finding: str, stack: Stack) -> dict[str, Any]:
    stored = (sample_id, finding) in run.explanations
    wanted = stored and bool(st.session_state.get(session.OVERLAY))
    method = _METHODS.get(run.explanations.method, run.explanations.method.replace("_", " "))
    says, tone = _sanity(run, finding) if stored else (f"no {method} map is stored for this finding", "")
    facts: dict[str, Any] = {
        "method": method,
        "stored": stored,
        "on": wanted,
        "map": None,
        "says": says,
        "tone": tone,
        "layer": "",
    }
    if not wanted:
        return facts

    def read() -> tuple[bytes, str]:
        return _map(run, sample_id, finding, _slice(stack, stack.at))

    try:
        _, layer = read()
    except MedclassifyError as error:
        return {**facts, "on": False, "stored": False, "says": str(error), "tone": "bad"}
    session.was_shown(sample_id, f"saliency/{finding}")
    key = _map_key(run, sample_id, finding)
    ticket = ticket_for(key, lambda *_: read()[0])
    return {**facts, "map": {"ticket": ticket, "prefix": key}, "layer": layer}


def _map_key(run: ReviewRun, sample_id: str, finding: str) -> str:
    return f"map/{run.model_fingerprint[:12]}/{sample_id}/{finding}/"


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={ReviewRun: id, Pixels: lambda image: image.key})
def _map(run: ReviewRun, sample_id: str, finding: str, image: Pixels) -> tuple[bytes, str]:
    saliency = run.explanations.read(sample_id, finding)
    limit = run.explanations.limits.get(finding, 0.0)
    return pack_map(f"{_map_key(run, sample_id, finding)}0", np.asarray(saliency.raw), image, limit), saliency.layer


def _weights(run: ReviewRun, sample_id: str, finding: str, stack: Stack) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """How much each slice of the series counts for a finding, None where that is not stored; and what is wrong with it."""
    if not stack.names:
        return None, ()
    try:
        found = _attention(run, sample_id, finding)
    except MedclassifyError as error:
        return None, (str(error),)
    if not found:
        return None, ()
    session.was_shown(sample_id, f"attention/{finding}")
    return {"finding": finding, "of": [round(found.get(name, 0.0), 4) for name in stack.names]}, ()


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs={ReviewRun: id})
def _attention(run: ReviewRun, sample_id: str, finding: str) -> dict[str, float]:
    return run.explanations.attention(sample_id, finding)


def _sanity(run: ReviewRun, finding: str) -> tuple[str, str]:
    passed, reasons = run.explanations.verdict(finding)
    if passed is None:
        return "sanity check not run", ""
    if passed:
        return "sanity check passed", "good"
    return "; ".join(("SANITY CHECK FAILED: the map says little about the model", *reasons)), "bad"


def _hear(event: str, value: Any, marking: Marking) -> None:
    if value is None:
        return
    if event == "overlay":
        st.session_state[session.OVERLAY] = bool(value["on"])
    elif event == "mark" and marking.add:
        marking.add(value)
        st.session_state["marked"] = True
    elif event == "unmark" and marking.undo:
        marking.undo()
        st.session_state["marked"] = True
