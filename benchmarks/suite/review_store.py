"""Readings of many at once: what is lost or doubled when processes are killed, and how long a long queue takes."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import Measure, NotMeasurableError
from medclassify.records import Answer, Presence, Verdict
from medclassify.review import (
    Desk,
    Queues,
    ReviewRun,
    ReviewStore,
    StoredExplanations,
    answer_to,
    named_reader,
    next_sample,
)
from medclassify.runs import RunLayout

CORES: int | None = None
READERS = 8
_FINDINGS = tuple(f"finding {k}" for k in range(14))


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """See `benchmarks.registry.Benchmark`."""
    each = 10 if quick else 250
    return {
        "sqlite_lost_or_doubled": lambda: _on_sqlite(each),
        "postgresql_lost_or_doubled": lambda: _on_postgresql(each),
        "queue_ms": lambda: _queue(10_000 if quick else 100_000),
    }


def made_run(samples: int, findings: tuple[str, ...] = _FINDINGS) -> ReviewRun:
    """A run of random predictions, in memory."""
    rng = np.random.default_rng(0)
    n = samples * len(findings)
    ids = np.repeat([f"sample-{k:06d}" for k in range(samples)], len(findings))
    probability = rng.uniform(size=n)
    predictions = pd.DataFrame(
        {
            "sample_id": ids, "patient_id": ids, "finding": np.tile(findings, samples), "target": rng.integers(0, 2, n),
            "logit": 0.0, "prob_raw": probability, "prob_cal": probability, "threshold": 0.5, "decision": probability >= 0.5,
            "split": "test", "sex": np.repeat(rng.choice(["F", "M"], samples), len(findings)),
        }
    )  # fmt: skip
    nowhere = Path("nowhere")
    empty = pd.DataFrame(columns=["path", "modality"])
    return ReviewRun(
        RunLayout(nowhere),
        predictions,
        empty,
        findings,
        ("sex",),
        "m" * 64,
        "voi",
        True,
        False,
        {},
        StoredExplanations(nowhere),
    )


def read_all(place: str, reader: str, samples: int) -> None:
    """What each reader's process does: goes through the queue, and says each sample only after the store has confirmed it."""
    desk = Desk(made_run(samples, _FINDINGS[:2]), ReviewStore(place, timeout=300))
    queues, who = Queues(desk), named_reader(reader)
    while (sample_id := next_sample(queues.queue(who))) is not None:
        reading = desk.open(who, sample_id)
        if reading.state == "opened":
            reading = desk.lock_first(
                who, reading, [Answer(name, Presence.ABSENT, 50) for name in desk.run.findings], seconds=1
            )
        if reading.state == "locked":
            reading, _ = desk.reveal(who, reading)
        items = desk.items(who, sample_id)
        desk.answer(who, reading, [answer_to(item, Verdict.ACCEPT, confidence=50) for item in items], seconds=1)
        print(sample_id, flush=True)


def _on_sqlite(each: int) -> Measure:
    with tempfile.TemporaryDirectory() as folder:
        return _many_readers("sqlite_lost_or_doubled", str(Path(folder) / "reviews.sqlite"), each)


def _on_postgresql(each: int) -> Measure:
    with tempfile.TemporaryDirectory() as folder, _postgresql(Path(folder)) as url:
        return _many_readers("postgresql_lost_or_doubled", url, each)


def _many_readers(key: str, place: str, each: int) -> Measure:
    """Eight processes read; each is killed twice at a moment of chance, and started again."""
    ReviewStore(place).close()
    chance, started = random.Random(0), time.monotonic()
    kills = {f"reader {k}": [chance.randint(1, max(1, each // 3)) for _ in range(2)] for k in range(READERS)}
    confirmed: Counter[tuple[str, str]] = Counter()
    running = {reader: _start(place, reader, each) for reader in kills}
    while running:
        for reader, process in list(running.items()):
            assert process.stdout is not None
            line = process.stdout.readline()
            if line.endswith("\n"):
                confirmed[reader, line.strip()] += 1
            left = kills[reader]
            if left and sum(count for (name, _), count in confirmed.items() if name == reader) >= sum(left[:1]):
                left.pop(0)
                os.kill(process.pid, signal.SIGKILL)
                for late in process.stdout.read().splitlines(keepends=True):
                    confirmed[reader, late.strip()] += late.endswith("\n")
                process.wait()
                running[reader] = _start(place, reader, each)
            elif not line:
                process.wait()
                del running[reader]
    seconds = time.monotonic() - started
    return _counted(key, ReviewStore(place), confirmed, each, seconds)


def _counted(key: str, store: ReviewStore, confirmed: Counter[tuple[str, str]], each: int, seconds: float) -> Measure:
    steps = Counter((event.reader, event.sample_id, event.kind) for event in store.events())
    wanted = READERS * each
    lost = sum(1 for reader, sample in confirmed if (reader, sample, "answered") not in steps)
    lost += wanted - sum(1 for _, _, kind in steps if kind == "answered")
    doubled = sum(count - 1 for count in steps.values())
    check = store.verify()
    broken = 1 if check.broken else 0
    note = (
        f"{READERS} processes, {wanted} decisions of 4 steps each, {2 * READERS} kills: {lost} lost, {doubled} doubled, "
        f"chain of {check.count} lines {check.broken or 'intact'}; {wanted / seconds:.1f} decisions/s, starts included"
    )
    value = float(lost + doubled + broken)
    return Measure(key, value, 0.0, "lower", note, value, value)


def _start(place: str, reader: str, each: int) -> "subprocess.Popen[str]":
    program = "import sys; from benchmarks.suite.review_store import read_all; read_all(*sys.argv[1:3], int(sys.argv[3]))"
    return subprocess.Popen([sys.executable, "-c", program, place, reader, str(each)], stdout=subprocess.PIPE, text=True)


def _queue(samples: int) -> Measure:
    desk = Desk(made_run(samples), ReviewStore(Path(tempfile.mkdtemp()) / "reviews.sqlite"))
    who, queues = named_reader("reader"), Queues(desk)
    first = time.process_time()
    queues.queue(who)
    first = time.process_time() - first
    times = []
    for k in range(11):
        desk.open(who, f"sample-{k:06d}")
        started = time.process_time()
        next_sample(queues.queue(who))
        times.append(1000 * (time.process_time() - started))
    middle = sorted(times)[5]
    note = f"{samples} samples of {len(_FINDINGS)} findings: processor time of queue and next sample; the first {first:.2f} s"
    return Measure("queue_ms", middle, 150.0, "lower", note, min(times), max(times))


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    """A server of one's own, with fsync on."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))] or [shutil.which("initdb") or ""]
    if not found[-1]:
        raise NotMeasurableError("no PostgreSQL: install the postgresql package")
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(data, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    control = [*as_user, str(Path(found[-1]).with_name("pg_ctl")), "-D", str(data), "-w"]
    initdb = [*as_user, found[-1], "-D", str(data), "-U", "reviewer", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data}"
    quiet = {"check": True, "cwd": "/", "stdout": subprocess.DEVNULL}
    subprocess.run(initdb, **quiet)
    subprocess.run([*control, "-l", str(data / "log"), "-o", options, "start"], **quiet)
    try:
        yield f"postgresql+psycopg://reviewer@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
