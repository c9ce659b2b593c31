"""The reading desk: every step of a reader goes through here, is checked against the protocol, and is stored with its time."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from medclassify.errors import NotAllowedError, ReviewError, StaleError
from medclassify.records import (
    Adjudication,
    Answer,
    Identity,
    Reading,
    ReadingState,
    ReviewEvent,
    ReviewItem,
    Role,
)
from medclassify.review.ledger import Ledger, merged
from medclassify.review.people import require_role
from medclassify.review.protocol import answer_to_json, check_first, check_second, require_state
from medclassify.review.samples import SampleIndex
from medclassify.review.source import ReviewRun
from medclassify.review.store import ReviewStore, Writer
from medclassify.review.text import check_reader

_WORDS = {"locked": "the blind first read", "revealed": "the reveal", "answered": "the second read"}
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class AdjudicationCase:
    """A dispute, as put before an adjudicator.

    Attributes:
        sample_id: The sample.
        readings: The finished readings.
        items: What the model said.
        disputed: The findings on which the readers' final calls differ.
        version: Number of the last event of the readings.
    """

    sample_id: str
    readings: tuple[Reading, ...]
    items: tuple[ReviewItem, ...]
    disputed: tuple[str, ...]
    version: int


class Desk:
    """Readers, samples and a store. One desk serves all sessions of a process.

    Args:
        run: What is read.
        store: Where each step goes.
        show_identity: The site allows that a patient's identity is shown.
    """

    def __init__(self, run: ReviewRun, store: ReviewStore, *, show_identity: bool = False) -> None:
        self.run = run
        self.store = store
        self.identity_allowed = show_identity
        self._lock = threading.RLock()
        self._ledger = Ledger()
        self.samples = SampleIndex(run)

    # --- a reader's own reading

    def reading(self, who: Identity, sample_id: str) -> Reading:
        """Where one's own reading of a sample stands.

        Raises:
            ReviewError: The run does not hold the sample, or the store cannot be read.
        """
        return self.ledger().reading(sample_id, who.name, self.item(sample_id))

    def open(self, who: Identity, sample_id: str) -> Reading:
        """Begins a reading, or goes on with it; call it before the image is shown.

        Raises:
            NotAllowedError: Not a reader, or the sample is assigned to others.
            ReviewError: The run does not hold the sample, or it cannot be stored.
        """
        require_role(who, Role.READER, to="read")
        reading = self.reading(who, sample_id)
        if reading.state is not ReadingState.UNREAD:
            return reading
        with self._writing() as (writer, ledger):
            reading = ledger.reading(sample_id, who.name, reading.item)
            if reading.state is ReadingState.UNREAD:  # else another window was faster
                if not ledger.is_for(sample_id, who.name):
                    raise NotAllowedError(f"{sample_id}: not assigned to {who.name}. Choose a sample from the worklist.")
                self._append(writer, "opened", who, reading, {})
        return self.reading(who, sample_id)

    def lock_first(self, who: Identity, reading: Reading, answers: Sequence[Answer], *, seconds: float) -> Reading:
        """Stores the blind first read for good.

        Args:
            who: The reader.
            reading: As last seen.
            answers: One a finding of the run, without verdicts.
            seconds: How long the reader took, by the page's count.

        Raises:
            ReviewError: An answer is missing or not well-formed, or it cannot be stored.
            NotAllowedError: The first read is already locked.
            StaleError: The reading has moved on meanwhile.
        """
        check_first(answers, self.run.findings)
        body = {"answers": [answer_to_json(answer) for answer in answers], "seconds": _seconds(seconds)}
        return self._step(who, reading, "locked", (ReadingState.OPENED,), body)

    def reveal(self, who: Identity, reading: Reading) -> tuple[Reading, tuple[ReviewItem, ...]]:
        """Shows the model's answer, and notes that it was shown.

        Raises:
            NotAllowedError: The first read is not locked.
            StaleError: The reading has moved on meanwhile.
        """
        after = self._step(who, reading, "revealed", (ReadingState.LOCKED,), {})
        return after, self.items(who, reading.sample_id)

    def items(self, who: Identity, sample_id: str) -> tuple[ReviewItem, ...]:
        """What the model says of a sample, once one may know.

        Raises:
            NotAllowedError: A reader who has not been shown it yet.
        """
        if Role.READER in who.roles:
            require_state(self.reading(who, sample_id), (ReadingState.REVEALED, ReadingState.DONE), "the model's answer")
        return self.samples.items(sample_id)

    def answer(
        self,
        who: Identity,
        reading: Reading,
        answers: Sequence[Answer],
        *,
        seconds: float,
        shown: Sequence[str] = (),
    ) -> Reading:
        """Stores a second read, of all findings or of some; a finding that was answered before is answered again.

        Args:
            who: The reader.
            reading: As last seen.
            answers: Of `answer_to`.
            seconds: How long the reader took since the step before, by the page's count.
            shown: What the reader has seen, e.g. ``("image", "probability", "saliency")``.

        Returns:
            The reading; done once every finding of the run has its answer.

        Raises:
            ReviewError: An answer is not well-formed, or it cannot be stored.
            NotAllowedError: The model's answer has not been revealed; or a finished reading would be changed after the others'
                readings were shown, or after adjudication.
            StaleError: The reading has moved on meanwhile.
        """
        check_second(answers, self.samples.items(reading.sample_id))
        answered = {answer.finding for answer in merged(reading.second, tuple(answers))}
        state = ReadingState.DONE if answered >= set(self.run.findings) else ReadingState.REVEALED
        body = {
            "answers": [answer_to_json(answer) for answer in answers],
            "seconds": _seconds(seconds),
            "shown": list(shown),
            "state": state.value,
        }
        return self._step(who, reading, "answered", (ReadingState.REVEALED, ReadingState.DONE), body)

    def draft(self, who: Identity, sample_id: str) -> dict[str, Any]:
        """What the reader had typed on a sample and not sent."""
        return self.store.draft(who.name, sample_id)

    def keep_draft(self, who: Identity, sample_id: str, body: Mapping[str, Any]) -> None:
        """Keeps what a reader has typed; it is forgotten when a step on the sample is stored."""
        self.store.keep_draft(who.name, sample_id, body)

    # --- others' readings

    def others(self, who: Identity, sample_id: str) -> tuple[Reading, ...]:
        """The others' finished readings of a sample. That they were shown is noted, and one's own is final from then on.

        Raises:
            NotAllowedError: A reader whose own reading is not done; or neither reader, adjudicator nor auditor.
        """
        found = [reading for reading in self.readings(who, sample_id) if reading.reader != who.name]
        if Role.READER in who.roles and (sample_id, who.name) not in self.ledger().saw_others:
            self.store.append("others_shown", who.name, _signed(who), sample_id=sample_id, item=self.item(sample_id))
        return tuple(found)

    def readings(self, who: Identity, sample_id: str) -> tuple[Reading, ...]:
        """All finished readings of a sample; one's own stands among them.

        Raises:
            NotAllowedError: As `others`.
        """
        if Role.READER in who.roles:
            require_state(self.reading(who, sample_id), (ReadingState.DONE,), "looking at the others' readings")
        else:
            require_role(who, Role.ADJUDICATOR, Role.AUDITOR, Role.ADMIN, to="see readings")
        readings = self.ledger().of_sample(sample_id, self.item(sample_id))
        return tuple(reading for reading in readings if reading.state is ReadingState.DONE)

    # --- adjudication

    def adjudication(self, who: Identity, sample_id: str) -> AdjudicationCase:
        """A dispute with all that belongs to it.

        Raises:
            NotAllowedError: Not an adjudicator, one of the readers, readings are still missing, or nothing is in dispute.
        """
        require_role(who, Role.ADJUDICATOR, to="adjudicate")
        return self._case(self.ledger(), who, sample_id)

    def adjudicate(self, who: Identity, case: AdjudicationCase, answers: Sequence[Answer], *, seconds: float) -> Adjudication:
        """Settles a dispute: the readings are final from then on.

        Args:
            who: The adjudicator.
            case: As last seen.
            answers: One for each finding in dispute.
            seconds: How long it took, by the page's count.

        Raises:
            NotAllowedError: As `adjudication`, or it is settled already.
            ReviewError: An answer is missing or not well-formed.
            StaleError: A reading has changed meanwhile.
        """
        require_role(who, Role.ADJUDICATOR, to="adjudicate")
        check_first(answers, case.disputed)
        item = self.item(case.sample_id)
        with self._writing() as (writer, ledger):
            now = self._case(ledger, who, case.sample_id)
            if now.version != case.version:
                raise StaleError(f"{case.sample_id}: a reading has changed meanwhile. Look at it again.")
            body = {"answers": [answer_to_json(answer) for answer in answers], "seconds": _seconds(seconds), **_signed(who)}
            writer.append("adjudicated", who.name, body, sample_id=case.sample_id, item=item)
        settled = self.ledger().adjudication(case.sample_id, item)
        assert settled is not None
        return settled

    # --- the site

    def assign(self, who: Identity, sample_ids: Sequence[str], readers: Sequence[str], *, priority: int = 0) -> None:
        """Says who reads samples. Once any sample is assigned, a queue holds only what is assigned to its reader.

        Args:
            who: An admin.
            sample_ids: The samples; what was said of them before is replaced.
            readers: Their names; nobody in particular (anyone may read it) where empty.
            priority: The higher, the sooner.

        Raises:
            NotAllowedError: Not an admin.
            ReviewError: The run does not hold a sample.
        """
        require_role(who, Role.ADMIN, to="assign samples")
        self.samples.require(sample_ids)
        for name in readers:
            check_reader(name)
        body = {"samples": list(sample_ids), "readers": list(readers), "priority": int(priority), **_signed(who)}
        self.store.append("assigned", who.name, body)

    def show_identity(self, who: Identity, sample_id: str) -> None:
        """Asks before a patient's identity is shown, and notes it.

        Raises:
            NotAllowedError: The site has not turned it on.
        """
        if not self.identity_allowed:
            raise NotAllowedError("patients' identities are not shown here. The site turns it on with: --show-phi")
        self.store.append("identity_shown", who.name, _signed(who), sample_id=sample_id, item=self.item(sample_id))

    def events(self, who: Identity, *, after: int = 0) -> list[ReviewEvent]:
        """The log, for auditors and admins who do not read.

        Raises:
            NotAllowedError: Somebody else.
        """
        require_role(who, Role.AUDITOR, Role.ADMIN, to="see the log")
        if Role.READER in who.roles:
            raise NotAllowedError(f"{who.name}: a reader does not see the log, which holds others' blind reads.")
        return self.store.events(after=after)

    # --- what the desk knows

    def ledger(self) -> Ledger:
        """The state after the last stored event."""
        with self._lock:
            self._ledger.fold(self.store.events(after=self._ledger.last))
            return self._ledger

    def item(self, sample_id: str) -> str:
        """SHA-256 over the fingerprints of a sample's items: what a reading of it is tied to.

        Raises:
            ReviewError: The run does not hold the sample.
        """
        return self.samples.item(sample_id)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Writer, Ledger]]:
        """A write in which the ledger holds all that was stored before it."""
        with self.store.writing() as writer, self._lock:
            self._ledger.fold(writer.events(self._ledger.last))
            yield writer, self._ledger

    def _step(
        self, who: Identity, seen: Reading, kind: str, allowed: Sequence[ReadingState], body: Mapping[str, Any]
    ) -> Reading:
        require_role(who, Role.READER, to="read")
        if seen.reader != who.name:
            raise NotAllowedError(f"{seen.sample_id}: the reading of {seen.reader} is not {who.name}'s to change.")
        if seen.item != self.item(seen.sample_id):
            raise StaleError(f"{seen.sample_id}: the model has been fitted again meanwhile. Open the sample again.")
        with self._writing() as (writer, ledger):
            now = ledger.reading(seen.sample_id, who.name, seen.item)
            if now.version == seen.version:
                require_state(now, allowed, _WORDS[kind])
                self._refuse_final(ledger, now)
                self._append(writer, kind, who, now, body)
            else:
                last = ledger.steps[seen.sample_id, who.name]
                if (last.kind, last.before, last.answers) != (kind, seen.version, body.get("answers", [])):
                    require_state(now, allowed, _WORDS[kind])
                    raise StaleError(f"{seen.sample_id}: your reading went on in another window. Look at it again.")
                # else: the same step, sent twice or again after a lost connection; it is stored once
        return self.reading(who, seen.sample_id)

    def _refuse_final(self, ledger: Ledger, reading: Reading) -> None:
        if reading.state is not ReadingState.DONE:
            return
        if ledger.adjudication(reading.sample_id, reading.item):
            raise NotAllowedError(f"{reading.sample_id}: adjudicated, so the readings are final.")
        if (reading.sample_id, reading.reader) in ledger.saw_others:
            raise NotAllowedError(f"{reading.sample_id}: you have seen the others' readings, so yours is final.")

    def _append(self, writer: Writer, kind: str, who: Identity, reading: Reading, body: Mapping[str, Any]) -> None:
        writer.append(kind, who.name, {**body, **_signed(who)}, sample_id=reading.sample_id, item=reading.item)
        writer.forget_draft(who.name, reading.sample_id)

    def _case(self, ledger: Ledger, who: Identity, sample_id: str) -> AdjudicationCase:
        items, item = self.samples.items(sample_id), self.item(sample_id)
        readings = tuple(each for each in ledger.of_sample(sample_id, item) if each.state is ReadingState.DONE)
        if any(each.reader == who.name for each in ledger.of_sample(sample_id, item)):
            raise NotAllowedError(f"{sample_id}: {who.name} has read it, and nobody adjudicates a reading of one's own.")
        if ledger.adjudication(sample_id, item):
            raise NotAllowedError(f"{sample_id}: already adjudicated.")
        disputed = ledger.disputed(sample_id, item, self.run.findings)
        if not disputed:
            raise NotAllowedError(f"{sample_id}: nothing is in dispute between finished readings.")
        return AdjudicationCase(sample_id, readings, items, disputed, max(each.version for each in readings))


def _signed(who: Identity) -> dict[str, str]:
    return {"signed_in": who.method}


def _seconds(seconds: float) -> float:
    if not 0 <= seconds <= _DAY:
        raise ReviewError(f"seconds: from 0 to {_DAY:.0f}, received {seconds}.")
    return round(float(seconds), 3)
