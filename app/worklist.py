"""The worklist page: which samples there are, how far the reader is, and which to open."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session
from medclassify.records import Split
from medclassify.review import Called, ReadStatus, ReviewRun, ReviewStore, WorklistFilter, filter_worklist

ROWS_SHOWN = 1000
"""Rows sent to the browser; Next and Previous go through all of them."""
_ANY = "any"
_ALL = "all"


def show_worklist(run: ReviewRun, store: ReviewStore) -> None:
    """Shows filters, progress and the list; a click on a row opens its sample."""
    title, part, who = st.columns([1, 2.7, 2], vertical_alignment="center")
    title.subheader("Worklist", anchor=False)
    split = _choose_split(part, run)
    with who:
        session.show_reader()
    finding, chosen = _filters(run, split)
    rows = filter_worklist(session.worklist(run, store, finding), chosen)
    session.show_message()
    _show_progress(rows)
    if len(rows):
        _show_table(run, rows)


def _filters(run: ReviewRun, split: str | None) -> tuple[str | None, WorklistFilter]:
    places = st.columns([1.3, 1, 1, 1, 1, 1, 1.3])
    finding = _choice(places[0], "Finding", run.findings)
    status = _choice(places[1], "Status", [item.value for item in ReadStatus])
    called = _choice(places[2], "Called", [Called.POSITIVE.value, Called.NEGATIVE.value])
    attribute = _choice(places[3], "Attribute", run.attributes)
    subgroup = _choice(places[4], "Subgroup", session.subgroups(run, attribute), disabled=attribute is None)
    overlay = _choice(places[5], "Overlay", ["stored"])
    sample = places[6].text_input("Sample id contains", key=f"{session.FILTER}sample")
    return finding, WorklistFilter(
        status=ReadStatus(status) if status else None,
        split=split,
        called=Called(called) if called else Called.ANY,
        attribute=attribute,
        subgroup=subgroup,
        sample=sample,
        samples=run.explanations.samples if overlay else None,
    )


def _choose_split(place: DeltaGenerator, run: ReviewRun) -> str | None:
    counts = session.splits(run)
    if len(counts) < 2:
        return None
    counts[_ALL] = sum(counts.values())
    key = f"{session.FILTER}split"
    st.session_state.setdefault(key, Split.TEST.value if Split.TEST in counts else _ALL)
    chosen = place.segmented_control(
        "Split",
        list(counts),
        format_func=lambda name: f"{name} {counts[name]:,}",
        required=True,
        key=key,
        label_visibility="collapsed",
    )
    return None if chosen == _ALL else chosen


def _choice(place: DeltaGenerator, label: str, options: Sequence[str], *, disabled: bool = False) -> str | None:
    key = f"{session.FILTER}{label.lower()}"
    if st.session_state.get(key, _ANY) not in (_ANY, *options):
        st.session_state[key] = _ANY  # a subgroup of the attribute that was chosen before
    chosen = place.selectbox(label, [_ANY, *options], key=key, disabled=disabled)
    return None if chosen == _ANY or disabled else chosen


def _show_progress(rows: pd.DataFrame) -> None:
    left = rows.loc[rows["status"] != ReadStatus.READ.value, "sample_id"].tolist()
    listed = rows["sample_id"].tolist()
    text, button = st.columns([3, 1], vertical_alignment="center")
    if not listed:
        text.info("No sample passes these filters. Set one of them back to “any”.")
        return
    shown = "" if len(listed) <= ROWS_SHOWN else f" The list shows the first {ROWS_SHOWN:,}; Next goes through all."
    text.markdown(
        f"**{len(listed):,}** samples, least certain first; click a row to open it. **{len(listed) - len(left):,}** read, "
        f"**{len(left):,}** to read.{shown}"
    )
    button.button(
        "Open the first to read" if left else "All read: open the first",
        type="primary",
        shortcut="S",
        width="stretch",
        on_click=session.open_sample,
        args=((left or listed)[0], listed),
    )


def _show_table(run: ReviewRun, rows: pd.DataFrame) -> None:
    shown = rows.head(ROWS_SHOWN)
    table = pd.DataFrame(
        {
            "Status": shown["status"],
            "Sample": shown["sample_id"],
            "Least certain": shown["least_certain"],
            "Probability": 100 * shown["prob_cal"],
            "Threshold": 100 * shown["threshold"],
            "Called positive": shown["called"].where(shown["n_called"] > 0, "none"),
            "Verdicts": shown["n_judged"].astype(str) + " of " + shown["n_findings"].astype(str),
            "Overlay": shown["sample_id"].isin(list(run.explanations.samples)).map({True: "stored", False: ""}),
            **{name: shown[name] for name in (*run.attributes, "split")},
        }
    )
    # A fresh key for every visit: the cell that was clicked last time must not open its sample again.
    key = f"table/{st.session_state.setdefault('visit', 0)}"

    def clicked() -> None:
        for row, _ in st.session_state[key]["selection"]["cells"]:
            st.session_state["visit"] += 1
            session.open_sample(table["Sample"].iloc[row], rows["sample_id"].tolist())

    st.dataframe(
        table,
        key=key,
        hide_index=True,
        height=min(38 + 35 * len(table), 520),
        on_select=clicked,
        selection_mode="single-cell",
        column_config={
            "Least certain": st.column_config.TextColumn(help="The finding nearest to its threshold."),
            "Probability": st.column_config.NumberColumn(format="%.2f %%", help="Of the least certain finding."),
            "Threshold": st.column_config.NumberColumn(format="%.2f %%", help="Of the least certain finding."),
            "Verdicts": st.column_config.TextColumn(help="Findings you have judged."),
            "Overlay": st.column_config.TextColumn(help="Whether a Grad-CAM map is stored for this sample."),
        },
    )
