"""What a reader is shown, and what a reader says."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """A reader's judgement on what the model called, for one finding of one sample."""

    ACCEPT = "accept"
    REJECT = "reject"
    SUPPLEMENT = "supplement"
    """The call stands, and the reader adds to it; or a finding is added that the model does not know."""
    UNSURE = "unsure"


class Presence(StrEnum):
    """A reader's own call on one finding of one sample."""

    PRESENT = "present"
    ABSENT = "absent"
    UNSURE = "unsure"


class ReadingState(StrEnum):
    """How far one reader is with one sample; the order is the only order there is."""

    UNREAD = "unread"
    OPENED = "opened"
    """The image is before the reader, the model's answer is not."""
    LOCKED = "locked"
    """The blind first read is stored and can no longer be changed."""
    REVEALED = "revealed"
    """The model's answer has been shown."""
    DONE = "done"
    """Every finding has its second read."""


class Role(StrEnum):
    """What an account may do; one account may have several."""

    READER = "reader"
    """Reads its own queue."""
    ADJUDICATOR = "adjudicator"
    """Settles what two readers left in dispute."""
    AUDITOR = "auditor"
    """Sees every reading and the log, and changes nothing."""
    ADMIN = "admin"
    """Makes accounts, assigns samples, exports."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is at the page.

    Attributes:
        name: The account's name, or what the reader typed where there are no accounts.
        roles: What they may do.
        method: How they are known: ``password``, ``oidc``, or ``named`` (nobody checked).
    """

    name: str
    roles: frozenset[Role]
    method: str


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
class Mark:
    """A box or a point in an image.

    Attributes:
        x: Left edge in pixels of the original image; 0 is the left edge of the first column.
        y: Upper edge in pixels of the original image; 0 is the upper edge of the first row.
        width: In pixels; 0 for a point.
        height: In pixels; 0 for a point.
        frame: Which image of a stack, from 0.
    """

    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader says about one finding, at one of the two reads.

    Attributes:
        finding: The finding.
        presence: The reader's own call.
        confidence: In that call, a whole number of per cent, 0 to 100.
        verdict: On the model's call; None in the blind first read.
        comment: Free text, or "".
        marks: Where it is.
    """

    finding: str
    presence: Presence
    confidence: int
    verdict: Verdict | None = None
    comment: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader's reading of one sample, as far as it has come.

    Attributes:
        sample_id: The sample.
        reader: Who reads.
        state: How far.
        item: SHA-256 over the fingerprints of the sample's items: what is read, and by which model it was scored.
        version: Number of its last event, 0 before the first; a step is refused where another one came between.
        opened_at: UTC; None while unread.
        first: The blind first read, in table order.
        second: The second read: the latest answer on each finding.
        first_seconds: What the page counted for the first read.
        second_seconds: What it counted since the reveal, revisions included.
        shown: What the reader has seen, e.g. ``("image", "probability", "saliency")``.
    """

    sample_id: str
    reader: str
    state: ReadingState
    item: str
    version: int
    opened_at: datetime | None = None
    first: tuple[Answer, ...] = ()
    second: tuple[Answer, ...] = ()
    first_seconds: float = 0.0
    second_seconds: float = 0.0
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adjudication:
    """How a dispute between the readers of a sample was settled.

    Attributes:
        sample_id: The sample.
        adjudicator: Who settled it.
        item: As of `Reading`.
        version: Number of its event.
        answers: One for each finding in dispute.
        decided_at: UTC.
    """

    sample_id: str
    adjudicator: str
    item: str
    version: int
    answers: tuple[Answer, ...]
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """One line of the review store. Lines are only ever added.

    Attributes:
        number: 1, 2, 3 …, without gaps.
        kind: What happened, e.g. ``opened`` or ``locked``.
        at: UTC, by the clock of the machine that stored it.
        reader: Whose doing.
        sample_id: The sample, or "" where it is about none.
        item: As of `Reading`, or "".
        body: The rest, as JSON with sorted keys.
        previous: The hash of the line before; 64 zeros for the first.
        hash: SHA-256 over all of the above, hex.
    """

    number: int
    kind: str
    at: str
    reader: str
    sample_id: str
    item: str
    body: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """A verdict as version 0.1.0 stored it, without a blind first read.

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
