"""What the page remembers: the opened run and desk, who is at it, the page and the sample, the queue, and messages.

Page, sample and reader's name stand in the address, so that a refresh, a bookmark or the browser's Back finds them again; a
session's token never does.
"""

import gc
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st

from app.arguments import Arguments
from app.text import plain
from app.tickets import TICKETS
from medclassify.review import Accounts, Desk, Queues, ReviewRun, ReviewStore, named_reader, open_review_run, open_review_store
from medclassify.review.samples import SampleIndex
from medclassify.runs import RunLayout

FILTER = "filter/"
"""Prefix of the widget keys of the worklist's filters."""
OVERLAY = "view/overlay"
"""Whether the reader has asked for saliency maps."""
HIDDEN = "hidden-"
"""Prefix of the keys of containers that show nothing."""
TARGET = "show_target"
"""Widget key of the switch that shows the reference label."""


# --- what all sessions share


def load_run(arguments: Arguments) -> ReviewRun:
    """The run without excluded patients (hashes), read once, and again when it was fitted again.

    Raises:
        RunError: It is not a finished run.
        ReviewError: Its tables cannot be used.
    """
    assert arguments.root is not None
    layout = RunLayout.open(arguments.root)
    return _load_run(str(arguments.root), layout.provenance.stat().st_mtime_ns, arguments.excluded)


@st.cache_resource(max_entries=1, show_spinner="Opening the run …")
def _load_run(root: str, written_ns: int, excluded: tuple[str, ...]) -> ReviewRun:
    return open_review_run(root, excluded)


@st.cache_resource(max_entries=1, show_spinner=False, hash_funcs={ReviewRun: id})
def open_store(run: ReviewRun, url: str | None) -> ReviewStore:
    """The store, opened once for all sessions.

    Raises:
        ReviewError: It is not a review store.
        StorageError: It cannot be written.
    """
    return open_review_store(run.layout, url)


@st.cache_resource(max_entries=1, show_spinner=False, hash_funcs={ReviewRun: id, ReviewStore: id})
def open_desk(run: ReviewRun, store: ReviewStore, show_identity: bool) -> Desk:
    """The desk of all readers."""
    return Desk(run, store, show_identity=show_identity)


@st.cache_resource(max_entries=1, show_spinner=False, hash_funcs={Desk: id})
def open_queues(desk: Desk) -> Queues:
    """The queues of all readers, with the list of all samples made."""
    queues = Queues(desk)
    queues.queue(named_reader("-"))
    return queues


@st.cache_resource(max_entries=1, show_spinner=False, hash_funcs={ReviewStore: id})
def open_accounts(store: ReviewStore, idle: timedelta) -> Accounts:
    """The accounts."""
    return Accounts(store, idle=idle)


def open_all(arguments: Arguments) -> tuple[Desk, Queues, Accounts]:
    """Everything that all sessions share.

    Raises:
        MedclassifyError: The run or the store cannot be used.
    """
    TICKETS.idle = arguments.idle
    run = load_run(arguments)
    store = open_store(run, arguments.store)
    desk = open_desk(run, store, arguments.show_identity)
    return desk, open_queues(desk), open_accounts(store, arguments.idle)


@st.cache_resource(show_spinner=False)
def settle_memory() -> None:
    """Takes what start-up made out of the garbage collection that Streamlit runs after every rerun."""
    gc.collect()
    gc.freeze()


def keep_widgets() -> None:
    """Keeps filters, which Streamlit forgets as soon as their page is not shown."""
    for key in list(st.session_state):
        if str(key).startswith((FILTER, "view/")):
            st.session_state[key] = st.session_state[key]


def own_key(name: str, root: Path) -> str:
    """A name that two runs on one machine do not share, for cookies."""
    import hashlib

    return f"{name}_{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}"


# --- where one is


def current_page() -> str:
    """The page the address names; "" for the worklist and its samples."""
    return st.query_params.get("page", "")


def go_to(page: str) -> None:
    """Goes to a page; "" is the worklist."""
    for name in ("page", "sample"):
        st.query_params.pop(name, None)
    if page:
        st.query_params["page"] = page


def current_sample() -> str | None:
    """The sample the address names, or None for the worklist."""
    return st.query_params.get("sample") or None


def open_sample(sample_id: str) -> None:
    """Goes to a sample."""
    st.query_params["sample"] = sample_id


def leave_sample() -> None:
    """Goes back to the list."""
    st.query_params.pop("sample", None)


class Listed:
    """The samples that Next and Previous go through, in order: four bytes each, however many readers hold such a list.

    Args:
        samples: Of the desk.
        sample_ids: The list.
    """

    def __init__(self, samples: SampleIndex, sample_ids: Sequence[str]) -> None:
        self._samples = samples
        self._places = np.asarray(samples.places(sample_ids), dtype=np.int32)

    def __len__(self) -> int:
        return len(self._places)

    def at(self, number: int) -> str | None:
        """The sample at a place of the list; None beyond its ends."""
        return str(self._samples.names[self._places[number]]) if 0 <= number < len(self) else None

    def number(self, sample_id: str) -> int | None:
        """Where a sample stands in the list; None where it does not."""
        found = np.flatnonzero(self._places == self._samples.places([sample_id])[0])
        return int(found[0]) if len(found) else None


def listed() -> Listed | None:
    """The samples as they were listed when one was opened; None after a refresh."""
    return st.session_state.get("listed")


def remember(listed: Listed) -> None:
    """Sets the samples that Next and Previous go through."""
    st.session_state["listed"] = listed


# --- what the reader has seen


def target_shown() -> bool:
    """Whether the reader has asked for the reference label of this sample."""
    return bool(st.session_state.get(TARGET, False))


def was_shown(sample_id: str, *what: str) -> None:
    """Notes what has been put before the reader; an answer is stored with it."""
    _seen(sample_id).update(what)


def shown(sample_id: str) -> tuple[str, ...]:
    """What the reader has seen of a sample, in a fixed order."""
    order = ("image", "probability", "target", "similar")
    seen = _seen(sample_id)
    return (*(name for name in order if name in seen), *sorted(name for name in seen if name not in order))


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
