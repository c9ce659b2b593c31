"""What the page remembers: the opened run, the reader, the current sample and finding, the queue, and unsent comments.

The current sample and the reader stand in the address, so that a refresh, a bookmark or the browser's Back finds them again.
"""

import gc
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from app.text import plain
from medclassify.records import ReviewItem, Split
from medclassify.review import (
    MAX_READER,
    MISSING,
    ReviewRun,
    ReviewStore,
    add_status,
    build_worklist,
    open_review_run,
    uncertainty,
)
from medclassify.runs import RunLayout

COMMENT = "comment/"
"""Prefix of the widget keys of comments."""
FILTER = "filter/"
"""Prefix of the widget keys of the worklist's filters."""
VIEW = "view/"
"""Prefix of the widget keys of the overlay's controls."""
OVERLAY = "view/overlay"
"""Whether the reader has asked for saliency maps."""
HIDDEN = "hidden-"
"""Prefix of the keys of containers that only carry values to the browser."""
TARGET = "show_target"
"""Widget key of the switch that shows the reference label."""


def load_run(root: Path, excluded: tuple[str, ...] = ()) -> ReviewRun:
    """The run without excluded patients (hashes), read once, and again when it was fitted again.

    Raises:
        RunError: It is not a finished run.
        ReviewError: Its tables cannot be used.
    """
    layout = RunLayout.open(root)
    return _load_run(str(root), layout.provenance.stat().st_mtime_ns, excluded)


@st.cache_resource(max_entries=1, show_spinner="Opening the run …")
def _load_run(root: str, written_ns: int, excluded: tuple[str, ...]) -> ReviewRun:
    return open_review_run(root, excluded)


@st.cache_resource(max_entries=1, show_spinner=False)
def open_store(path: Path) -> ReviewStore:
    """The run's review store, opened once for all sessions.

    Raises:
        ReviewError: It is not a review store.
        StorageError: It cannot be written.
    """
    return ReviewStore(path)


@st.cache_resource(show_spinner=False)
def settle_memory() -> None:
    """Takes what start-up made out of the garbage collection that Streamlit runs after every rerun."""
    gc.collect()
    gc.freeze()


def keep_widgets() -> None:
    """Keeps filters, overlay controls and unsent comments, which Streamlit forgets as soon as their page is not shown."""
    for key in list(st.session_state):
        if str(key).startswith((COMMENT, FILTER, VIEW)):
            st.session_state[key] = st.session_state[key]


# --- the reader


def reader() -> str:
    """Who is reading, or "" while nobody has said."""
    return st.query_params.get("reader", "").strip()[:MAX_READER]


def show_reader() -> None:
    """Shows who is reading, or asks. A name once given is no longer a field: a stray key must not make another reader of it."""
    if not reader():
        st.text_input(
            "Reader",
            key="ask_reader",
            max_chars=MAX_READER,
            placeholder="Your name or initials",
            label_visibility="collapsed",
            on_change=_reader_said,
        )
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="xsmall"):
        st.html(f'<div class="mc-reader">Reader <b>{html.escape(reader())}</b></div>')
        st.button("Change reader", width="content", on_click=_reader_leaves)


def _reader_said() -> None:
    name = st.session_state["ask_reader"].strip()
    if name:
        st.query_params["reader"] = name


def _reader_leaves() -> None:
    st.query_params.pop("reader", None)


# --- the worklist


def worklist(run: ReviewRun, store: ReviewStore, finding: str | None) -> pd.DataFrame:
    """The worklist with the current reader's status."""
    latest = store.latest(reader())
    rows = _worklist(run, finding)
    return add_status(rows, run.predictions, latest, model_fingerprint=run.model_fingerprint, finding=finding)


def subgroups(run: ReviewRun, attribute: str | None) -> list[str]:
    """The values of an attribute that occur in the worklist, sorted, ``missing`` last."""
    if attribute is None:
        return []
    return sorted(_worklist(run, None)[attribute].unique().tolist(), key=lambda value: (value == MISSING, value))


