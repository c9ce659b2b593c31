"""What a reader has said of a sample and not yet sent: in the session and in the store, so that a refresh loses nothing."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import streamlit as st

from app import session
from app.viewer import Marking
from medclassify.errors import MedclassifyError
from medclassify.records import Answer, Identity, Mark, Presence
from medclassify.review import MAX_COMMENT, Desk

COMMENT = "comment/"
CONFIDENCE = "confidence/"


class Draft:
    """The unsent answers of one reader on one sample, at one of the two reads.

    Args:
        desk: Where it is kept.
        who: The reader.
        sample_id: The sample.
        stage: ``first`` or ``second``; a draft of the other stage is not looked at.
    """

    def __init__(self, desk: Desk, who: Identity, sample_id: str, stage: str) -> None:
        self._desk, self._who, self._sample, self._stage = desk, who, sample_id, stage
        key = f"draft/{stage}/{sample_id}"
        if key not in st.session_state:
            kept = desk.draft(who, sample_id)
            st.session_state[key] = kept if kept.get("stage") == stage else {"stage": stage, "answers": {}, "seconds": 0.0}
            st.session_state[key]["since"] = time.monotonic()
        self._body: dict[str, Any] = st.session_state[key]
        self._key = key

    @property
    def findings(self) -> list[str]:
        """The findings of which anything has been said."""
        return list(self._body["answers"])

    @property
    def chosen(self) -> str | None:
        """The finding under judgement."""
        return self._body.get("chosen")

    def choose(self, finding: str | None) -> None:
        """Puts a finding under judgement."""
        self._body["chosen"] = finding

    def of(self, finding: str) -> dict[str, Any]:
        """What has been said of a finding: ``presence, confidence, comment, marks``, as far as it has been."""
        return self._body["answers"].get(finding, {})

    def say(self, finding: str, **said: Any) -> None:
        """Says something of a finding, and keeps it."""
        self._body["answers"].setdefault(finding, {}).update(said)
        self.keep()

    def add_mark(self, finding: str, mark: Mapping[str, Any]) -> None:
        """Adds a box or a point."""
        kept = {name: float(mark[name]) for name in ("x", "y", "width", "height")}
        self.say(finding, marks=[*self.of(finding).get("marks", []), {**kept, "frame": int(mark["frame"])}])

    def undo_mark(self, finding: str) -> None:
        """Takes the last mark of a finding back."""
        self.say(finding, marks=self.of(finding).get("marks", [])[:-1])

    def marks(self, finding: str) -> tuple[Mark, ...]:
        """The marks of a finding."""
        return tuple(Mark(**mark) for mark in self.of(finding).get("marks", []))

    def seconds(self) -> float:
        """How long the reader has been at this stage, over all visits."""
        now = time.monotonic()
        self._body["seconds"] += now - self._body["since"]
        self._body["since"] = now
        return float(self._body["seconds"])

    def keep(self) -> None:
        """Stores it as a draft; that the store does not take it is said at once."""
        self.seconds()
        try:
            self._desk.keep_draft(self._who, self._sample, {key: self._body[key] for key in self._body if key != "since"})
        except MedclassifyError as error:
            session.say("failed", f"What you said is on this page alone: {error}")

    def sent(self, findings: list[str]) -> None:
        """Forgets what was sent of some findings; the clock begins anew."""
        for finding in findings:
            self._body["answers"].pop(finding, None)
            st.session_state.pop(f"{COMMENT}{self._stage}/{self._sample}/{finding}", None)
        self._body["seconds"] = 0.0

    def forget(self) -> None:
        """Forgets it, once it has been sent."""
        st.session_state.pop(self._key, None)

    def answer(self, finding: str) -> Answer | None:
        """The finding's answer in the first read; None while it has no call."""
        said = self.of(finding)
        if "presence" not in said:
            return None
        return Answer(
            finding,
            Presence(said["presence"]),
            int(said["confidence"]),
            comment=said.get("comment", ""),
            marks=self.marks(finding),
        )


def marking(draft: Draft | None, findings: tuple[str, ...], stored: tuple[Answer, ...]) -> Marking:
    """What stands on the image: the draft's marks and those that are stored."""
    marks = [{**asdict(mark), "label": answer.finding, "own": False} for answer in stored for mark in answer.marks]
    if draft is None:
        return Marking(tuple(marks))
    own = [{**asdict(mark), "label": finding, "own": True} for finding in draft.findings for mark in draft.marks(finding)]

    def add(mark: Mapping[str, Any]) -> None:
        draft.add_mark(draft.chosen or findings[0], mark)

    def undo() -> None:
        last = draft.chosen if draft.chosen and draft.marks(draft.chosen) else None
        last = last or next((name for name in reversed(draft.findings) if draft.marks(name)), None)
        if last:
            draft.undo_mark(last)

    return Marking((*marks, *own), add, undo)


def comment_field(draft: Draft, sample_id: str, finding: str, stage: str) -> None:
    """The comment on a finding; kept as it is typed."""
    key = f"{COMMENT}{stage}/{sample_id}/{finding}"
    st.session_state.setdefault(key, draft.of(finding).get("comment", ""))

    def typed() -> None:
        draft.say(finding, comment=st.session_state[key])

    st.text_area(
        "Comment",
        key=key,
        max_chars=MAX_COMMENT,
        height=74,
        label_visibility="collapsed",
        placeholder="Comment (stored with your answer). Leave patients' names out.",
        on_change=typed,
    )


def confidence_field(draft: Draft, sample_id: str, finding: str, stage: str, *, default: int) -> int:
    """How sure the reader is, in per cent; what is shown is what is stored."""
    key = f"{CONFIDENCE}{stage}/{sample_id}/{finding}"
    st.session_state[key] = int(draft.of(finding).get("confidence", default))

    def moved() -> None:
        draft.say(finding, confidence=int(st.session_state[key]))

    return int(st.slider("Confidence (%)", 0, 100, step=5, key=key, on_change=moved))
