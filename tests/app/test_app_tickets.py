"""What a browser may fetch: by a ticket that nobody can guess, for as long as a session lasts; and the page's own files."""

from datetime import timedelta

import pytest

from app.tickets import Tickets
from medclassify.errors import ReviewError


def read(part: int, full: bool) -> bytes:
    return b"full" if full else bytes([part])


def test_a_ticket_is_for_one_thing_and_its_parts() -> None:
    tickets = Tickets()
    first, second = tickets.issue(read), tickets.issue(lambda part, full: b"other")
    assert first != second
    assert (tickets.read(first, 7, full=False), tickets.read(first, 0, full=True)) == (b"\7", b"full")
    assert tickets.read(second, 0, full=False) == b"other"


def test_neither_a_guess_nor_a_dropped_ticket_gets_anything() -> None:
    tickets = Tickets()
    ticket = tickets.issue(read)
    tickets.drop(ticket)
    for name in (ticket, "", "../" + ticket, "A" * 32):
        with pytest.raises(ReviewError, match="left for too long"):
            tickets.read(name, 0, full=False)


def test_a_ticket_ends_after_a_time_without_use_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("app.tickets.time.monotonic", lambda: now[0])
    tickets = Tickets()
    tickets.idle = timedelta(seconds=60)
    used, left = tickets.issue(read), tickets.issue(read)
    now[0] += 50
    assert tickets.read(used, 1, full=False) == b"\1"
    now[0] += 50
    assert tickets.renew(used)
    assert not tickets.renew(left)
    now[0] += 61
    last = tickets.issue(read)
    assert list(tickets._held) == [last]


def test_files_of_the_page_come_from_memory_and_all_else_from_streamlit() -> None:
    from starlette.responses import PlainTextResponse
    from starlette.testclient import TestClient

    from app.server import _ASSETS, _Assets

    client = TestClient(_Assets(PlainTextResponse("passed on")))
    path, file = next((path, file) for path, file in _ASSETS.items() if path.endswith(".js"))
    found = client.get(path)
    assert found.content == file.read_bytes() and "javascript" in found.headers["content-type"]
    assert "immutable" in found.headers["cache-control"]
    for other in ("/", "/static/js/none.js", f"{path}/../../../secrets", "/static/js/..%2f..%2findex.html"):
        assert client.get(other).text == "passed on"
