"""What the reader says about a finding, and what the reader has said before."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from app import session
from app.text import apart, plain
from medclassify.errors import MedclassifyError
from medclassify.records import ReviewDecision, ReviewItem, Verdict
from medclassify.review import MAX_COMMENT, ReviewStore

# C and R belong to Streamlit.
_BUTTONS = (
    (Verdict.ACCEPT, "Accept", "A", ":material/check:"),
    (Verdict.REJECT, "Reject", "X", ":material/close:"),
    (Verdict.UNSURE, "Unsure", "U", ":material/question_mark:"),
)


def show_verdict(
    store: ReviewStore,
    items: tuple[ReviewItem, ...],
    chosen: str | None,
    verdicts: Mapping[str, str],
    doubts: Mapping[str, tuple[str, ...]],
) -> None:
    """Asks for a verdict on the chosen finding.

    Args:
        store: Where verdicts go.
        items: The sample's items.
        chosen: The finding under judgement; None once all are judged.
        verdicts: The reader's verdict by finding, where there is one.
        doubts: Why a finding's probability or threshold should be doubted.
    """
    if chosen is None:
        st.success("All findings of this sample are judged. Go on with Next (→), or choose a finding to judge it again.")
        return
    item = next(item for item in items if item.finding == chosen)
    value, mark = apart(item.probability, item.threshold)
    compared = f"{value} {'≥' if item.decision else '<'} {mark}"
    if item.probability == item.threshold:
        compared = f"{value}, exactly its threshold"
    call = "POSITIVE" if item.decision else "negative"
    st.markdown(f"**{plain(chosen)}**: the model calls it **{call}** ({compared}). Do you agree?")
    for doubt in doubts.get(chosen, ()):
        st.caption(f":material/warning: {plain(doubt)}")
    comment = f"{session.COMMENT}{item.sample_id}/{chosen}"
    st.text_area(
        "Comment",
        key=comment,
        max_chars=MAX_COMMENT,
        height=68,
        label_visibility="collapsed",
        placeholder="Comment (stored with your verdict). Leave patients' names out.",
    )
    nobody = not session.reader()
    for place, (verdict, label, shortcut, icon) in zip(st.columns(3), _BUTTONS, strict=True):
        place.button(
            label,
            key=f"verdict/{verdict.value}/{item.sample_id}/{chosen}",  # a late click must not land on the next finding's button
            icon=icon,
            shortcut=shortcut,
            width="stretch",
            disabled=nobody,
            on_click=_give,
            args=(store, items, (item,), chosen, verdict, comment, verdicts),
        )
    left = tuple(other for other in items if other.finding not in verdicts)
    if len(left) > 1:
        st.button(
            f"Accept the {len(left)} not judged",
            key=f"verdict/rest/{item.sample_id}",
            shortcut="Shift+A",
            width="stretch",
            disabled=nobody,
            help="Agrees with the model on each finding you have not judged; one decision is stored for each.",
            on_click=_give,
            args=(store, items, left, chosen, Verdict.ACCEPT, None, verdicts),
        )
    if nobody:
        st.info("Enter your name or initials at the top right; verdicts are stored under it.")


def _give(
    store: ReviewStore,
    items: tuple[ReviewItem, ...],
    judged: tuple[ReviewItem, ...],
    chosen: str,
    verdict: Verdict,
    comment: str | None,
    verdicts: Mapping[str, str],
) -> None:
    if session.chosen_finding() != chosen:
        return  # the second half of a double click: the first has been stored, and the page has gone on
    now = datetime.now(UTC)
    words = st.session_state.get(comment, "") if comment else ""
    decisions = [
        ReviewDecision(
            sample_id=item.sample_id,
            finding=item.finding,
            reader=session.reader(),
            verdict=verdict,
            comment=words,
            decided_at=now,
            item_fingerprint=item.fingerprint,
            shown=session.shown(item.sample_id, item.finding),
        )
        for item in judged
    ]
    try:
        store.append_all(decisions)
    except MedclassifyError as error:
        session.say("failed", str(error))  # the comment stays in its field
        return
    if comment:
        st.session_state[comment] = ""
    session.say("stored", f"Stored: {verdict.value} · {judged[0].finding if len(judged) == 1 else f'{len(judged)} findings'}")
    session.go_on(items, {*verdicts, *(item.finding for item in judged)}, judged[-1].finding)


def show_history(own: Sequence[ReviewDecision]) -> None:
    """Shows the current reader's own decisions on a sample, latest first; comments as plain text."""
    if not own:
        return
    title, commented = f"Your decisions on this sample ({len(own)})", any(decision.comment for decision in own)
    with st.expander(title, expanded=commented), st.container(key="decisions", gap="xsmall"):
        for decision in reversed(own):
            when = decision.decided_at.strftime("%Y-%m-%d %H:%M UTC")
            st.markdown(f"**{decision.verdict.value}** · {plain(decision.finding)} · {when}")
            if decision.comment:
                st.text(decision.comment)
