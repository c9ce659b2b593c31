"""The hash chain: each line holds the SHA-256 of its content and of the line before, so that none can change unseen."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from medclassify.records import ReviewEvent

FIRST = "0" * 64
"""What the first line names as the hash before it."""


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What a check of the chain found.

    Attributes:
        count: Lines that were read, up to the break.
        head: Hash of the last good line. Lines cut off at the end leave a good chain with another head: keep it elsewhere.
        broken: Where and how the chain breaks, in one line; "" where it does not.
    """

    count: int
    head: str
    broken: str


def event_hash(number: int, kind: str, at: str, reader: str, sample_id: str, item: str, body: str, previous: str) -> str:
    """SHA-256 of one line, hex. Stores depend on this form: it must never change."""
    content = json.dumps([number, kind, at, reader, sample_id, item, body, previous], separators=(",", ":"))
    return hashlib.sha256(content.encode("ascii")).hexdigest()


def link(number: int, kind: str, at: str, reader: str, sample_id: str, item: str, body: str, previous: str) -> ReviewEvent:
    """A line that continues the chain after ``previous``."""
    found = event_hash(number, kind, at, reader, sample_id, item, body, previous)
    return ReviewEvent(number, kind, at, reader, sample_id, item, body, previous, found)


def check_chain(events: Iterable[ReviewEvent]) -> ChainCheck:
    """Follows the chain from its first line to its end, or to where it breaks.

    Args:
        events: All lines, in the order of their numbers.
    """
    count, head = 0, FIRST
    for event in events:
        broken = _broken(event, count + 1, head)
        if broken:
            return ChainCheck(count, head, broken)
        count, head = event.number, event.hash
    return ChainCheck(count, head, "")


def _broken(event: ReviewEvent, number: int, previous: str) -> str:
    if event.number != number:
        return f"line {number} is missing: line {event.number} follows line {number - 1}"
    if event.previous != previous:
        return f"line {number} does not follow line {number - 1}: another one stood before it"
    found = event_hash(
        event.number, event.kind, event.at, event.reader, event.sample_id, event.item, event.body, event.previous
    )
    return "" if found == event.hash else f"line {number} was changed after it was stored"
