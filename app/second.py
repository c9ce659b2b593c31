"""The second read: the model's answer beside the reader's, and a verdict on each finding."""

import html
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from app import session
from app.blind import bare, words
from app.draft import Draft, comment_field, confidence_field
from app.text import apart, bar, plain
from medclassify.errors import MedclassifyError
from medclassify.records import Answer, Identity, Reading, ReviewItem, Verdict
from medclassify.review import Desk, answer_to

# C and R belong to Streamlit, and the viewer takes letters of its own.
_BUTTONS = (
    (Verdict.ACCEPT, "Accept", "A"),
    (Verdict.REJECT, "Reject", "X"),
    (Verdict.SUPPLEMENT, "Supplement", "N"),
    (Verdict.UNSURE, "Unsure", "U"),
)
_TARGETS = {1: "present", 0: "absent", -1: "uncertain"}
_SETS = {
    "present": "conformal set: present",
    "absent": "conformal set: absent",
    "refer": "REFER: a person must decide",
    "none": "REFER: unlike the cases it was calibrated on",
}


def show_findings(
    desk: Desk,
    items: Sequence[ReviewItem],
    rows: pd.DataFrame,
    chosen: str | None,
    choose: Callable[[str], None],
    reading: Reading | None = None,
) -> None:
    """Shows one row a finding: probability against threshold, what was called, and what the reader has said.

    Args:
        desk: For doubts about a finding.
        items: What the model says, revealed.
        rows: The sample's rows of the predictions table.
        chosen: The finding under judgement.
        choose: Called with a finding that is chosen instead.
        reading: The reader's own; None for somebody who only looks.
    """
    facts = rows.set_index("finding")
    first = {answer.finding: answer for answer in reading.first} if reading else {}
    second = {answer.finding: answer for answer in reading.second} if reading else {}
    with st.container(key="findings", gap="xsmall"):
        for item in items:
            _show_row(
                desk,
                item,
                facts.loc[item.finding],
                first.get(item.finding),
                second.get(item.finding),
                reading is not None,
                chosen,
                choose,
            )
        for answer in second.values():
            if answer.finding not in facts.index:
                st.markdown(f"**{plain(answer.finding)}** · added by you: present, {answer.confidence} % sure")
    st.toggle("Show reference label", key=session.TARGET, help="Hidden until you ask, so that it does not lead your eye.")


def _show_row(
    desk: Desk,
    item: ReviewItem,
    facts: pd.Series,
    first: Answer | None,
    second: Answer | None,
    judging: bool,
    chosen: str | None,
    choose: Callable[[str], None],
) -> None:
    name, probability, said = st.columns([1.3, 1.8, 1.1], vertical_alignment="center", gap="small")
    name.button(
        plain(item.finding),
        key=f"choose/second/{item.finding}",
        type="primary" if item.finding == chosen else "secondary",
        width="stretch",
        on_click=choose,
        args=(item.finding,),
    )
    call = '<span class="mc-called">POSITIVE</span>' if item.decision else '<span class="mc-dim">negative</span>'
    value, mark = apart(item.probability, item.threshold)
    doubt = '<span class="mc-called">doubtful</span> ' if desk.run.doubts.get(item.finding) else ""
    probability.html(
        f'<div class="mc-line"><span><b>{value}</b>{_interval(facts)} {call}</span>'
        f'<span>{doubt}<span class="mc-dim">threshold {mark}</span></span></div>'
        + bar(item.probability, item.threshold, called=item.decision)
        + _set(facts)
    )
    lines = [f'<span><span class="mc-dim">first</span> {words(bare(first), short=True)}</span>'] if first else []
    lines.append(f"<b>{second.verdict}</b>" if second else '<span class="mc-dim">not judged</span>' if judging else "")
    if session.target_shown():
        lines.append(f'<span class="mc-dim">label: {_target_word(facts["target"])}</span>')
    said.html(f'<div class="mc-said">{"<br>".join(lines)}</div>')


def _interval(facts: pd.Series) -> str:
    if "prob_low" not in facts or pd.isna(facts["prob_low"]) or pd.isna(facts["prob_high"]):
        return ""
    return f' <span class="mc-dim">({100 * facts["prob_low"]:.0f}–{100 * facts["prob_high"]:.0f} %)</span>'


def _set(facts: pd.Series) -> str:
    found = facts.get("conformal_set")
    if found is None or pd.isna(found):
        return ""
    tone = "mc-called" if found in ("refer", "none") else "mc-dim"
    return f'<div class="mc-said {tone}">{html.escape(_SETS.get(str(found), str(found)))}</div>'


def _target_word(target: object) -> str:
    return "not labelled" if pd.isna(target) else _TARGETS.get(int(float(str(target))), "uncertain")


def choose_first(items: Sequence[ReviewItem], reading: Reading, draft: Draft) -> str | None:
    """The finding under judgement: what was chosen, else the one without a verdict that lies nearest to its threshold."""
    judged = {answer.finding for answer in reading.second}
    if draft.chosen is None:
        left = [item for item in items if item.finding not in judged]
        if left:
            draft.choose(min(left, key=lambda item: abs(item.probability - item.threshold)).finding)
    return draft.chosen


