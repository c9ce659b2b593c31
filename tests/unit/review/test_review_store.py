import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from medclassify.errors import ReviewError, StorageError
from medclassify.records import ReviewDecision, Verdict
from medclassify.review import MAX_COMMENT, MAX_READER, ChainCheck, ReviewStore, migrations
from medclassify.review.chain import FIRST, event_hash
from medclassify.review.tables import METADATA

NASTY = "<script>alert('x')</script> \"quoted\" '; DROP TABLE decisions; --\n\x00 ünïcode 漢字 🫁"

# Appends until its count is done or it is killed; prints each number only after append has returned it.
WRITER = """
import sys
from pathlib import Path
from medclassify.review import ReviewStore
path, reader, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = ReviewStore(path)
for i in range(count):
    number = store.append("opened", reader, {"at": i}, sample_id=f"s{i}").number
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reviews.sqlite"


def put(store: ReviewStore, decisions: list[ReviewDecision]) -> list[int]:
    """Stores verdicts of 0.1.0's kind, as its migration does."""
    numbers = []
    with store.writing() as writer:
        for each in decisions:
            body = {name: str(getattr(each, name)) for name in ("finding", "comment", "item_fingerprint")}
            body |= {"verdict": each.verdict.value, "decided_at": each.decided_at.isoformat(), "shown": json.dumps(each.shown)}
            event = writer.append("verdict", each.reader, body, sample_id=each.sample_id, item=each.item_fingerprint)
            numbers.append(event.number)
    return numbers


def writer(path: Path, reader: str, count: int, repository: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), reader, str(count)], cwd=repository, stdout=subprocess.PIPE, text=True
    )


def test_a_decision_comes_back_as_it_was_given(path: Path, decision: ReviewDecision) -> None:
    given = replace(decision, comment=NASTY, reader="Dr O'Neil <b>", verdict=Verdict.UNSURE)
    assert put(ReviewStore(path), [given]) == [1]
    assert ReviewStore(path).decisions() == [given]


def test_the_time_is_the_stores_own_in_utc(path: Path) -> None:
    before = datetime.now(UTC)
    event = ReviewStore(path).append("opened", "Dr Ida", {})
    assert event.at.endswith("+00:00")
    assert before <= datetime.fromisoformat(event.at) <= datetime.now(UTC)


def test_what_is_confirmed_is_on_the_disk(path: Path) -> None:
    with ReviewStore(path)._engine.connect() as connection:  # a kill cannot show this; a power cut would
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '{}'",
        "DELETE FROM events",
        "REPLACE INTO events SELECT number, kind, at, 'Dr No', sample_id, item, body, previous, 'f' FROM events",
    ],
)
def test_the_database_itself_refuses_to_change_or_remove(path: Path, decision: ReviewDecision, statement: str) -> None:
    put(ReviewStore(path), [decision])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sqlite3.connect(path).execute(statement)


def test_decisions_can_be_asked_for_by_sample_finding_and_reader(path: Path, decision: ReviewDecision) -> None:
    store = ReviewStore(path)
    others = [replace(decision, sample_id="b"), replace(decision, finding="nodule"), replace(decision, reader="Dr Oz")]
    assert put(store, [decision, *others]) == [1, 2, 3, 4]
    assert store.decisions(sample_id="b") == [others[0]]
    assert store.decisions(finding="nodule") == [others[1]]
    assert store.decisions(reader="Dr Oz") == [others[2]]
    assert store.decisions(sample_id="a", finding="effusion", reader="Dr Ida") == [decision]


def test_all_or_none_are_stored(path: Path, decision: ReviewDecision) -> None:
    store = ReviewStore(path)
    with pytest.raises(ReviewError, match="reader: blank"):
        put(store, [decision, replace(decision, reader=" ")])
    assert store.decisions() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reader": "  "}, "reader: blank"),
        ({"reader": "x" * (MAX_READER + 1)}, "reader: 201 characters"),
        ({"sample_id": "a\ud83e"}, "sample_id: character 2 is half a Unicode pair"),
        ({"sample_id": "a\0"}, "sample_id: character 2 is U\\+0000"),
    ],
)
def test_a_decision_that_is_not_well_formed_is_refused(path: Path, decision: ReviewDecision, change: dict, said: str) -> None:
    store = ReviewStore(path)
    with pytest.raises(ReviewError, match=said):
        put(store, [replace(decision, **change)])
    assert store.decisions() == []


def test_a_sqlite_url_names_the_same_store(path: Path, decision: ReviewDecision) -> None:
    put(ReviewStore(f"sqlite:///{path}"), [decision])
    assert ReviewStore(path).decisions() == [decision]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:secret@host/db", r"postgresql://me:\*\*\*@host/db holds a password.*PGPASSWORD"),
        ("sqlite://", "reviews are kept in SQLite or PostgreSQL"),
        ("mysql://host/db", "reviews are kept in SQLite or PostgreSQL"),
        ("://", "not a database URL"),
    ],
)
def test_other_urls_and_passwords_are_refused(url: str, said: str) -> None:
    with pytest.raises(ReviewError, match=said) as refusal:
        ReviewStore(url)
    assert "secret" not in str(refusal.value)


