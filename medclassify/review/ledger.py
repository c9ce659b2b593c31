"""What the events add up to: readings, assignments and adjudications. Only events that are new since the last look are read."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from medclassify.records import Adjudication, Answer, Reading, ReadingState, ReviewEvent
from medclassify.review.protocol import answer_from_json


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to read a sample, and how soon: a higher priority comes first."""

    readers: tuple[str, ...]
    priority: int


@dataclass(frozen=True, slots=True)
class Step:
    """The last step of a reading: what was sent, and on which version. The same one sent again is the same one."""

    kind: str
    before: int
    answers: list[dict[str, Any]]


class Ledger:
    """Folds events, in their order, into the present state.

    Attributes:
        last: Number of the last event that has been folded in.
        readings: By sample, then reader, the latest reading; of the item that it was begun on.
        of_reader: The same, by reader, then sample.
        steps: By (sample, reader), its last step.
        assignments: By sample.
        adjudications: By sample, the latest.
        saw_others: (sample, reader) who have been shown the others' readings.
        readings_changed: Number of the last event that changed a reading.
        assignments_changed: Number of the last event that changed an assignment.
    """

    def __init__(self) -> None:
        self.last = 0
        self.readings: dict[str, dict[str, Reading]] = {}
        self.of_reader: dict[str, dict[str, Reading]] = {}
        self.steps: dict[tuple[str, str], Step] = {}
        self.assignments: dict[str, Assignment] = {}
        self.adjudications: dict[str, Adjudication] = {}
        self.saw_others: set[tuple[str, str]] = set()
        self.readings_changed = 0
        self.assignments_changed = 0

    def reading(self, sample_id: str, reader: str, item: str) -> Reading:
        """One reader's reading of exactly this item; unread where it was of another one."""
        found = self.readings.get(sample_id, {}).get(reader)
        if found is not None and found.item == item:
            return found
        return Reading(sample_id, reader, ReadingState.UNREAD, item, 0)

    def of_sample(self, sample_id: str, item: str) -> tuple[Reading, ...]:
        """All readings of exactly this item, by reader's name."""
        found = self.readings.get(sample_id, {}).copy()  # another thread may add one meanwhile
        return tuple(reading for _, reading in sorted(found.items()) if reading.item == item)

    def adjudication(self, sample_id: str, item: str) -> Adjudication | None:
        """How the dispute about exactly this item was settled."""
        found = self.adjudications.get(sample_id)
        return found if found is not None and found.item == item else None

    def is_for(self, sample_id: str, reader: str) -> bool:
        """Whether a reader may read a sample: anyone may as long as nothing has been assigned to anyone."""
        if not self.assignments:
            return True
        assigned = self.assignments.get(sample_id)
        return assigned is not None and (not assigned.readers or reader in assigned.readers)

    def disputed(self, sample_id: str, item: str, findings: Sequence[str]) -> tuple[str, ...]:
        """The findings on which finished readings end with different calls; none while an assigned one is missing."""
        done = [reading for reading in self.of_sample(sample_id, item) if reading.state is ReadingState.DONE]
        assigned = self.assignments.get(sample_id, Assignment((), 0)).readers
        if len(done) < 2 or set(assigned) - {reading.reader for reading in done}:
            return ()
        calls = [{answer.finding: answer.presence for answer in reading.second} for reading in done]
        return tuple(name for name in findings if len({call[name] for call in calls}) > 1)

    def fold(self, events: Iterable[ReviewEvent]) -> None:
        """Takes in the events that follow `last`."""
        for event in events:
            fold = _FOLDS.get(event.kind)
            if fold is not None:
                fold(self, event, json.loads(event.body))
            self.last = event.number

    def _step(self, event: ReviewEvent, body: Mapping[str, Any]) -> None:
        before = self.reading(event.sample_id, event.reader, event.item)
        after = replace(_CHANGES[event.kind](before, event, body), version=event.number)
        self.readings.setdefault(event.sample_id, {})[event.reader] = after
        self.of_reader.setdefault(event.reader, {})[event.sample_id] = after
        self.steps[event.sample_id, event.reader] = Step(event.kind, before.version, body.get("answers", []))
        self.readings_changed = event.number

    def _assigned(self, event: ReviewEvent, body: Mapping[str, Any]) -> None:
        assignment = Assignment(tuple(body["readers"]), body["priority"])
        self.assignments.update(dict.fromkeys(body["samples"], assignment))
        self.assignments_changed = event.number

    def _adjudicated(self, event: ReviewEvent, body: Mapping[str, Any]) -> None:
        answers = tuple(answer_from_json(answer) for answer in body["answers"])
        decided_at = datetime.fromisoformat(event.at)
        self.adjudications[event.sample_id] = Adjudication(
            event.sample_id, event.reader, event.item, event.number, answers, decided_at
        )
        self.readings_changed = event.number

    def _others_shown(self, event: ReviewEvent, body: Mapping[str, Any]) -> None:
        self.saw_others.add((event.sample_id, event.reader))


def _opened(reading: Reading, event: ReviewEvent, body: Mapping[str, Any]) -> Reading:
    return replace(reading, state=ReadingState.OPENED, opened_at=datetime.fromisoformat(event.at))


def _locked(reading: Reading, event: ReviewEvent, body: Mapping[str, Any]) -> Reading:
    answers = tuple(answer_from_json(answer) for answer in body["answers"])
    return replace(reading, state=ReadingState.LOCKED, first=answers, first_seconds=body["seconds"])


def _revealed(reading: Reading, event: ReviewEvent, body: Mapping[str, Any]) -> Reading:
    return replace(reading, state=ReadingState.REVEALED)


def _answered(reading: Reading, event: ReviewEvent, body: Mapping[str, Any]) -> Reading:
    return replace(
        reading,
        state=ReadingState(body["state"]),
        second=merged(reading.second, tuple(answer_from_json(answer) for answer in body["answers"])),
        second_seconds=reading.second_seconds + body["seconds"],
        shown=tuple(dict.fromkeys([*reading.shown, *body["shown"]])),
    )


def merged(before: tuple[Answer, ...], new: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """The latest answer on each finding, in the order in which findings were first answered."""
    return tuple({answer.finding: answer for answer in (*before, *new)}.values())


_CHANGES: dict[str, Callable[[Reading, ReviewEvent, Mapping[str, Any]], Reading]] = {
    "opened": _opened,
    "locked": _locked,
    "revealed": _revealed,
    "answered": _answered,
}
_FOLDS: dict[str, Callable[[Ledger, ReviewEvent, Mapping[str, Any]], None]] = {
    **dict.fromkeys(_CHANGES, Ledger._step),
    "assigned": Ledger._assigned,
    "adjudicated": Ledger._adjudicated,
    "others_shown": Ledger._others_shown,
}