def splits(run: ReviewRun) -> dict[str, int]:
    """How many samples each split has; the test split, which the model was not made on, first."""
    counts = _worklist(run, None)["split"].value_counts().to_dict()
    return {name: int(counts[name]) for name in sorted(counts, key=lambda name: (name != Split.TEST, name))}


@st.cache_resource(max_entries=4, hash_funcs={ReviewRun: id}, show_spinner="Sorting the worklist …")
def _worklist(run: ReviewRun, finding: str | None) -> pd.DataFrame:
    return build_worklist(run.predictions, finding=finding)


# --- the current sample and finding


def current_sample() -> str | None:
    """The sample the address names, or None for the worklist."""
    return st.query_params.get("sample") or None


def open_sample(sample_id: str, listed: list[str] | None = None) -> None:
    """Goes to a sample; with ``listed``, Next and Previous then follow that list."""
    if listed is not None:
        st.session_state["queue"] = listed
    st.query_params["sample"] = sample_id


def leave_sample() -> None:
    """Goes back to the worklist."""
    st.query_params.pop("sample", None)


def queue(run: ReviewRun) -> list[str]:
    """The samples that Next and Previous go through: the list as it was when a sample was opened from it.

    After a refresh or from a bookmark, the samples of the current one's split.
    """
    if "queue" not in st.session_state:
        rows = _worklist(run, None)
        split = rows.loc[rows["sample_id"] == current_sample(), "split"]
        st.session_state["queue"] = rows.loc[rows["split"].isin(split.tolist()), "sample_id"].tolist()
    return st.session_state["queue"]


def begin_sample(sample_id: str, items: Sequence[ReviewItem], judged: Iterable[str]) -> None:
    """On arriving at a sample: a finding without a verdict is chosen, and the reference label is hidden.

    The finding is the one that the worklist speaks of, else the least certain.
    """
    if st.session_state.get("at") == sample_id:
        return
    st.session_state["at"] = sample_id
    st.session_state[TARGET] = False
    left = {item.finding: (item.probability, item.threshold) for item in items if item.finding not in set(judged)}
    st.session_state["finding"] = None
    if left:
        doubt = uncertainty(*np.array(list(left.values()), dtype=np.float64).T)
        listed = st.session_state.get(f"{FILTER}finding")
        st.session_state["finding"] = listed if listed in left else list(left)[int(doubt.argmax())]


def chosen_finding() -> str | None:
    """The finding under judgement, or None once all are judged."""
    return st.session_state.get("finding")


def choose_finding(finding: str) -> None:
    """Puts a finding under judgement."""
    st.session_state["finding"] = finding


def go_on(items: Sequence[ReviewItem], judged: Iterable[str], after: str) -> None:
    """Goes on to the next finding that has no verdict."""
    names = [item.finding for item in items]
    start = names.index(after) + 1
    done = set(judged)
    st.session_state["finding"] = next((name for name in names[start:] + names[:start] if name not in done), None)


# --- what the reader has seen


def target_shown() -> bool:
    """Whether the reader has asked for the reference label of this sample."""
    return bool(st.session_state.get(TARGET, False))


def was_shown(sample_id: str, *what: str) -> None:
    """Notes what has been put before the reader; a decision is stored with it."""
    _seen(sample_id).update(what)


def shown(sample_id: str, finding: str) -> tuple[str, ...]:
    """What the reader has seen of a finding, for `ReviewDecision.shown`."""
    seen = _seen(sample_id)
    order = (("image", "image"), ("probability", "probability"), ("saliency", f"saliency/{finding}"), ("target", "target"))
    return tuple(name for name, key in order if key in seen)


def _seen(sample_id: str) -> set[str]:
    return st.session_state.setdefault("seen", {}).setdefault(sample_id, set())


# --- messages


def say(kind: Literal["stored", "failed"], message: str) -> None:
    """Leaves a message for the next page that is drawn."""
    st.session_state["message"] = (kind, message)


def show_message() -> None:
    """Shows what `say` left, once."""
    kind, message = st.session_state.pop("message", ("", ""))
    if kind == "failed":
        st.error(plain(message), icon=":material/error:")
    elif kind == "stored":
        st.toast(plain(message), icon=":material/check:")
