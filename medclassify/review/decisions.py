"""Verdicts as version 0.1.0 gave them, without a blind first read: they stay readable, as events of the kind ``verdict``."""

import json
from datetime import datetime

from medclassify.records import ReviewDecision, ReviewEvent, Verdict

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