def test_odd_characters_in_the_path_are_no_url(tmp_path: Path, decision: ReviewDecision) -> None:
    odd = tmp_path / "run ?mode=memory#%41"
    odd.mkdir()
    put(ReviewStore(odd / "reviews.sqlite"), [decision])
    assert ReviewStore(odd / "reviews.sqlite").decisions() == [decision]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match=r"nowhere/reviews\.sqlite: its folder does not exist"):
        ReviewStore(tmp_path / "nowhere" / "reviews.sqlite")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="cannot be opened"):
        ReviewStore(tmp_path)


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"sample_id,verdict\n" * 100)
    with pytest.raises(ReviewError, match="not a SQLite file"):
        ReviewStore(path)
    assert path.read_bytes() == b"sample_id,verdict\n" * 100


@pytest.mark.parametrize("setup", ["PRAGMA user_version = 7", "CREATE TABLE other (x)"])
def test_a_newer_or_a_foreign_store_is_refused(path: Path, setup: str) -> None:
    sqlite3.connect(path).execute(setup)
    with pytest.raises(ReviewError, match="not a review store"):
        ReviewStore(path)


def with_pragma(store: ReviewStore, pragma: str) -> ReviewStore:
    """The same store whose connections set a real limit of SQLite itself."""
    sa.event.listen(store._engine, "connect", lambda connection, _: connection.execute(pragma))
    store.close()
    return store


def test_a_full_disk_is_said_and_stores_nothing(path: Path, decision: ReviewDecision) -> None:
    store = with_pragma(ReviewStore(path), "PRAGMA max_page_count = 1")
    with pytest.raises(StorageError, match="the disk is full, so nothing was stored"):
        put(store, [replace(decision, comment="x" * MAX_COMMENT)] * 3)
    assert ReviewStore(path).decisions() == []


