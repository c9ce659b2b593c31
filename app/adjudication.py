"""The adjudication page: samples on which readers differ, and the call that settles each."""

import pandas as pd
import streamlit as st

from app import session
from app.blind import RATINGS, words
from app.case import IMAGE_HEIGHT, attributes_of, show_readings
from app.draft import Draft, comment_field, marking
from app.header import blind
from app.limits import show_limits
from app.second import show_findings
from app.text import plain, tags
from app.viewer import show_viewer
from medclassify.errors import MedclassifyError
from medclassify.records import Identity, ReadingState
from medclassify.review import AdjudicationCase, Desk, answers


def show_adjudication(desk: Desk, who: Identity, sample_id: str | None) -> None:
    """Shows what is in dispute, or one dispute."""
    session.show_message()
    if blind(who):
        st.info(
            "Your account reads as well, and whoever reads stays blind to others' readings. Adjudicate with an account that "
            "does not read."
        )
        return
    if sample_id is not None:
        _show_dispute(desk, who, sample_id)
        return
    disputes = _disputes(answers(desk, who))
    if disputes.empty:
        st.info("Nothing is in dispute: no sample has two finished readings that differ and is not settled.")
        return
    st.markdown(f"**{len(disputes):,}** samples on which readers differ; click a row to settle it.")
    key = f"disputes/{st.session_state.setdefault('visit', 0)}"

    def clicked() -> None:
        for row, _ in st.session_state[key]["selection"]["cells"]:
            st.session_state["visit"] += 1
            session.open_sample(str(disputes["sample_id"].iloc[row]))

    st.dataframe(disputes, key=key, hide_index=True, on_select=clicked, selection_mode="single-cell")


def _disputes(table: pd.DataFrame) -> pd.DataFrame:
    """Samples that two readers have finished with different calls and nobody has settled: ``sample_id, findings, readers``."""
    open_ = table[(table["state"] == ReadingState.DONE) & table["final_presence"].notna() & table["adjudicated"].isna()]
    differ = open_.groupby(["sample_id", "finding"])["final_presence"].transform("nunique") > 1
    rows = [
        (sample, ", ".join(dict.fromkeys(part["finding"])), ", ".join(dict.fromkeys(part["reader"])))
        for sample, part in open_[differ].groupby("sample_id", sort=True)
    ]
    return pd.DataFrame(rows, columns=["sample_id", "findings", "readers"])


def _show_dispute(desk: Desk, who: Identity, sample_id: str) -> None:
    st.button("Back to the disputes", icon=":material/list:", shortcut="W", on_click=session.leave_sample)
    if desk.samples.places([sample_id])[0] < 0:
        st.error(f"This run has no sample {plain(sample_id)}.")
        return
    case = desk.adjudication(who, sample_id)
    draft = Draft(desk, who, sample_id, "adjudication")
    chosen = draft.chosen if draft.chosen in case.disputed else case.disputed[0]
    draft.choose(chosen)
    rows = desk.samples.rows(sample_id)
    stored = tuple(answer for reading in case.readings for answer in reading.second)
    picture, panel = st.columns([1.2, 1], gap="medium")
    with picture:
        show_viewer(desk.run, sample_id, marking(draft, case.disputed, stored), finding=chosen, height=IMAGE_HEIGHT)
    with panel:
        st.html(tags({**attributes_of(desk, rows), "split": str(rows.iloc[0]["split"])}))
        show_readings(case.readings)
        _ask(desk, who, case, draft, chosen)
        show_findings(desk, case.items, rows, chosen, draft.choose)
        show_limits(desk.run, attributes_of(desk, rows), [item.finding for item in case.items], chosen)


def _ask(desk: Desk, who: Identity, case: AdjudicationCase, draft: Draft, chosen: str) -> None:
    for finding in case.disputed:
        said = draft.answer(finding)
        st.html(f'<div class="mc-said">{tags({finding: ""})} {words(said)}</div>')
        with st.container(horizontal=True, gap="xsmall"):
            for key, label, presence, confidence in RATINGS:
                st.button(
                    label,
                    key=f"settle/{key}/{case.sample_id}/{finding}",
                    type="primary" if said and (said.presence, said.confidence) == (presence, confidence) else "secondary",
                    on_click=_settle,
                    args=(draft, finding, presence.value, confidence),
                )
    comment_field(draft, case.sample_id, chosen, "adjudication")
    st.button(
        "Settle for good",
        type="primary",
        icon=":material/gavel:",
        width="stretch",
        disabled=not all(draft.answer(name) for name in case.disputed),
        on_click=_store,
        args=(desk, who, case, draft),
    )


def _settle(draft: Draft, finding: str, presence: str, confidence: int) -> None:
    draft.choose(finding)
    draft.say(finding, presence=presence, confidence=confidence)


def _store(desk: Desk, who: Identity, case: AdjudicationCase, draft: Draft) -> None:
    answers = [answer for name in case.disputed if (answer := draft.answer(name))]
    try:
        desk.adjudicate(who, case, answers, seconds=draft.seconds())
    except MedclassifyError as error:
        session.say("failed", str(error))
        return
    draft.forget()
    session.leave_sample()
    session.say("stored", f"Settled: {case.sample_id}")
