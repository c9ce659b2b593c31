"""The review store: events that are appended, chained, flushed to disk, and never changed or removed."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from medclassify.errors import ReviewError
from medclassify.records import ReviewDecision, ReviewEvent
from medclassify.review.chain import FIRST, ChainCheck, check_chain, link
from medclassify.review.decisions import KIND, to_decision
from medclassify.review.engine import WRITES, database_url, make_engine, told, where
from medclassify.review.migrations import migrate
from medclassify.review.tables import DRAFTS, EVENTS
from medclassify.review.text import MAX_COMMENT, check_reader, check_text

_AT_A_TIME = 5_000


class ReviewStore:
    """Appends and reads events in a SQLite file or a PostgreSQL database.

    A write takes the store's write lock at its start, so that writers queue up and each sees what the one before has stored.
    It returns only after the disk has it: what was confirmed survives a kill. One store may be used by many threads; many
    processes, and with PostgreSQL many machines, may open the same one. A store of 0.1.0 is brought to the newest form.

    Args:
        url_or_path: A SQLite file, made where it does not exist, or ``postgresql+psycopg://user@host/database``, which must
            exist and belong to this run alone.
        timeout: Seconds a write waits for other writers.

    Raises:
        ReviewError: The folder or database does not exist, what is there is no review store or a newer one, or the URL holds a
            password.
        StorageError: The disk is full or read-only.
    """

    def __init__(self, url_or_path: Path | str, *, timeout: float = 30.0) -> None:
        url = database_url(url_or_path)
        self.place = where(url)
        """The file, or the URL without anything secret."""
        self._engine = make_engine(url, timeout)
        self._process_lock = threading.Lock()
        with self.writing() as writer:
            migrate(writer.connection, self.place)

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """A transaction that excludes other writers from its start to its end; an error in it stores nothing.

        Raises:
            ReviewError: Other writers hold the store too long, or the database cannot be reached.
            StorageError: The disk is full or read-only.
        """
        # Threads of one process wait here, in turn: SQLite's own waiting is by chance and may starve one of them.
        with self._process_lock, self._one_line(), self._engine.execution_options(**{WRITES: True}).begin() as connection:
            yield Writer(connection)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that reads; writers are not held up.

        Raises:
            ReviewError: The store cannot be read.
        """
        with self._one_line(), self._engine.begin() as connection:
            yield connection

    def append(self, kind: str, reader: str, body: Mapping[str, Any], *, sample_id: str = "", item: str = "") -> ReviewEvent:
        """Stores one event that depends on no other; see `Writer.append`.

        Raises:
            ReviewError: As `writing`, or a text cannot be stored.
            StorageError: As `writing`.
        """
        with self.writing() as writer:
            return writer.append(kind, reader, body, sample_id=sample_id, item=item)

    def events(
        self, *, after: int = 0, kind: str | None = None, reader: str | None = None, sample_id: str | None = None
    ) -> list[ReviewEvent]:
        """The stored events in order: those after a number; of one kind, reader or sample where given.

        Raises:
            ReviewError: The store cannot be read.
        """
        query = sa.select(EVENTS).where(EVENTS.c.number > after).order_by(EVENTS.c.number)
        for column, value in ((EVENTS.c.kind, kind), (EVENTS.c.reader, reader), (EVENTS.c.sample_id, sample_id)):
            if value is not None:
                query = query.where(column == value)
        with self.reading() as connection:
            return [ReviewEvent(*row) for row in connection.execute(query)]

    def verify(self) -> ChainCheck:
        """Follows the hash chain through the whole store.

        Raises:
            ReviewError: The store cannot be read.
        """
        with self.reading() as connection:
            rows = connection.execute(sa.select(EVENTS).order_by(EVENTS.c.number)).yield_per(_AT_A_TIME)
            return check_chain(ReviewEvent(*row) for row in rows)

    def keep_draft(self, reader: str, sample_id: str, body: Mapping[str, Any]) -> None:
        """Keeps what a reader has typed on a sample and not yet sent; it replaces the draft before.

        Raises:
            ReviewError: It is too large, or other writers hold the store too long.
            StorageError: The disk is full or read-only.
        """
        text = dump(body)
        if len(text) > 20 * MAX_COMMENT:
            raise ReviewError(f"draft: {len(text)} characters, and at most {20 * MAX_COMMENT} are kept. Shorten the comments.")
        with self.writing() as writer:
            writer.forget_draft(reader, sample_id)
            writer.connection.execute(DRAFTS.insert(), {"reader": reader, "sample_id": sample_id, "body": text})

    def draft(self, reader: str, sample_id: str) -> dict[str, Any]:
        """What `keep_draft` kept; empty where there is nothing.

        Raises:
            ReviewError: The store cannot be read.
        """
        query = sa.select(DRAFTS.c.body).where(DRAFTS.c.reader == reader, DRAFTS.c.sample_id == sample_id)
        with self.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return {} if found is None else json.loads(found)

    def decisions(
        self, *, sample_id: str | None = None, finding: str | None = None, reader: str | None = None
    ) -> list[ReviewDecision]:
        """The verdicts of 0.1.0's kind in the order of storing, of one sample, finding or reader where given."""
        found = [to_decision(event) for event in self.events(kind=KIND, sample_id=sample_id, reader=reader)]
        return [decision for decision in found if finding in (None, decision.finding)]

    def close(self) -> None:
        """Closes the store's connections; it opens them again when used again."""
        self._engine.dispose()

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise told(self.place, str(error.orig)) from error


class Writer:
    """A transaction of `ReviewStore.writing`.

    Attributes:
        connection: With the write lock.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def events(self, after: int) -> list[ReviewEvent]:
        """The events after a number, with all that other writers have stored."""
        query = sa.select(EVENTS).where(EVENTS.c.number > after).order_by(EVENTS.c.number)
        return [ReviewEvent(*row) for row in self.connection.execute(query)]

    def append(self, kind: str, reader: str, body: Mapping[str, Any], *, sample_id: str = "", item: str = "") -> ReviewEvent:
        """Adds a line to the chain; the time is this machine's.

        Args:
            kind: What happened.
            reader: Whose doing.
            body: The rest; must be storable as JSON.
            sample_id: The sample it is about, or "".
            item: What was read, as of `Reading`, or "".

        Raises:
            ReviewError: A text is blank, too long, or not Unicode.
        """
        check_reader(reader)
        check_text("sample_id", sample_id)
        last = self.connection.execute(
            sa.select(EVENTS.c.number, EVENTS.c.hash).order_by(EVENTS.c.number.desc()).limit(1)
        ).one_or_none()
        number, previous = (last[0] + 1, last[1]) if last else (1, FIRST)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        event = link(number, kind, at, reader, sample_id, item, dump(body), previous)
        self.connection.execute(EVENTS.insert(), {column.name: getattr(event, column.name) for column in EVENTS.columns})
        return event

    def forget_draft(self, reader: str, sample_id: str) -> None:
        """Takes a draft away, if there is one."""
        self.connection.execute(DRAFTS.delete().where(DRAFTS.c.reader == reader, DRAFTS.c.sample_id == sample_id))


def dump(body: Mapping[str, Any]) -> str:
    """The body of an event or a draft as it is stored: ASCII, so that databases cannot disagree about it."""
    return json.dumps(body, sort_keys=True, allow_nan=False, separators=(",", ":"))
