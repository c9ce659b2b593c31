"""The blind first read: one call a finding, before the model's answer is shown, locked for good."""

import streamlit as st

from app import session
from app.draft import Draft, comment_field, confidence_field
from app.text import escaped, plain
from medclassify.errors import MedclassifyError
from medclassify.records import Answer, Identity, Presence, Reading
from medclassify.review import Desk

RATINGS = (
    ("1", "Absent", Presence.ABSENT, 95),
    ("2", "Probably absent", Presence.ABSENT, 70),
    ("3", "Unsure", Presence.UNSURE, 50),
    ("4", "Probably present", Presence.PRESENT, 70),
    ("5", "Present", Presence.PRESENT, 95),
)
"""Key, word, call, and the confidence it stands for until the slider says otherwise."""
_TONES = {Presence.PRESENT: "mc-present", Presence.ABSENT: "", Presence.UNSURE: "mc-dim"}


@st.fragment
def show_first_read(desk: Desk, who: Identity, reading: Reading, draft: Draft) -> None:
    """Asks for a call on every finding of the run, and locks them."""
    findings = desk.run.findings
    if draft.chosen is None and not all(draft.answer(name) for name in findings):
        draft.choose(next(name for name in findings if not draft.answer(name)))
    left = [name for name in findings if not draft.answer(name)]
    st.markdown(f"**First read, without the model** · {len(findings) - len(left)} of {len(findings)} findings")
    with st.container(key="findings", gap="xsmall"):
        for name in findings:
            _show_row(name, draft)
    if draft.chosen:
        _ask(draft, reading.sample_id, draft.chosen, findings)
    columns = st.columns(2)
    columns[0].button(
        f"The {len(left)} left: absent" if left else "All are answered",
        key="rest",
        shortcut="Shift+A",
        width="stretch",
        disabled=not left,
        on_click=_rest,
        args=(draft, left),
        help="Calls each finding you have not answered absent, with a confidence of 95 %.",
    )
    columns[1].button(
        "Lock the first read",
        key=f"lock/{reading.sample_id}",
        icon=":material/lock:",
        type="primary",
        shortcut="L",
        width="stretch",
        disabled=bool(left),
        on_click=_lock,
        args=(desk, who, reading, draft),
        help="Stored for good; the model's answer can be shown after it.",
    )
    if st.session_state.pop("stepped", False):
        st.rerun()


def _show_row(finding: str, draft: Draft) -> None:
    name, said = st.columns([1.25, 2], vertical_alignment="center", gap="small")
    name.button(
        plain(finding),
        key=f"choose/first/{finding}",
        type="primary" if finding == draft.chosen else "secondary",
        width="stretch",
        on_click=draft.choose,
        args=(finding,),
    )
    said.html(f'<div class="mc-said">{words(draft.answer(finding))}</div>')


def words(answer: Answer | None, *, short: bool = False) -> str:
    """HTML of a call with its confidence, and what is attached to it."""
    if answer is None:
        return '<span class="mc-dim">not answered</span>'
    text = f'<b class="{_TONES[answer.presence]}">{answer.presence.value}</b>'
    if answer.presence is not Presence.UNSURE:
        text += f' <span class="mc-dim">{answer.confidence} %{"" if short else " sure"}</span>'
    if answer.marks:
        text += f' <span class="mc-dim">· {len(answer.marks)} marked</span>'
    return text + (' <span class="mc-dim">· comment</span>' if answer.comment else "")


def bare(answer: Answer) -> Answer:
    """A call without what is attached to it."""
    return Answer(answer.finding, answer.presence, answer.confidence)


def _ask(draft: Draft, sample_id: str, finding: str, findings: tuple[str, ...]) -> None:
    said = draft.of(finding)
    st.markdown(f"**{plain(finding)}**: is it there? Mark it with *Box* or *Point*.")
    with st.container(horizontal=True, gap="xsmall", key="ratings"):
        for key, label, presence, confidence in RATINGS:
            here = (said.get("presence"), said.get("confidence")) == (presence.value, confidence)
            st.button(
                label,
                key=f"rate/{key}/{sample_id}/{finding}",
                shortcut=key,
                type="primary" if here else "secondary",
                on_click=_rate,
                args=(draft, finding, findings, presence, confidence),
            )
    if said.get("presence", Presence.UNSURE) == Presence.UNSURE:
        comment_field(draft, sample_id, finding, "first")
        return
    sure, comment = st.columns([1, 1.7], gap="small")
    with sure:
        confidence_field(draft, sample_id, finding, "first", default=int(said["confidence"]))
    with comment:
        comment_field(draft, sample_id, finding, "first")


def _rate(draft: Draft, finding: str, findings: tuple[str, ...], presence: Presence, confidence: int) -> None:
    draft.say(finding, presence=presence.value, confidence=confidence)
    start = findings.index(finding) + 1
    order = findings[start:] + findings[:start]
    draft.choose(next((name for name in order if not draft.answer(name)), finding))


def _rest(draft: Draft, left: list[str]) -> None:
    for name in left:
        draft.say(name, presence=Presence.ABSENT.value, confidence=RATINGS[0][3])


def _lock(desk: Desk, who: Identity, reading: Reading, draft: Draft) -> None:
    answers = [draft.answer(name) for name in desk.run.findings]
    try:
        desk.lock_first(who, reading, [answer for answer in answers if answer], seconds=draft.seconds())
    except MedclassifyError as error:
        session.say("failed", str(error))  # the draft stays
        st.session_state["stepped"] = True
        return
    draft.forget()
    session.say("stored", "Your first read is locked.")
    st.session_state["stepped"] = True


def show_locked(desk: Desk, who: Identity, reading: Reading) -> None:
    """Shows the locked first read, and offers the model's answer."""
    st.markdown("**Your first read is locked.** The model's answer has not been shown.")
    rows = "".join(f"<tr><td>{escaped(answer.finding)}</td><td>{words(answer)}</td></tr>" for answer in reading.first)
    st.html(f'<table class="mc-table">{rows}</table>')
    st.button(
        "Show the model's answer",
        key=f"reveal/{reading.sample_id}",
        icon=":material/visibility:",
        type="primary",
        shortcut="V",
        width="stretch",
        on_click=_reveal,
        args=(desk, who, reading),
    )


def _reveal(desk: Desk, who: Identity, reading: Reading) -> None:
    try:
        desk.reveal(who, reading)
    except MedclassifyError as error:
        session.say("failed", str(error))
