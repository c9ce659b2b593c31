"""Prepares images in processes of their own: a crash or a hang of native code costs one file and not the job.

They are started as programs of their own and not by ``multiprocessing``: a caller's script needs no ``__main__`` guard, and no
process inherits a network library's threads or imports one. Each works on one path at a time, with the next one waiting, and
answers with raw bytes and JSON (see ``decoding``). This is no sandbox: a process may do what its user may do.
"""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict
from struct import unpack_from
from typing import IO, Any, cast

import numpy as np

from medclassify.data.prepare import PreparedImage
from medclassify.errors import ConfigError, RunError
from medclassify.records import Exclusion, PreparedGeometry, Preprocessing
from medclassify.runs import core_count, worker_environment

SECONDS_A_FILE = 120.0
"""A file that takes longer is left out; the largest image that is read takes a tenth of it."""
MEMORY_A_FILE = 1 << 32
"""Bytes that a process may take for a file, beyond what it needs to start: 4 GiB."""

_START_S = 300.0
_FILES_A_WORKER = 4  # fewer files are not worth another start
_GIVEN = 2  # the file at work and the next one: nobody waits for a path
_AHEAD = 16  # results that may wait for an earlier one, for each process: bounds memory
_ATTEMPTS = 2  # a process may also die for lack of memory, or wait for a disk: only who fails twice is left out
_PROGRAM = "import sys; from medclassify.data.decoding import main; sys.exit(main())"

Prepared = PreparedImage | Exclusion
_spares: "list[_Worker]" = []  # idle ones that a call left for the next; several threads may ask
_spare_lock = threading.Lock()


def prepare_in_workers(
    paths: Sequence[str],
    preprocessing: Preprocessing,
    *,
    seconds: float = SECONDS_A_FILE,
    processes: int | None = None,
    keep: bool = False,
) -> Generator[Prepared, None, None]:
    """Prepares files, several at a time.

    Close the generator (``contextlib.closing``) when it may end early: that ends its processes.

    Args:
        paths: DICOM, PNG or JPEG files.
        preprocessing: What the network expects.
        seconds: How long one file may take.
        processes: How many at most; as many as there are cores when left out.
        keep: Leave the processes that are idle at the end for the next call with this preprocessing; they end with ours.

    Yields:
        For each path, in the order given: the prepared image, or an exclusion that says why there is none.

    Raises:
        ConfigError: The preprocessing names something that is not known.
        RunError: A decoding process cannot be started.
    """
    pool = _Pool(paths, preprocessing, seconds, processes or core_count(), keep)
    try:
        while pool.done < len(paths):
            pool.hand_out()
            while pool.done in pool.results:
                yield pool.results.pop(pool.done)
                pool.done += 1
            if pool.done < len(paths):
                pool.wait()
    finally:
        pool.stop()


