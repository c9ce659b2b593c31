"""The worklist page: which samples there are, how far the reader is, and which to open."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session
from medclassify.review import Called, ReadStatus, ReviewRun, ReviewStore, WorklistFilter, filter_worklist

ROWS_SHOWN = 1000
"""Rows sent to the browser; Next and Previous go through all of them."""
_ANY = "any"


def show_worklist(run: ReviewRun, store: ReviewStore) -> None:
    """Shows filters, progress and the list; a click on a row opens its sample."""
    title, who = st.columns([3, 1], vertical_alignment="bottom")
    title.subheader("Worklist", anchor=False)
    with who:
        session.show_reader()
    finding, chosen = _filters(run)
    rows = filter_worklist(session.worklist(run, store, finding), chosen)
    session.show_message()
    _show_progress(rows)
    if len(rows):
        _show_table(run, rows)


def _filters(run: ReviewRun) -> tuple[str | None, WorklistFilter]:
    places = st.columns([1.3, 1, 1, 1, 1, 1, 1.3])
    finding = _choice(places[0], "Finding", run.findings)
    status = _choice(places[1], "Status", [item.value for item in ReadStatus])
    called = _choice(places[2], "Called", [Called.POSITIVE.value, Called.NEGATIVE.value])
    attribute = _choice(places[3], "Attribute", (*run.attributes, "split"))
    subgroup = _choice(places[4], "Subgroup", session.subgroups(run, attribute), disabled=attribute is None)
    overlay = _choice(places[5], "Overlay", ["stored"])
    sample = places[6].text_input("Sample id contains", key=f"{session.FILTER}sample")
    return finding, WorklistFilter(
        status=ReadStatus(status) if status else None,
        called=Called(called) if called else Called.ANY,
        attribute=attribute,
        subgroup=subgroup,
        sample=sample,
        samples=run.explanations.samples if overlay else None,
    )


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
            "Uncertainty": shown["uncertainty"],
            "Least certain": shown["least_certain"],
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
            "Uncertainty": st.column_config.ProgressColumn(
                min_value=0, max_value=1, format="%.2f", help="1: the probability stands at its threshold; 0: it is 0 or 1."
            ),
            "Least certain": st.column_config.TextColumn(help="The finding nearest to its threshold."),
            "Verdicts": st.column_config.TextColumn(help="Findings you have judged."),
            "Overlay": st.column_config.TextColumn(help="Whether a Grad-CAM map is stored for this sample."),
        },
    )
