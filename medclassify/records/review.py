"""What a reader is shown, and what a reader says."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """A reader's judgement on one finding of one sample."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One finding of one sample, as put before a reader.

    Attributes:
        sample_id: The sample.
        finding: The finding.
        probability: Calibrated probability in [0, 1].
        threshold: The frozen operating point.
        decision: probability ≥ threshold.
        fingerprint: SHA-256 over all of the above and the model's fingerprint.
    """

    sample_id: str
    finding: str
    probability: float
    threshold: float
    decision: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """One appended line of the review store.

    Attributes:
        sample_id: The sample.
        finding: The finding.
        reader: Who read it.
        verdict: Whether the reader agrees with the model's decision.
        comment: Free text, or "".
        decided_at: UTC.
        item_fingerprint: The fingerprint of the item that was read.
        shown: What the reader had seen, e.g. ``("image", "probability", "saliency")``.
    """

    sample_id: str
    finding: str
    reader: str
    verdict: Verdict
    comment: str
    decided_at: datetime
    item_fingerprint: str
    shown: tuple[str, ...]
