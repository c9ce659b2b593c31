"""What SQLite does, PostgreSQL does: a real server, started here."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres_server import postgres
from test_review_desk import IDA, NASTY, OZ, read
from test_review_store import WRITER, put

from medclassify.errors import ReviewError, StaleError
from medclassify.records import ReviewDecision, Role, Verdict
from medclassify.review import Accounts, Desk, ReviewStore, answer_to
from medclassify.review.engine import make_engine
from medclassify.review.tables import EVENTS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own."""
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.removesuffix("postgres") + name


def test_a_case_is_read_on_it(opened, url: str) -> None:
    desk = Desk(opened, ReviewStore(url))
    done = read(desk, IDA)
    read(desk, OZ, verdict=Verdict.REJECT)
    again = Desk(opened, ReviewStore(url))
    assert again.reading(IDA, "a") == done
    with pytest.raises(StaleError):
        again.answer(
            IDA, replace(done, version=1), [answer_to(desk.items(IDA, "a")[0], Verdict.UNSURE, confidence=1)], seconds=1
        )
    desk.keep_draft(IDA, "b", {"comment": NASTY})
    assert again.draft(IDA, "b") == {"comment": NASTY}
    assert again.store.verify() == desk.store.verify()
    assert again.store.verify().count == 8


def test_what_anybody_types_stays_text(url: str, decision: ReviewDecision) -> None:
    given = replace(decision, comment=NASTY, reader="Dr O'Neil <b>; DROP TABLE events")
    store = ReviewStore(url)
    put(store, [given])
    assert ReviewStore(url).decisions() == [given]


@pytest.mark.parametrize("statement", ["UPDATE events SET body = '{}'", "DELETE FROM events", "TRUNCATE events"])
def test_the_database_itself_refuses_to_change_or_remove(url: str, statement: str) -> None:
    store = ReviewStore(url)
    store.append("opened", "Dr Ida", {})
    with pytest.raises(ReviewError, match="lines are only ever added|Lines are only ever added"), store.writing() as writer:
        writer.connection.exec_driver_sql(statement)
    assert store.verify().count == 1


def test_accounts_are_kept_on_it(url: str) -> None:
    accounts = Accounts(ReviewStore(url))
    accounts.add("ida", [Role.READER], password="correct horse battery")
    who, token = accounts.sign_in("ida", "correct horse battery")
    assert Accounts(ReviewStore(url)).resume(token) == who


def test_processes_lose_and_double_nothing_when_some_are_killed(url: str, repository: Path) -> None:
    ReviewStore(url).close()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.replace("Path(sys.argv[1])", "sys.argv[1]"), url, f"reader {k}", "40"],
            cwd=repository,
            stdout=subprocess.PIPE,
            text=True,
        )
        for k in range(3)
    ]
    assert writers[0].stdout is not None
    confirmed = [int(writers[0].stdout.readline()) for _ in range(5)]
    writers[0].kill()
    printed = [process.communicate(timeout=200)[0].splitlines(keepends=True) for process in writers]
    confirmed += [int(line) for lines in printed for line in lines if line.endswith("\n")]
    store = ReviewStore(url)
    events = store.events()
    assert set(confirmed) <= {event.number for event in events}
    for k in (1, 2):
        assert [event.sample_id for event in events if event.reader == f"reader {k}"] == [f"s{i}" for i in range(40)]
    assert store.verify().broken == ""


def test_a_database_that_is_not_empty_or_not_there_is_refused(server: str, url: str) -> None:
    with make_engine(sa.make_url(url), 5).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (x int)")
    with pytest.raises(ReviewError, match="not a review store"):
        ReviewStore(url)
    with pytest.raises(ReviewError, match=r"nowhere: the database failed .*does not exist"):
        ReviewStore(server.removesuffix("postgres") + "nowhere")
    with pytest.raises(ReviewError, match="the database failed"):
        ReviewStore("postgresql+psycopg://reviewer@127.0.0.1:9/nothing", timeout=2)


def test_a_connection_that_was_lost_is_made_again(url: str) -> None:
    store = ReviewStore(url)
    store.append("opened", "Dr Ida", {})
    with make_engine(sa.make_url(url), 5).begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert store.append("opened", "Dr Ida", {}).number == 2
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar_one() == 2
