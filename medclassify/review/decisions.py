"""Verdicts as version 0.1.0 gave them, without a blind first read: they stay readable, as events of the kind ``verdict``."""

import json
from datetime import UTC, datetime

from medclassify.errors import ReviewError
from medclassify.records import ReviewDecision, ReviewEvent, Verdict
from medclassify.review.text import check_comment

KIND = "verdict"


def to_decision(event: ReviewEvent) -> ReviewDecision:
    """An event of the kind ``verdict`` as the decision it was."""
    body = json.loads(event.body)
    return ReviewDecision(
        sample_id=event.sample_id,
        finding=body["finding"],
        reader=event.reader,
        verdict=Verdict(body["verdict"]),
        comment=body["comment"],
        decided_at=datetime.fromisoformat(body["decided_at"]),
        item_fingerprint=body["item_fingerprint"],
        shown=tuple(json.loads(body["shown"])),
    )


def to_body(decision: ReviewDecision) -> dict[str, str]:
    """The body of the event that a decision becomes.

    Raises:
        ReviewError: It is not well-formed: a blank, no time zone, or a comment that cannot be stored.
    """
    check_comment(decision.comment)
    for name in ("sample_id", "finding", "item_fingerprint"):
        if not getattr(decision, name).strip():
            raise ReviewError(f"{name}: blank, so the decision cannot be stored. Every decision names its {name}.")
    if decision.decided_at.tzinfo is None:
        raise ReviewError(f"decided_at: {decision.decided_at.isoformat()} has no time zone. Give the time in UTC.")
    return {
        "finding": decision.finding,
        "verdict": Verdict(decision.verdict).value,
        "comment": decision.comment,
        "decided_at": decision.decided_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "item_fingerprint": decision.item_fingerprint,
        "shown": json.dumps(decision.shown),
    }