class _Pool:
    """The processes, the files that wait, and the results that wait for an earlier one."""

    def __init__(self, paths: Sequence[str], preprocessing: Preprocessing, seconds: float, processes: int, keep: bool) -> None:
        self.paths, self.seconds, self.keep = paths, seconds, keep
        order = {"preprocessing": asdict(preprocessing), "seconds": seconds, "memory_bytes": MEMORY_A_FILE}
        self.order = json.dumps(order).encode() + b"\n"
        self.size = max(1, min(processes, len(paths) // _FILES_A_WORKER))
        self.todo, self.attempts = deque(range(len(paths))), [0] * len(paths)
        self.results: dict[int, Prepared] = {}
        self.done = 0
        self.workers: list[_Worker] = []
        self.selector = selectors.DefaultSelector()

    def hand_out(self) -> None:
        """Starts what is missing, and gives each idle process a file."""
        while len(self.workers) < self.size and self.todo:
            worker = (_take_spare(self.order) if self.keep else None) or _Worker(self.order)
            self.workers.append(worker)
            self.selector.register(worker.replies, selectors.EVENT_READ, worker)
        for held in range(_GIVEN):
            for worker in self.workers:
                room = worker.ready and len(worker.files) == held
                few = held and len(self.todo) < self.size  # the last ones go to whoever is free first
                if room and not few and self.todo and self.todo[0] - self.done < self.size * _AHEAD:
                    worker.give(self.todo.popleft(), self.paths)

    def wait(self) -> None:
        """Takes the next replies, and replaces processes that died or took too long."""
        now = time.monotonic()
        deadlines = [worker.since + self._patience(worker) for worker in self.workers if not worker.idle]
        ready = self.selector.select(max(0.0, min(deadlines, default=now + 1) - now))
        for key, _ in ready:
            worker: _Worker = key.data
            if not worker.receive():
                self._bury(worker, f"decoder crashed ({_how(worker.process.wait())})")
            else:
                while (reply := worker.reply()) is not None:
                    self._accept(worker, *reply)
        answering = {key.data for key, _ in self.selector.select(0)}  # a reply that waits for us is not late
        for worker in [worker for worker in self.workers if not worker.idle and worker not in answering]:
            if time.monotonic() - worker.since > self._patience(worker):
                self._bury(worker, f"took longer than {self.seconds:g} s")

    def stop(self) -> None:
        """Ends the processes, whatever they are doing."""
        for worker in self.workers:
            if self.keep and worker.idle:
                with _spare_lock:
                    _spares.append(worker)
            else:
                worker.stop()
        self.selector.close()

    def _patience(self, worker: "_Worker") -> float:
        return self.seconds if worker.ready else _START_S

    def _accept(self, worker: "_Worker", facts: dict[str, Any], pixels: bytes) -> None:
        if "config" in facts:
            raise ConfigError(facts["config"])
        if worker.ready:
            file = worker.files.popleft()
            self.results[file] = _result(self.paths[file], facts, pixels)
        worker.ready, worker.since = True, time.monotonic()

    def _bury(self, worker: "_Worker", reason: str) -> None:
        self.selector.unregister(worker.replies)
        self.workers.remove(worker)
        worker.stop()
        if not worker.ready:
            raise RunError(f"a decoding process did not start ({worker.last_words or reason}). Run again, or reinstall.")
        if not worker.files:
            return
        file = worker.files.popleft()  # the others had not been begun
        self.attempts[file] += 1
        self.todo.extendleft(reversed(worker.files))
        if self.attempts[file] < _ATTEMPTS:
            self.todo.appendleft(file)
        else:
            self.results[file] = Exclusion(
                self.paths[file], reason, f"{self.paths[file]}: {reason}. Leave it out, or convert it."
            )


class _Worker:
    """One decoding process, the files it was given, and since when it has been at the first of them."""

    def __init__(self, order: bytes) -> None:
        self.order = order
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log,
                env=_environment(),
                process_group=0,  # Ctrl-C is for the job, which ends them; they end by themselves when it is gone
            )
        except OSError as error:
            self.log.close()
            raise RunError(f"a decoding process cannot be started ({error.strerror or error}). Run again.") from error
        self.orders, self.replies = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        self.ready, self.since, self.last_words = False, time.monotonic(), ""
        self.files: deque[int] = deque()
        self._received = bytearray()
        self._write(order)

    @property
    def idle(self) -> bool:
        return self.ready and not self.files

    def give(self, file: int, paths: Sequence[str]) -> None:
        if not self.files:
            self.since = time.monotonic()
        self.files.append(file)
        self._write(json.dumps(paths[file]).encode() + b"\n")

    def receive(self) -> bool:
        """Takes what has come; False where nothing will come any more."""
        got = os.read(self.replies.fileno(), 1 << 20)
        self._received += got
        return bool(got)

    def reply(self) -> tuple[dict[str, Any], bytes] | None:
        """The message that is complete, if one is."""
        if len(self._received) < 8:
            return None
        said, pixels = unpack_from("<II", self._received)
        if len(self._received) < 8 + said + pixels:
            return None
        facts, data = json.loads(self._received[8 : 8 + said]), bytes(self._received[8 + said : 8 + said + pixels])
        del self._received[: 8 + said + pixels]
        return facts, data

    def stop(self) -> None:
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):  # one that waits for a dead disk cannot be ended: it ends with the disk
            self.process.wait(timeout=10)
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip()
        self.last_words = said.splitlines()[-1][:200] if said else ""
        with suppress(BrokenPipeError):
            self.orders.close()
        self.replies.close()
        self.log.close()

    def _write(self, line: bytes) -> None:
        with suppress(BrokenPipeError):  # its death is seen where its reply would have come
            self.orders.write(line)
            self.orders.flush()


def _take_spare(order: bytes) -> _Worker | None:
    """An idle process with this order; those with another order are ended, for they hold memory."""
    with _spare_lock:
        fit = [worker for worker in _spares if worker.order == order and worker.process.poll() is None]
        others = [worker for worker in _spares if worker not in fit]
        _spares[:] = fit[1:]
    for worker in others:
        worker.stop()
    return fit[0] if fit else None


def _result(path: str, facts: dict[str, Any], pixels: bytes) -> Prepared:
    if "reason" in facts:
        return Exclusion(path, facts["reason"], facts["detail"])
    return PreparedImage(
        pixels=np.frombuffer(pixels, np.uint8).reshape(facts["shape"]),
        geometry=PreparedGeometry(**facts["geometry"]),
        applied=tuple(facts["applied"]),
        warnings=tuple(facts["warnings"]),
        pixel_sha256=facts["pixel_sha256"],
    )


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _environment() -> dict[str, str]:
    """The processes keep their memory.

    glibc would return it after each file, and the system clear it for the next: half as long again as the decoding.
    """
    kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 28)}
    return worker_environment() | kept
