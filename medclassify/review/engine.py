"""A database to keep reviews in: SQLite or PostgreSQL, opened so that writers queue up and what is confirmed stays."""

import importlib.util
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from medclassify.errors import ReviewError, StorageError

WRITES = "review_writes"
"""The execution option of a connection that will write."""
_LOCK = 7_237_902_134_550_123
"""The advisory lock that writers of one PostgreSQL database take in turn."""


def database_url(url_or_path: Path | str) -> URL:
    """The URL of a file, or the one that is given.

    Raises:
        ReviewError: It is no URL, holds a password, names neither SQLite nor PostgreSQL, or lacks its driver; or the file's
            folder does not exist.
    """
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return _checked_file(URL.create("sqlite", database=str(url_or_path)))
    try:
        url = make_url(url_or_path)
    except ArgumentError as error:
        raise ReviewError(
            "review.store: not a database URL. Give a file, or postgresql+psycopg://user@host/database."
        ) from error
    if url.password is not None:
        raise ReviewError(
            f"review.store: {url.render_as_string(hide_password=True)} holds a password, and a URL is written to configs and "
            "process lists. Leave it out, and give it in PGPASSWORD or ~/.pgpass."
        )
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return _checked_file(url)
    if backend != "postgresql":
        raise ReviewError(
            f"review.store: {url.render_as_string()}: reviews are kept in SQLite or PostgreSQL. "
            "Give a file, or postgresql+psycopg://user@host/database."
        )
    if importlib.util.find_spec("psycopg") is None:
        raise ReviewError("psycopg is not installed, so PostgreSQL cannot be reached. pip install 'medclassify[postgresql]'")
    return url.set(drivername="postgresql+psycopg")


def make_engine(url: URL, timeout: float) -> sa.Engine:
    """Opens a database.

    A transaction with the option `WRITES` excludes other writers from its start: ``BEGIN IMMEDIATE`` in SQLite, an advisory
    lock in PostgreSQL. A commit returns once the disk has it.

    Args:
        url: Of `database_url`.
        timeout: Seconds a writer waits for others.
    """
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": timeout})
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
        return engine
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": max(2, round(timeout))})

    def lock(connection: sa.Connection) -> None:
        if connection.get_execution_options().get(WRITES, False):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(timeout * 1000)}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

    event.listen(engine, "begin", lock)
    return engine


def where(url: URL) -> str:
    """How messages name a store."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def told(place: str, said: str) -> ReviewError | StorageError:
    """What a database said, in one line with a remedy."""
    first = (said.strip().splitlines() or ["no reason given"])[0]
    if "disk is full" in said or "No space left" in said:
        return StorageError(f"{place}: the disk is full, so nothing was stored. Free some space and give the verdict again.")
    if "readonly" in said or "read-only" in said:
        return StorageError(f"{place}: read-only, so nothing was stored. Make the file and its folder writable.")
    if "locked" in said or "lock timeout" in said:
        return ReviewError(f"{place}: another process holds the store, so nothing was stored. Try again, or stop that process.")
    if "not a database" in said:
        return ReviewError(f"{place}: not a SQLite file. Move it away, or name another file.")
    if "unable to open" in said:
        return ReviewError(f"{place}: cannot be opened ({first}). Check that it is a file and that you may write to it.")
    if "append-only" in said:
        return ReviewError(f"{place}: the database refused a change of what is stored. Lines are only ever added.")
    if "://" in place:
        return ReviewError(f"{place}: the database failed ({first}), so nothing was stored. Check that it runs, and try again.")
    return ReviewError(
        f"{place}: the review store failed ({first}), so nothing was stored. "
        "Check it with: sqlite3 FILE 'PRAGMA integrity_check'"
    )


def _checked_file(url: URL) -> URL:
    folder = Path(str(url.database)).parent
    if not folder.is_dir():
        raise ReviewError(f"{url.database}: its folder does not exist. Make the folder, or name a file in one that exists.")
    return url


def _on_sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _on_sqlite_begin, not by the driver's guess
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


def _on_sqlite_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
