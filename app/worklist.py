"""The worklist page: which samples there are, how far the reader is, and which to open."""

import time
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session
from app.header import blind
from medclassify.records import Identity, ReadingState, Split
from medclassify.review import MISSING, Called, Desk, QueueOrder, Queues, ReviewRun, WorklistFilter, next_sample

ROWS_SHOWN = 200
"""Rows of one page of the list; Next and Previous go through all."""
_FITS = 14
"""Rows that stand on a small screen."""
_TABLE_AFTER_S = 0.15
"""How long a new page is left to draw the rest before its table comes."""
_ANY = "any"
_ALL = "all"
_ORDERS = {
    QueueOrder.UNCERTAINTY: "least certain",
    QueueOrder.PRIORITY: "priority",
    QueueOrder.DISAGREEMENT: "disagreement",
    QueueOrder.SUBGROUP: "subgroups in turn",
}
_FIRST = {
    QueueOrder.UNCERTAINTY: "the least certain first",
    QueueOrder.PRIORITY: "by priority",
    QueueOrder.DISAGREEMENT: "the most disagreement first",
    QueueOrder.SUBGROUP: "subgroups in turn",
}
_LEFT = tuple(state.value for state in ReadingState if state is not ReadingState.DONE)


def show_worklist(desk: Desk, queues: Queues, who: Identity) -> None:
    """Shows filters, progress and the list; a click on a row opens its sample."""
    run = desk.run
    finding, order, attribute, chosen = choose_samples(run, who)
    rows = queues.queue(who, order=order, chosen=chosen, attribute=attribute, finding=finding)
    session.show_message()
    if rows.empty:
        st.info("No sample passes these filters. Set one of them back to “any”.")
        return

    def begin(sample_id: str) -> None:
        session.remember(session.Listed(desk.samples, rows["sample_id"].tolist()))
        session.open_sample(sample_id)

    page = _show_progress(rows, order, who, begin)
    with st.container(key="long-list" if len(rows) > _FITS else "short-list"):  # a long one grows with the window
        _show_table(run, rows, who, page, begin)


def choose_samples(run: ReviewRun, who: Identity) -> tuple[str | None, QueueOrder, str | None, WorklistFilter]:
    """Asks which samples, and in which order: a finding to look at alone, the order, the attribute of subgroups, the filter."""
    split = _choose_split(run)
    places = st.columns([1.5, 1.2, 1, 1, 1, 1, 1, 1.2])
    key = f"{session.FILTER}order"
    orders = [item for item in QueueOrder if item is not QueueOrder.SUBGROUP or run.attributes]
    order = places[0].selectbox("Order", orders, format_func=_ORDERS.__getitem__, key=key)
    finding = _choice(places[1], "Finding", run.findings)
    status = _choice(places[2], "Status", [item.value for item in ReadingState])
    called = _choice(places[3], "Called", [Called.POSITIVE.value, Called.NEGATIVE.value], hint=_BLIND if blind(who) else None)
    attribute = _choice(places[4], "Attribute", run.attributes)
    subgroup = _choice(places[5], "Subgroup", _subgroups(run, attribute), disabled=attribute is None)
    overlay = _choice(places[6], "Overlay", ["stored"])
    sample = places[7].text_input("Sample id contains", key=f"{session.FILTER}sample")
    chosen = WorklistFilter(
        status=ReadingState(status) if status else None,
        split=split,
        called=Called(called) if called else Called.ANY,
        attribute=attribute,
        subgroup=subgroup,
        sample=sample,
        samples=run.explanations.samples if overlay else None,
    )
    if order is QueueOrder.SUBGROUP and attribute is None:
        attribute = run.attributes[0]
        st.caption(f"Subgroups of {attribute} in turn; choose another attribute above.".replace("_", r"\_"))
    return finding, QueueOrder(order), attribute, chosen


_BLIND = "Only samples whose answer you have been shown pass this filter."


def _choose_split(run: ReviewRun) -> str | None:
    counts = _splits(run)
    if len(counts) < 2:
        return None
    counts = {**counts, _ALL: sum(counts.values())}
    key = f"{session.FILTER}split"
    st.session_state.setdefault(key, Split.TEST.value if Split.TEST in counts else _ALL)
    chosen = st.segmented_control(
        "Split",
        list(counts),
        format_func=lambda name: f"{name} {counts[name]:,}",
        required=True,
        key=key,
        label_visibility="collapsed",
    )
    return None if chosen == _ALL else chosen


@st.cache_resource(max_entries=2, hash_funcs={ReviewRun: id}, show_spinner=False)
def _splits(run: ReviewRun) -> dict[str, int]:
    """How many samples each split has; the test split, which the model was not made on, first."""
    counts = run.predictions.groupby("split", observed=True)["sample_id"].nunique().to_dict()
    return {name: int(counts[name]) for name in sorted(counts, key=lambda name: (name != Split.TEST, name))}