def show_verdict(
    desk: Desk, who: Identity, reading: Reading, items: Sequence[ReviewItem], draft: Draft, chosen: str | None
) -> None:
    """Asks for a verdict on the chosen finding."""
    judged = {answer.finding for answer in reading.second}
    left = tuple(item for item in items if item.finding not in judged)
    if chosen is None:
        st.success("All findings are judged. Go on with Next (→), or choose a finding to judge it again.")
        return
    item = next(item for item in items if item.finding == chosen)
    before = next((answer.confidence for answer in reading.first if answer.finding == chosen), 50)
    value, mark = apart(item.probability, item.threshold)
    compared = f"{value} {'≥' if item.decision else '<'} {mark}"
    if item.probability == item.threshold:
        compared = f"{value}, exactly its threshold"
    call = "POSITIVE" if item.decision else "negative"
    st.markdown(f"**{plain(chosen)}** is called **{call}** ({compared}). Do you agree?")
    sure, comment = st.columns([1, 1.7], gap="small")
    with sure:
        confidence = confidence_field(draft, reading.sample_id, chosen, "second", default=before)
    with comment:
        comment_field(draft, reading.sample_id, chosen, "second")
    with st.container(horizontal=True, gap="xsmall"):
        for verdict, label, shortcut in _BUTTONS:
            st.button(
                label,
                key=f"verdict/{verdict.value}/{reading.sample_id}/{chosen}",  # a late click must not land on the next finding
                shortcut=shortcut,
                on_click=_give,
                args=(desk, who, reading, items, (item,), draft, verdict, confidence),
                help="The call stands, and you add to it: a comment or a mark." if verdict is Verdict.SUPPLEMENT else None,
            )
    if len(left) > 1:
        st.button(
            f"Accept the {len(left)} not judged",
            key=f"verdict/rest/{reading.sample_id}",
            shortcut="Shift+A",
            width="stretch",
            help="Agrees with the model on each finding you have not judged, as sure as you were in your first read.",
            on_click=_give,
            args=(desk, who, reading, items, left, draft, Verdict.ACCEPT, None),
        )


def _give(
    desk: Desk,
    who: Identity,
    reading: Reading,
    items: Sequence[ReviewItem],
    judged: tuple[ReviewItem, ...],
    draft: Draft,
    verdict: Verdict,
    confidence: int | None,
) -> None:
    before: Mapping[str, int] = {answer.finding: answer.confidence for answer in reading.first}
    answers = [
        answer_to(
            item,
            verdict,
            confidence=int(draft.of(item.finding).get("confidence", before.get(item.finding, 50)))
            if confidence is None
            else confidence,
            comment=draft.of(item.finding).get("comment", ""),
            marks=draft.marks(item.finding),
        )
        for item in judged
    ]
    try:
        after = desk.answer(who, reading, answers, seconds=draft.seconds(), shown=session.shown(reading.sample_id))
    except MedclassifyError as error:
        session.say("failed", str(error))  # the draft stays
        return
    draft.sent([item.finding for item in judged])
    done = {answer.finding for answer in after.second}
    names = [item.finding for item in items]
    start = names.index(judged[-1].finding) + 1
    draft.choose(next((name for name in names[start:] + names[:start] if name not in done), None))
    told = judged[0].finding if len(judged) == 1 else f"{len(judged)} findings"
    session.say("stored", f"Stored: {verdict.value} · {told}")


def show_added(desk: Desk, who: Identity, reading: Reading, draft: Draft) -> None:
    """Lets the reader add a finding that the model does not know."""
    with st.expander("Add a finding that the model does not know"):
        name = st.text_input("Finding", key=f"added/{reading.sample_id}", max_chars=200)
        comment = st.text_input("What you see", key=f"added_words/{reading.sample_id}", max_chars=2000)

        def add() -> None:
            from medclassify.records import Presence

            answer = Answer(name.strip(), Presence.PRESENT, 80, Verdict.SUPPLEMENT, comment, draft.marks(name.strip()))
            try:
                desk.answer(who, reading, [answer], seconds=draft.seconds(), shown=session.shown(reading.sample_id))
            except MedclassifyError as error:
                session.say("failed", str(error))
                return
            session.say("stored", f"Stored: supplement · {name}")

        st.button("Add", key=f"add/{reading.sample_id}", disabled=not name.strip() or not comment.strip(), on_click=add)


def show_history(reading: Reading) -> None:
    """Shows the reader's own second read; comments as plain text."""
    if not reading.second:
        return
    title, commented = f"Your answers on this sample ({len(reading.second)})", any(answer.comment for answer in reading.second)
    with st.expander(title, expanded=commented), st.container(key="decisions", gap="xsmall"):
        for answer in reading.second:
            marks = f" · {len(answer.marks)} marked" if answer.marks else ""
            verdict = answer.verdict.value if answer.verdict else ""
            st.markdown(f"**{verdict}** · {plain(answer.finding)}: {answer.presence.value}, {answer.confidence} % sure{marks}")
            if answer.comment:
                st.text(answer.comment)
