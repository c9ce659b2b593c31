"""The review store: decisions that are appended, flushed to disk, and never changed or removed."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from medclassify.errors import ReviewError, StorageError
from medclassify.records import ReviewDecision
from medclassify.review.decision_table import DECISIONS, GUARDS, METADATA, SCHEMA_VERSION, to_decision, to_row


class ReviewStore:
    """Appends and reads review decisions in a SQLite file.

    A write takes SQLite's write lock at its start (``BEGIN IMMEDIATE``), so writers queue up instead of overwriting each
    other, and returns only after the disk has it (WAL, ``synchronous=FULL``): what ``append`` has confirmed survives a kill.
    One store may be used by many threads; many processes may open the same file.

    Args:
        url_or_path: The file, made where it does not exist, or a ``sqlite:///`` URL. Its folder must exist.
        timeout: Seconds a write waits for other writers.

    Raises:
        ReviewError: The folder does not exist, the file is no review store or a newer one, or the URL is not SQLite.
        StorageError: The disk is full or read-only.
    """

    def __init__(self, url_or_path: Path | str, *, timeout: float = 30.0) -> None:
        url = _sqlite_url(url_or_path)
        self.path = Path(str(url.database))
        if not self.path.parent.is_dir():
            raise ReviewError(f"{self.path}: its folder does not exist. Make the folder, or name a file in one that exists.")
        self._engine = sa.create_engine(url, connect_args={"timeout": timeout})
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        self._process_lock = threading.Lock()
        with self._writing() as connection:
            self._prepare(connection)

    def append(self, decision: ReviewDecision) -> int:
        """Stores one decision and returns its number; numbers grow in the order of storing.

        Raises:
            ReviewError: The decision is not well-formed (no reader, no UTC time), or other writers hold the store too long.
            StorageError: The disk is full or read-only.
        """
        return self.append_all([decision])[0]

    def append_all(self, decisions: Sequence[ReviewDecision]) -> list[int]:
        """Stores all of the decisions or, where one cannot be stored, none; returns their numbers. Raises as `append`."""
        rows = [to_row(decision) for decision in decisions]
        with self._writing() as connection:
            return [_inserted(connection.execute(DECISIONS.insert(), row)) for row in rows]

    def decisions(
        self, *, sample_id: str | None = None, finding: str | None = None, reader: str | None = None
    ) -> list[ReviewDecision]:
        """The stored decisions in the order of storing, of one sample, finding or reader where given.

        Raises:
            ReviewError: The store cannot be read.
        """
        query = sa.select(DECISIONS).order_by(DECISIONS.c.number)
        for column, value in (
            (DECISIONS.c.sample_id, sample_id),
            (DECISIONS.c.finding, finding),
            (DECISIONS.c.reader, reader),
        ):
            if value is not None:
                query = query.where(column == value)
        with self._reading() as connection:
            return [to_decision(row) for row in connection.execute(query).mappings()]

    def latest(self, reader: str) -> pd.DataFrame:
        """One reader's latest decision on each finding of each sample.

        Returns:
            ``number, sample_id, finding, verdict, comment, decided_at, item_fingerprint``, in the order of storing.

        Raises:
            ReviewError: The store cannot be read.
        """
        last = (
            sa.select(sa.func.max(DECISIONS.c.number))
            .where(DECISIONS.c.reader == reader)
            .group_by(DECISIONS.c.sample_id, DECISIONS.c.finding)
        )
        names = ("number", "sample_id", "finding", "verdict", "comment", "decided_at", "item_fingerprint")
        query = (
            sa.select(*(DECISIONS.c[name] for name in names)).where(DECISIONS.c.number.in_(last)).order_by(DECISIONS.c.number)
        )
        with self._reading() as connection:
            return pd.DataFrame.from_records([tuple(row) for row in connection.execute(query)], columns=list(names))

    def close(self) -> None:
        """Closes the store's connections; it opens them again when used again."""
        self._engine.dispose()

    def _prepare(self, connection: sa.Connection) -> None:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version == SCHEMA_VERSION:
            return
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if version != 0 or tables:
            raise ReviewError(
                f"{self.path}: not a review store of version {SCHEMA_VERSION} (version {version}, {tables} objects). "
                "Open it with the medclassify that made it, or name another file."
            )
        METADATA.create_all(connection)
        for guard in GUARDS:
            connection.exec_driver_sql(guard)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        # Threads of one process wait here, in turn: SQLite's own waiting is by chance and may starve one of them.
        with self._process_lock, self._one_line(), self._engine.execution_options(review_writes=True).begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._one_line(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _told(self.path, str(error.orig)) from error


def _sqlite_url(url_or_path: Path | str) -> URL:
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return URL.create("sqlite", database=str(url_or_path))
    try:
        url = make_url(url_or_path)
    except ArgumentError as error:
        raise ReviewError(f"{url_or_path}: not a database URL. Give a file, or sqlite:///path/to/reviews.sqlite.") from error
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        shown = url.render_as_string(hide_password=True)
        raise ReviewError(f"{shown}: reviews are kept in a SQLite file. Give a file, or sqlite:///path/to/reviews.sqlite.")
    return url


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _on_begin, not by the driver's guess
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    # The switch to WAL does not wait for other openers as everything else does; so ask again for a while.
    for attempt in range(200):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except connection.OperationalError as error:
            if "locked" not in str(error) or attempt == 199:
                raise
            time.sleep(0.05)


def _on_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("review_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _told(path: Path, said: str) -> ReviewError | StorageError:
    if "disk is full" in said:
        return StorageError(f"{path}: the disk is full, so nothing was stored. Free some space and give the verdict again.")
    if "readonly" in said or "read-only" in said:
        return StorageError(f"{path}: read-only, so nothing was stored. Make the file and its folder writable.")
    if "locked" in said:
        return ReviewError(f"{path}: another process holds the store, so nothing was stored. Try again, or stop that process.")
    if "not a database" in said:
        return ReviewError(f"{path}: not a SQLite file. Move it away, or name another file.")
    if "unable to open" in said:
        return ReviewError(f"{path}: cannot be opened ({said}). Check that it is a file and that you may write to it.")
    return ReviewError(
        f"{path}: the review store failed ({said}), so nothing was stored. Check it with: sqlite3 FILE 'PRAGMA integrity_check'"
    )


def _inserted(result: sa.CursorResult[Any]) -> int:
    return int(result.inserted_primary_key[0])  # pyright: ignore[reportOptionalSubscript]