@st.cache_resource(max_entries=16, hash_funcs={ReviewRun: id}, show_spinner=False)
def _subgroups(run: ReviewRun, attribute: str | None) -> list[str]:
    """The values of an attribute, sorted, ``missing`` last."""
    if attribute is None:
        return []
    values = run.predictions[attribute].astype("string").fillna(MISSING).unique().tolist()
    return sorted(values, key=lambda value: (value == MISSING, value))


def _choice(
    place: DeltaGenerator, label: str, options: Sequence[str], *, disabled: bool = False, hint: str | None = None
) -> str | None:
    key = f"{session.FILTER}{label.lower()}"
    if st.session_state.get(key, _ANY) not in (_ANY, *options):
        st.session_state[key] = _ANY  # a subgroup of the attribute that was chosen before
    chosen = place.selectbox(label, [_ANY, *options], key=key, disabled=disabled, help=hint)
    return None if chosen == _ANY or disabled else chosen


def _show_progress(rows: pd.DataFrame, order: QueueOrder, who: Identity, begin: Callable[[str], None]) -> int:
    """Shows how far somebody is, and the way in; returns which page of the list is asked for."""
    left = int(rows["status"].isin(_LEFT).sum())
    pages = -(-len(rows) // ROWS_SHOWN)
    text, place, button = st.columns([2.6, 1, 1.2], vertical_alignment="center")
    said = f"**{len(rows):,}** samples, {_FIRST[order]}; click a row to open it."
    if blind(who):
        said += f" **{len(rows) - left:,}** read, **{left:,}** to read."
    text.markdown(said + (f" Page of the list, 1 to {pages:,}:" if pages > 1 else ""))
    page = 1
    if pages > 1:
        key = f"{session.FILTER}page"
        st.session_state[key] = min(int(st.session_state.get(key, 1)), pages)
        label = f"Page of the list, 1 to {pages:,}"
        page = int(place.number_input(label, 1, pages, key=key, label_visibility="collapsed"))
    first = (next_sample(rows) if blind(who) else None) or str(rows["sample_id"].iloc[0])
    begun = bool((rows["status"] != ReadingState.UNREAD.value).any())
    label = ("Go on reading" if begun else "Begin reading") if blind(who) and left else "Open the first"
    button.button(label, type="primary", shortcut="S", width="stretch", on_click=begin, args=(first,))
    return page


def _show_table(run: ReviewRun, rows: pd.DataFrame, who: Identity, page: int, begin: Callable[[str], None]) -> None:
    shown = rows.iloc[(page - 1) * ROWS_SHOWN : page * ROWS_SHOWN]
    table = pd.DataFrame({"Status": shown["status"], "Sample": shown["sample_id"]})
    if (rows["priority"] != 0).any():
        table["Priority"] = shown["priority"]
    if shown["prob_cal"].notna().any() or not blind(who):
        table["Least certain"] = shown["least_certain"]
        table["Probability"] = 100 * shown["prob_cal"].astype(float)
        table["Threshold"] = 100 * shown["threshold"].astype(float)
        table["Called positive"] = shown["called"].where((shown["n_called"] != 0) | shown["prob_cal"].isna(), "none")
        table["Disagreement"] = shown["disagreement"]
    table["Overlay"] = shown["sample_id"].isin(list(run.explanations.samples)).map({True: "stored", False: ""})
    for name in (*run.attributes, "split"):
        table[name] = shown[name]
    if "visit" not in st.session_state:
        # What draws tables is a megabyte of script, and a browser that has it at once shows nothing else until it is read.
        time.sleep(_TABLE_AFTER_S)
    # A fresh key for every visit: the cell that was clicked last time must not open its sample again.
    key = f"table/{st.session_state.setdefault('visit', 0)}/{page}"

    def clicked() -> None:
        for row, _ in st.session_state[key]["selection"]["cells"]:
            st.session_state["visit"] += 1
            begin(str(table["Sample"].iloc[row]))

    st.dataframe(
        table,
        key=key,
        placeholder="",
        hide_index=True,
        height=38 + 35 * min(len(table), _FITS),
        on_select=clicked,
        selection_mode="single-cell",
        column_config={
            "Least certain": st.column_config.TextColumn(help="The finding nearest to its threshold."),
            "Probability": st.column_config.NumberColumn(format="%.2f %%", help="Of the least certain finding."),
            "Threshold": st.column_config.NumberColumn(format="%.2f %%", help="Of the least certain finding."),
            "Disagreement": st.column_config.NumberColumn(help="Findings on which readings differ, or differ from the model."),
            "Overlay": st.column_config.TextColumn(help="Whether a saliency map is stored for this sample."),
        },
    )
    if blind(who):
        st.caption("What the model says of a sample stands here once you have read it blind and been shown the answer.")
