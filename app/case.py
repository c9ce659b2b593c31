"""The case page: the image, and beside it the blind first read, the model's answer, or what others have read."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session
from app.blind import bare, show_first_read, show_locked, words
from app.draft import Draft, marking
from app.header import blind
from app.identity import show_patient
from app.limits import show_limits
from app.originals import priors
from app.second import choose_first, show_added, show_findings, show_history, show_verdict
from app.similar import show_similar
from app.text import escaped, plain, tags
from app.viewer import Marking, show_viewer
from medclassify.records import Identity, Reading, ReadingState, ReviewItem
from medclassify.review import MISSING, Desk

IMAGE_HEIGHT = "max(16rem, calc(100vh - 19rem))"


def show_case(desk: Desk, who: Identity, sample_id: str, listed: session.Listed) -> None:
    """Shows one sample at the step of the protocol that its reading has come to.

    Args:
        desk: Where reading happens.
        who: Who is at the page.
        sample_id: From the address; an id that the run does not know is said, and nothing is looked up by it.
        listed: The samples that Next and Previous go through.
    """
    following = _show_navigation(sample_id, listed)
    session.show_message()
    if desk.samples.places([sample_id])[0] < 0:
        st.error(f"This run has no sample {plain(sample_id)}. Go back to the worklist.")
        return
    _arrive(sample_id)
    rows = desk.samples.rows(sample_id)
    if blind(who):
        _show_reading(desk, who, desk.open(who, sample_id), rows, following)
    else:
        _show_for_others(desk, who, sample_id, rows, following)


def _arrive(sample_id: str) -> None:
    if st.session_state.get("at") != sample_id:
        st.session_state["at"] = sample_id
        st.session_state[session.TARGET] = False


def _show_reading(desk: Desk, who: Identity, reading: Reading, rows: pd.DataFrame, following: str | None) -> None:
    run, sample_id = desk.run, reading.sample_id
    revealed = reading.state in (ReadingState.REVEALED, ReadingState.DONE)
    locked = reading.state is ReadingState.LOCKED
    draft = None if locked else Draft(desk, who, sample_id, "second" if revealed else "first")
    items = desk.items(who, sample_id) if revealed else ()
    chosen = choose_first(items, reading, draft) if draft and revealed else None
    stored = (*reading.first, *reading.second) if revealed else reading.first
    picture, panel = _columns()
    with picture:
        _show_images(desk, sample_id, marking(draft, run.findings, stored), following, finding=chosen or _any(items))
    with panel:
        _show_facts(desk, who, rows)
        if not revealed and draft:
            show_first_read(desk, who, reading, draft)
        elif not revealed:
            show_locked(desk, who, reading)
        elif draft:
            session.was_shown(sample_id, "probability", *(["target"] if session.target_shown() else []))
            show_findings(desk, items, rows, chosen, draft.choose, reading)
            show_verdict(desk, who, reading, items, draft, chosen)
            show_limits(run, attributes_of(desk, rows), [item.finding for item in items], chosen)
            show_similar(run, sample_id, chosen)
            show_history(reading)
            show_added(desk, who, reading, draft)
            if reading.state is ReadingState.DONE:
                _offer_others(desk, who, sample_id)


def _any(items: Sequence[ReviewItem]) -> str | None:
    return items[0].finding if items else None


def _show_for_others(desk: Desk, who: Identity, sample_id: str, rows: pd.DataFrame, following: str | None) -> None:
    """For auditors, adjudicators and admins: everything, and nothing to give."""
    items = desk.items(who, sample_id)
    finding = st.session_state.setdefault(f"looking/{sample_id}", items[0].finding)

    def look(at: str) -> None:
        st.session_state[f"looking/{sample_id}"] = at

    picture, panel = _columns()
    readings = desk.readings(who, sample_id)
    stored = tuple(answer for reading in readings for answer in (*reading.first, *reading.second))
    with picture:
        _show_images(desk, sample_id, marking(None, desk.run.findings, stored), following, finding=finding)
    with panel:
        _show_facts(desk, who, rows)
        show_findings(desk, items, rows, finding, look)
        show_limits(desk.run, attributes_of(desk, rows), [item.finding for item in items], finding)
        show_similar(desk.run, sample_id, finding)
        show_readings(readings)


def show_readings(readings: Sequence[Reading]) -> None:
    """Shows finished readings side by side."""
    if not readings:
        st.caption("Nobody has finished reading this sample.")
        return
    findings = list(dict.fromkeys(answer.finding for reading in readings for answer in (*reading.first, *reading.second)))
    head = "".join(f"<th>{escaped(reading.reader)}</th>" for reading in readings)
    lines = "".join(
        f"<tr><td>{escaped(name)}</td>" + "".join(f"<td>{_cell(reading, name)}</td>" for reading in readings) + "</tr>"
        for name in findings
    )
    st.html(f'<table class="mc-table"><tr><th>finding</th>{head}</tr>{lines}</table>')


def _cell(reading: Reading, finding: str) -> str:
    parts = []
    for name, answers in (("first", reading.first), ("with the model", reading.second)):
        answer = next((answer for answer in answers if answer.finding == finding), None)
        if answer is not None:
            verdict = f" ({answer.verdict})" if answer.verdict else ""
            comment = f"<br>“{escaped(answer.comment)}”" if answer.comment else ""
            parts.append(f'<span class="mc-dim">{name}</span> {words(bare(answer))}{verdict}{comment}')
    return "<br>".join(parts)


def _offer_others(desk: Desk, who: Identity, sample_id: str) -> None:
    key = f"others/{sample_id}"
    if not st.session_state.get(key):
        st.button(
            "Show the others' readings",
            on_click=lambda: st.session_state.update({key: True}),
            help="Yours is final from then on.",
        )
        return
    show_readings(desk.others(who, sample_id))


def _columns() -> list[DeltaGenerator]:
    return st.columns([1.2, 1], gap="medium")


def _show_images(desk: Desk, sample_id: str, marks: Marking, following: str | None, *, finding: str | None) -> None:
    others = priors(desk.run, sample_id)
    chosen = None
    if len(others):
        labels = {name: _prior_label(others.loc[name]) for name in others.index}
        st.session_state.setdefault(f"prior/{sample_id}", None)
        count = f"{len(others)} other image{'s' if len(others) > 1 else ''} of this patient"
        chosen = st.selectbox(
            count,
            list(labels),
            format_func=labels.__getitem__,
            index=None,
            placeholder=f"{count}: choose one to see it beside",
            key=f"prior/{sample_id}",
            label_visibility="collapsed",
            help="The manifest holds no dates, so which came first is not known; they stand by age.",
        )
    if chosen is None:
        show_viewer(desk.run, sample_id, marks, finding=finding, following=following, height=IMAGE_HEIGHT)
        return
    own, other = st.columns(2, gap="small")
    with own:
        show_viewer(desk.run, sample_id, marks, finding=finding, following=following, height=IMAGE_HEIGHT)
    with other:
        show_viewer(desk.run, chosen, height=IMAGE_HEIGHT, title=labels[chosen])


def _prior_label(facts: pd.Series) -> str:
    parts = [str(facts["modality"]), str(facts["view"])]
    if not pd.isna(facts["age"]):
        parts.append(f"age {float(facts['age']):g}")
    parts.append("same study" if facts["same_study"] else "another study")
    return " · ".join(part for part in [*parts, str(facts.name)] if part)


def _show_navigation(sample_id: str, listed: session.Listed) -> str | None:
    """Shows the way to other samples; returns the one that comes next."""
    number = listed.number(sample_id)
    before, after = (None, None) if number is None else (listed.at(number - 1), listed.at(number + 1))
    back, previous, following, text = st.columns([1, 1, 1, 3.4], vertical_alignment="center")
    back.button("Worklist", icon=":material/list:", shortcut="W", width="stretch", on_click=session.leave_sample)
    for at, label, shortcut, to in ((previous, "Previous", "Left", before), (following, "Next", "Right", after)):
        at.button(
            label,
            shortcut=shortcut,
            width="stretch",
            disabled=to is None,
            on_click=session.open_sample,
            args=(to or sample_id,),
        )
    where = "not in the list" if number is None else f"{number + 1:,} of {len(listed):,}"
    text.markdown(f"**{plain(sample_id)}** · {where}")
    return after


def attributes_of(desk: Desk, rows: pd.DataFrame) -> Mapping[str, str]:
    """The sample's attributes as text, blanks as ``missing``."""
    row = rows.iloc[0]
    return {name: MISSING if pd.isna(row[name]) else str(row[name]) for name in desk.run.attributes}


def _show_facts(desk: Desk, who: Identity, rows: pd.DataFrame) -> None:
    st.html(tags({**attributes_of(desk, rows), "split": str(rows.iloc[0]["split"])}))
    show_patient(desk, who, str(rows.iloc[0]["sample_id"]))
