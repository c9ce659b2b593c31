"""One process works and the others wait; a dead holder's lock is taken over, a living one's is not."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from medclassify.runs import lock, one_works

ELSEWHERE = {"token": "t", "host": "far", "pid": 1, "place": "another machine", "started": "1"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_POLL_S", 0.01)
    monkeypatch.setattr(lock, "SILENT_S", 0.5)
    monkeypatch.setattr(lock, "BEAT_S", 0.05)


def test_threads_that_come_together_do_the_work_once(tmp_path: Path) -> None:
    done, worked, told = tmp_path / "done", [], []

    def come() -> None:
        with one_works(tmp_path / "lock", done.is_file, "the work", told.append) as alone:
            if alone:
                worked.append(1)
                time.sleep(0.3)
                done.touch()

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worked == [1]
    assert told == [f"the work: process {os.getpid()} on {os.uname().nodename} is making it; waiting"] * 5
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_work_that_failed_is_done_by_the_next(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), one_works(tmp_path / "lock", lambda: False, "the work"):
        raise ValueError("broken")
    with one_works(tmp_path / "lock", lambda: False, "the work") as alone:
        assert alone


def test_a_silent_holder_elsewhere_is_dead_and_one_that_beats_is_not(tmp_path: Path) -> None:
    path, told, stop = tmp_path / "lock", [], threading.Event()
    path.write_text(json.dumps(ELSEWHERE))

    def beat() -> None:
        for number in range(60):
            path.write_text(json.dumps(ELSEWHERE | {"beat": number}))
            if stop.wait(0.02):
                return

    beating = threading.Thread(target=beat)
    beating.start()
    started = time.monotonic()
    with one_works(path, lambda: False, "the work", told.append) as alone:
        waited = time.monotonic() - started
        assert alone
    stop.set()
    beating.join()
    assert waited >= 1.2 + 0.5 - 0.1, "it was taken from one that lived"
    assert told[-1] == "the work: process 1 on far had begun it and is gone; this process does it now"


def test_a_holder_that_died_before_it_said_its_name_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with one_works(tmp_path / "lock", lambda: False, "the work") as alone:
        assert alone


def test_a_number_that_was_given_again_is_not_the_holder(tmp_path: Path) -> None:
    facts = {"token": "t", "host": "here", "pid": os.getpid(), "place": lock._place(), "started": "1"}
    (tmp_path / "lock").write_text(json.dumps(facts))
    started = time.monotonic()
    with one_works(tmp_path / "lock", lambda: False, "the work") as alone:
        assert alone and time.monotonic() - started < 0.4, "its death is seen at once, on its own machine"


def test_a_lock_that_somebody_took_over_meanwhile_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps(ELSEWHERE | {"token": "new"}))
    assert not lock._remove(path, ELSEWHERE)
    assert json.loads(path.read_text())["token"] == "new" and len(list(tmp_path.iterdir())) == 1
    assert lock._remove(path, ELSEWHERE | {"token": "new"}) and not path.exists()
