"""The case page: one sample with its image, what the model says, and what the reader says."""

import pandas as pd
import streamlit as st

from app import session
from app.findings import show_findings
from app.text import plain, tags
from app.verdict import show_history, show_verdict
from app.viewer import show_viewer
from medclassify.review import MISSING, ReviewRun, ReviewStore, build_items

IMAGE_HEIGHT = "calc(100vh - 17rem)"


def show_case(run: ReviewRun, store: ReviewStore, sample_id: str) -> None:
    """Shows one sample; an id that the run does not know is said, and nothing is looked up by it."""
    _show_navigation(run, sample_id)
    session.show_message()
    predictions = run.of_sample(sample_id)
    if predictions.empty:
        st.error(f"This run has no sample {plain(sample_id)}. Go back to the worklist.")
        return
    items = build_items(predictions, model_fingerprint=run.model_fingerprint)
    own = store.decisions(sample_id=sample_id, reader=session.reader()) if session.reader() else []
    verdicts = {
        item.finding: decision.verdict
        for item in items
        for decision in own
        if decision.finding == item.finding and decision.item_fingerprint == item.fingerprint
    }
    session.begin_sample(sample_id, items, verdicts)
    chosen = session.chosen_finding()
    picture, panel = st.columns([1.15, 1], gap="medium")
    with picture:
        show_viewer(run, sample_id, finding=chosen, height=IMAGE_HEIGHT)
    with panel:
        _show_facts(run, predictions)
        session.was_shown(sample_id, "probability", *(["target"] if session.target_shown() else []))
        show_findings(run, items, chosen, verdicts)
        show_verdict(store, items, chosen, verdicts, run.doubts)
        show_history(own)


def _show_navigation(run: ReviewRun, sample_id: str) -> None:
    queue = session.queue(run)
    place = queue.index(sample_id) if sample_id in queue else None
    back, previous, following, text, who = st.columns([1.2, 1.2, 1.2, 2.4, 2.4], vertical_alignment="center")
    back.button("Worklist", icon=":material/list:", shortcut="W", width="stretch", on_click=session.leave_sample)
    for at, label, shortcut, step in ((previous, "Previous", "Left", -1), (following, "Next", "Right", 1)):
        to = place + step if place is not None else -1
        reachable = 0 <= to < len(queue)
        at.button(
            label,
            shortcut=shortcut,
            width="stretch",
            disabled=not reachable,
            on_click=session.open_sample,
            args=(queue[to] if reachable else sample_id,),
        )
    where = f"{place + 1:,} of {len(queue):,}" if place is not None else "not in the list"
    text.markdown(f"**{plain(sample_id)}** · {where}")
    with who:
        session.show_reader()


def _show_facts(run: ReviewRun, predictions: pd.DataFrame) -> None:
    row = predictions.iloc[0]
    values = {name: row[name] for name in (*run.attributes, "split")}
    st.html(tags({name: MISSING if pd.isna(value) else str(value) for name, value in values.items()}))
