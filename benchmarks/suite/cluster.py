"""Preparing by a Dask cluster against preparing with processes of one machine, on the same cores."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.harness import Measure, NotMeasurableError, speed_ratio
from benchmarks.suite.robustness import _preprocessing, _radiographs

CORES = 2
_WORKERS = 2


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {"prepare_vs_local": lambda: prepare_vs_local(quick)}


def prepare_vs_local(quick: bool) -> Measure:
    """A store made by two workers, pieces and their joining included, against one made by two processes."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise NotMeasurableError("needs Dask: pip install 'medclassify[cluster]'") from error
    from medclassify.data import prepare_store
    from medclassify.workflows.cluster import connect
    from medclassify.workflows.on_cluster import decode_on

    count, number = 120 if quick else 1_000, itertools.count()
    with tempfile.TemporaryDirectory() as name, _workers(Path(name)) as address, connect(address) as cluster:
        folder = Path(name)
        samples = [(str(row), path) for row, path in enumerate(_radiographs(folder, count))]

        def prepare(**options) -> None:
            prepare_store(samples, _preprocessing(), cache=folder / f"cache{next(number)}", **options)

        return speed_ratio(
            "prepare_vs_local",
            partial(prepare, decode=partial(decode_on, cluster)),
            prepare,
            names=("two Dask workers", "two processes"),
            goal=0.8,
            rounds=3 if quick else 5,
            note=f"{count} radiographs of 1024 × 1024, JPEG-LS; the workers run already, local processes start each time",
        )


@contextmanager
def _workers(folder: Path) -> Iterator[str]:
    from medclassify.runs import worker_environment

    file, environment = folder / "scheduler.json", worker_environment()

    def start(what: str, *words: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{what}",
            "--scheduler-file",
            str(file),
            "--no-dashboard",
            *words,
        ]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=environment)

    started = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    started += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(_WORKERS)]
    try:
        until = time.monotonic() + 60
        while not file.is_file():
            if time.monotonic() > until:
                raise NotMeasurableError("the Dask scheduler did not start")
            time.sleep(0.05)
        yield str(file)
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
