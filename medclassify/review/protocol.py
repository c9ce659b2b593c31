"""The reading protocol: a blind first read that is locked, then the reveal, then the second read.

A reading goes unread → opened → locked → revealed → done, and never back. What each step asks is checked here; `Desk` asks
within the transaction that stores the step, so that a page cannot get around it.

The order is that of a sequential reader study, unaided and then aided: without a locked first read the model's influence on
the reader cannot be told from agreement.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from medclassify.errors import NotAllowedError, ReviewError
from medclassify.records import Answer, Mark, Presence, Reading, ReadingState, ReviewItem, Verdict
from medclassify.review.text import check_comment, check_text

MAX_MARKS = 100
"""Boxes and points that one answer may hold."""
ORDER = tuple(ReadingState)


def reached(state: ReadingState, least: ReadingState) -> bool:
    """Whether a reading has come at least this far."""
    return ORDER.index(state) >= ORDER.index(least)


def require_state(reading: Reading, allowed: Sequence[ReadingState], step: str) -> None:
    """Refuses a step out of order.

    Raises:
        NotAllowedError: The reading is not in one of the allowed states.
    """
    if reading.state not in allowed:
        wanted = " or ".join(allowed)
        raise NotAllowedError(f"{reading.sample_id}: {step} comes when a reading is {wanted}; this one is {reading.state}.")


def presence_after(item: ReviewItem, verdict: Verdict) -> Presence:
    """The reader's call that follows from a verdict on the model's call."""
    if verdict is Verdict.UNSURE:
        return Presence.UNSURE
    stands = verdict is not Verdict.REJECT
    return Presence.PRESENT if item.decision == stands else Presence.ABSENT


def answer_to(item: ReviewItem, verdict: Verdict, *, confidence: int, comment: str = "", marks: Sequence[Mark] = ()) -> Answer:
    """A second read: a verdict on the model's call, and the reader's own call that follows from it."""
    return Answer(item.finding, presence_after(item, verdict), confidence, verdict, comment, tuple(marks))


def check_first(answers: Sequence[Answer], findings: Sequence[str]) -> None:
    """Checks a blind first read.

    Raises:
        ReviewError: A finding has no answer or two, or an answer is not well-formed or holds a verdict on a call that the
            reader cannot have seen.
    """
    _check_each(answers)
    named = [answer.finding for answer in answers]
    if sorted(named) != sorted(findings):
        lacking = [name for name in findings if name not in named] or [name for name in named if named.count(name) > 1]
        raise ReviewError(
            f"first read: {lacking[0] if lacking else named[-1]!r} has no answer or two, or is not one of the run's findings. "
            "Answer each finding once; unsure is an answer."
        )
    early = [answer.finding for answer in answers if answer.verdict is not None]
    if early:
        raise ReviewError(f"first read: {early[0]} has a verdict on the model's call, which has not been shown yet.")


def check_second(answers: Sequence[Answer], items: Sequence[ReviewItem]) -> None:
    """Checks a second read, of some or all findings.

    Raises:
        ReviewError: An answer stands twice, is not well-formed, has no verdict, contradicts its verdict, or supplements without
            saying what.
    """
    _check_each(answers)
    known = {item.finding: item for item in items}
    if not answers or len({answer.finding for answer in answers}) < len(answers):
        raise ReviewError("second read: each finding is answered once, and at least one of them.")
    for answer in answers:
        if answer.verdict is None:
            raise ReviewError(f"second read: {answer.finding} has no verdict. Accept, reject, supplement, or say unsure.")
        if answer.verdict is Verdict.SUPPLEMENT and not answer.comment.strip() and not answer.marks:
            raise ReviewError(f"second read: {answer.finding} is supplemented with nothing. Write a comment or mark the place.")
        if answer.finding not in known:
            if answer.verdict is not Verdict.SUPPLEMENT or answer.presence is not Presence.PRESENT:
                raise ReviewError(
                    f"second read: the model does not know {answer.finding!r}; it can only be supplemented, as present."
                )
        elif answer.presence is not presence_after(known[answer.finding], answer.verdict):
            raise ReviewError(f"second read: {answer.finding}: {answer.verdict} and {answer.presence} contradict each other.")


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """An answer as it is stored in an event."""
    return {
        "finding": answer.finding,
        "presence": answer.presence.value,
        "confidence": answer.confidence,
        "verdict": None if answer.verdict is None else answer.verdict.value,
        "comment": answer.comment,
        "marks": [[mark.x, mark.y, mark.width, mark.height, mark.frame] for mark in answer.marks],
    }


def answer_from_json(stored: Mapping[str, Any]) -> Answer:
    """The answer that `answer_to_json` stored."""
    return Answer(
        finding=stored["finding"],
        presence=Presence(stored["presence"]),
        confidence=stored["confidence"],
        verdict=None if stored["verdict"] is None else Verdict(stored["verdict"]),
        comment=stored["comment"],
        marks=tuple(Mark(*mark) for mark in stored["marks"]),
    )


def _check_each(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if not answer.finding.strip() or len(answer.finding) > 200:
            raise ReviewError("finding: a name of 1 to 200 characters is needed.")
        check_text("finding", answer.finding)
        check_comment(answer.comment)
        if isinstance(answer.confidence, bool) or not isinstance(answer.confidence, int) or not 0 <= answer.confidence <= 100:
            raise ReviewError(f"{answer.finding}: confidence is a whole number from 0 to 100, received {answer.confidence!r}.")
        if len(answer.marks) > MAX_MARKS:
            raise ReviewError(f"{answer.finding}: {len(answer.marks)} marks, and at most {MAX_MARKS} can be stored.")
        for mark in answer.marks:
            numbers = (mark.x, mark.y, mark.width, mark.height)
            if not all(math.isfinite(number) and number >= 0 for number in numbers) or mark.frame < 0:
                raise ReviewError(f"{answer.finding}: a mark lies outside the image ({mark}). Draw it again.")