def test_a_read_only_store_is_said(path: Path, decision: ReviewDecision) -> None:
    store = with_pragma(ReviewStore(path), "PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="read-only, so nothing was stored"):
        put(store, [decision])


def test_a_store_that_is_held_too_long_is_said(path: Path, decision: ReviewDecision) -> None:
    store = ReviewStore(path, timeout=0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ReviewError, match="another process holds the store"):
        put(store, [decision])
    assert store.decisions() == []  # readers are not held up
    holder.execute("ROLLBACK")
    assert put(store, [decision]) == [1]


def test_a_damaged_store_is_said(path: Path, decision: ReviewDecision) -> None:
    store = ReviewStore(path)
    put(store, [decision] * 50)
    store.close()
    with open(path, "rb+") as file:
        file.seek(4096)
        file.write(b"\xff" * 12288)
    with pytest.raises(ReviewError, match="the review store failed"):
        ReviewStore(path).decisions()


def test_threads_share_a_store(path: Path, decision: ReviewDecision) -> None:
    store = ReviewStore(path)
    threads = [threading.Thread(target=lambda: [put(store, [decision]) for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.decisions()) == 100


def test_four_processes_lose_nothing(path: Path, repository: Path) -> None:
    writers = [writer(path, f"reader {k}", 50, repository) for k in range(4)]
    numbers = [int(line) for process in writers for line in process.communicate(timeout=120)[0].split()]
    assert [process.returncode for process in writers] == [0, 0, 0, 0]
    assert sorted(numbers) == list(range(1, 201))
    stored = ReviewStore(path).events()
    for k in range(4):
        assert [event.sample_id for event in stored if event.reader == f"reader {k}"] == [f"s{i}" for i in range(50)]
    assert ReviewStore(path).verify().broken == ""


def test_what_was_confirmed_survives_a_kill(path: Path, repository: Path) -> None:
    for round_ in range(3):
        reader = f"round {round_}"
        process = writer(path, reader, 100_000, repository)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(20 + 7 * round_)]
        time.sleep(0.01 * round_)
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait()
        confirmed = {int(line) for line in lines if line.endswith("\n")}
        assert len(confirmed) >= 20
        assert confirmed <= {event.number for event in ReviewStore(path).events(reader=reader)}
    assert ReviewStore(path).verify().broken == ""
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


OLD = """
CREATE TABLE decisions (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, sample_id TEXT NOT NULL, finding TEXT NOT NULL,
    reader TEXT NOT NULL, verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'reject', 'unsure')), comment TEXT NOT NULL,
    decided_at TEXT NOT NULL, item_fingerprint TEXT NOT NULL, shown TEXT NOT NULL);
CREATE INDEX decisions_by_reader ON decisions (reader, sample_id, finding);
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'review decisions are append-only'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'review decisions are append-only'); END;
PRAGMA user_version = 1;
"""
"""What version 0.1.0 made, read from a file of its making."""


def old_store(path: Path, comments: list[str]) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD)
        rows = [
            ("a", "effusion", "Dr Ida", "reject", text, "2026-03-01T12:00:00.000000+00:00", "f" * 64, '["image"]')
            for text in comments
        ]
        names = "sample_id, finding, reader, verdict, comment, decided_at, item_fingerprint, shown"
        connection.executemany(f"INSERT INTO decisions ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def test_a_store_of_0_1_0_is_migrated_with_every_decision(path: Path, decision: ReviewDecision) -> None:
    old_store(path, ["first", NASTY])
    store = ReviewStore(path)
    expected = replace(decision, verdict=Verdict.REJECT, shown=("image",))
    assert store.decisions() == [replace(expected, comment=text) for text in ("first", NASTY)]
    assert store.verify() == ChainCheck(2, store.events()[-1].hash, "")
    store.append("opened", "Dr Oz", {}, sample_id="b")
    assert [event.number for event in ReviewStore(path).events()] == [1, 2, 3]
    old = sqlite3.connect(path)
    assert old.execute("SELECT count(*) FROM decisions_0_1_0").fetchone() == (2,)  # what was there stays as it was
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        old.execute("DELETE FROM decisions_0_1_0")
    assert old.execute("PRAGMA user_version").fetchone() == (2,)  # 0.1.0 takes no other than 1


def test_an_empty_store_of_0_1_0_leaves_no_table_behind(path: Path) -> None:
    old_store(path, [])
    assert ReviewStore(path).events() == []
    names = {
        name
        for (name,) in sqlite3.connect(path).execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
    }
    assert names == {"accounts", "alembic_version", "drafts", "events", "sessions"}


KILLED = """
import os, sys
import medclassify.review.store as store
migrate = store.migrate
store.migrate = lambda connection, place: (migrate(connection, place), os.kill(os.getpid(), 9))
store.ReviewStore(sys.argv[1])
"""


def test_a_migration_that_is_killed_leaves_the_old_store(path: Path, repository: Path) -> None:
    old_store(path, ["first"])
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=repository, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sqlite3.connect(path).execute("SELECT comment FROM decisions").fetchall() == [("first",)]
    assert [stored.comment for stored in ReviewStore(path).decisions()] == ["first"]


def test_a_store_of_a_newer_version_is_refused(path: Path) -> None:
    ReviewStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(ReviewError, match="made by a newer medclassify"):
        ReviewStore(path)


def test_the_newest_form_is_the_one_that_migrations_lead_to() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_the_tables_are_those_that_migrations_make(path: Path) -> None:
    store = ReviewStore(path)
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def tampered(path: Path, statement: str) -> str:
    store = ReviewStore(path)
    for number in range(1, 6):
        store.append("opened", "Dr Ida", {"n": number}, sample_id=f"s{number}")
    assert store.verify().broken == ""
    with sqlite3.connect(path) as connection:
        for trigger in ("events_no_update", "events_no_delete", "events_no_replace"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
    return store.verify().broken


@pytest.mark.parametrize("column", ["kind", "at", "reader", "sample_id", "item", "body"])
def test_a_change_of_any_column_breaks_the_chain(path: Path, column: str) -> None:
    assert tampered(path, f"UPDATE events SET {column} = 'x' WHERE number = 3") == "line 3 was changed after it was stored"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM events WHERE number = 3", "line 3 is missing: line 4 follows line 2"),
        ("DELETE FROM events WHERE number = 1", "line 1 is missing: line 2 follows line 0"),
        ("UPDATE events SET hash = 'x' WHERE number = 2", "line 2 was changed after it was stored"),
        ("UPDATE events SET previous = 'x' WHERE number = 2", "line 2 does not follow line 1: another one stood before it"),
    ],
)
def test_a_broken_chain_is_said_where_it_breaks(path: Path, statement: str, said: str) -> None:
    assert tampered(path, statement) == said


def test_lines_cut_off_at_the_end_show_in_the_head(path: Path) -> None:
    store = ReviewStore(path)
    store.append("opened", "Dr Ida", {})
    store.append("opened", "Dr Ida", {})
    head = store.verify().head
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute("DELETE FROM events WHERE number = 2")
    assert store.verify().broken == ""
    assert store.verify().head != head


def test_the_form_of_the_hash_never_changes() -> None:
    found = event_hash(1, "opened", "2026-03-01T12:00:00.000000+00:00", "Dr Ö", "a", "", "{}", FIRST)
    content = '[1,"opened","2026-03-01T12:00:00.000000+00:00","Dr \\u00d6","a","","{}","' + "0" * 64 + '"]'
    assert found == hashlib.sha256(content.encode()).hexdigest()
