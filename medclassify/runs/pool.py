"""Work on files in processes of our own: a crash or a hang of native code costs one file and not the job.

They are started as programs of their own and not by ``multiprocessing``: a caller's script needs no ``__main__`` guard, and no
process inherits a network library's threads or imports one. Each works on one task at a time, with the next one waiting, and
answers with JSON and raw bytes (see ``serving``). This is no sandbox: a process may do what its user may do.
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
from struct import unpack_from
from typing import IO, Any, NamedTuple, cast

from medclassify.errors import RunError
from medclassify.runs.processes import core_count, worker_environment

SECONDS_A_FILE = 120.0
"""A file that takes longer is left out; the largest image that is read takes a tenth of it."""
MEMORY_A_FILE = 1 << 32
"""Bytes that a process may take for a file, beyond what it needs to start: 4 GiB."""

_START_S = 300.0
_TASKS_A_WORKER = 4  # fewer are not worth another start
_GIVEN = 2  # the task at work and the next one: nobody waits for one
_AHEAD = 16  # answers that may wait for an earlier one, for each process: bounds memory
_ATTEMPTS = 2  # a process may also die for lack of memory, or wait for a disk: only who fails twice is left out

Answer = tuple[dict[str, Any], bytes]
_spares: "list[_Worker]" = []  # idle ones that a call left for the next; several threads may ask
_spare_lock = threading.Lock()


class Program(NamedTuple):
    """What the processes do.

    Attributes:
        code: Python that ends in ``serving.serve``.
        doer: What one is called that dies: "decoder".
        deed: What it is at: "decoding".
    """

    code: str
    doer: str
    deed: str


def work(
    program: Program,
    order: dict[str, Any],
    tasks: Sequence[Any],
    *,
    seconds: float,
    memory_bytes: int,
    processes: int | None = None,
    keep: bool = False,
) -> Generator[Answer | str, None, None]:
    """Has tasks done, several at a time.

    Close the generator (``contextlib.closing``) when it may end early: that ends its processes.

    Args:
        program: What the processes do.
        order: What they are told once; JSON.
        tasks: What they are told one by one; JSON.
        seconds: How long one task may take.
        memory_bytes: How much memory it may take, beyond what a process needs to start.
        processes: How many at most; as many as there are cores when left out.
        keep: Leave the processes that are idle at the end for the next call with this program and order; they end with ours.

    Yields:
        For each task, in the order given: the answer, or why there is none.

    Raises:
        RunError: A process cannot be started.
    """
    told = json.dumps({**order, "seconds": seconds, "memory_bytes": memory_bytes}).encode() + b"\n"
    pool = _Pool(program, told, tasks, seconds, processes or core_count(), keep)
    try:
        while pool.done < len(tasks):
            pool.hand_out()
            while pool.done in pool.answers:
                yield pool.answers.pop(pool.done)
                pool.done += 1
            if pool.done < len(tasks):
                pool.wait()
    finally:
        pool.stop()


class _Pool:
    """The processes, the tasks that wait, and the answers that wait for an earlier one."""

    def __init__(
        self, program: Program, order: bytes, tasks: Sequence[Any], seconds: float, processes: int, keep: bool
    ) -> None:
        self.program, self.order, self.tasks, self.seconds, self.keep = program, order, tasks, seconds, keep
        self.size = max(1, min(processes, len(tasks) // _TASKS_A_WORKER))
        self.todo, self.attempts = deque(range(len(tasks))), [0] * len(tasks)
        self.answers: dict[int, Answer | str] = {}
        self.done = 0
        self.workers: list[_Worker] = []
        self.selector = selectors.DefaultSelector()

    def hand_out(self) -> None:
        """Starts what is missing, and gives each idle process a task."""
        while len(self.workers) < self.size and self.todo:
            spare = _take_spare(self.program, self.order) if self.keep else None
            worker = spare or _Worker(self.program, self.order)
            self.workers.append(worker)
            self.selector.register(worker.replies, selectors.EVENT_READ, worker)
        for held in range(_GIVEN):
            for worker in self.workers:
                room = worker.ready and len(worker.tasks) == held
                few = held and len(self.todo) < self.size  # the last ones go to whoever is free first
                if room and not few and self.todo and self.todo[0] - self.done < self.size * _AHEAD:
                    worker.give(self.todo.popleft(), self.tasks)

    def wait(self) -> None:
        """Takes the next answers, and replaces processes that died or took too long."""
        now = time.monotonic()
        deadlines = [worker.since + self._patience(worker) for worker in self.workers if not worker.idle]
        ready = self.selector.select(max(0.0, min(deadlines, default=now + 1) - now))
        for key, _ in ready:
            worker: _Worker = key.data
            if not worker.receive():
                self._bury(worker, f"{self.program.doer} crashed ({_how(worker.process.wait())})")
            else:
                while (answer := worker.answer()) is not None:
                    self._accept(worker, answer)
        answering = {key.data for key, _ in self.selector.select(0)}  # an answer that waits for us is not late
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

    def _accept(self, worker: "_Worker", answer: Answer) -> None:
        if worker.ready:
            self.answers[worker.tasks.popleft()] = answer
        worker.ready, worker.since = True, time.monotonic()

    def _bury(self, worker: "_Worker", reason: str) -> None:
        self.selector.unregister(worker.replies)
        self.workers.remove(worker)
        worker.stop()
        if not worker.ready:
            said = worker.last_words or reason
            raise RunError(f"a {self.program.deed} process did not start ({said}). Run again, or reinstall.")
        if not worker.tasks:
            return
        task = worker.tasks.popleft()  # the others had not been begun
        self.attempts[task] += 1
        self.todo.extendleft(reversed(worker.tasks))
        if self.attempts[task] < _ATTEMPTS:
            self.todo.appendleft(task)
        else:
            self.answers[task] = reason


class _Worker:
    """One process, the tasks it was given, and since when it has been at the first of them."""

    def __init__(self, program: Program, order: bytes) -> None:
        self.program, self.order = program, order
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", program.code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log,
                env=_environment(),
                process_group=0,  # Ctrl-C is for the job, which ends them; they end by themselves when it is gone
            )
        except OSError as error:
            self.log.close()
            said = error.strerror or error
            raise RunError(f"a {program.deed} process cannot be started ({said}). Run again.") from error
        self.orders, self.replies = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        self.ready, self.since, self.last_words = False, time.monotonic(), ""
        self.tasks: deque[int] = deque()
        self._received = bytearray()
        self._write(order)

    @property
    def idle(self) -> bool:
        return self.ready and not self.tasks

    def give(self, number: int, tasks: Sequence[Any]) -> None:
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(number)
        self._write(json.dumps(tasks[number]).encode() + b"\n")

    def receive(self) -> bool:
        """Takes what has come; False where nothing will come any more."""
        got = os.read(self.replies.fileno(), 1 << 20)
        self._received += got
        return bool(got)

    def answer(self) -> Answer | None:
        """The message that is complete, if one is."""
        if len(self._received) < 8:
            return None
        said, data = unpack_from("<II", self._received)
        if len(self._received) < 8 + said + data:
            return None
        answer = json.loads(self._received[8 : 8 + said]), bytes(self._received[8 + said : 8 + said + data])
        del self._received[: 8 + said + data]
        return answer

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
        with suppress(BrokenPipeError):  # its death is seen where its answer would have come
            self.orders.write(line)
            self.orders.flush()


def _take_spare(program: Program, order: bytes) -> _Worker | None:
    """An idle process with this order; those with another order are ended, for they hold memory."""
    with _spare_lock:
        fit = [
            worker for worker in _spares if (worker.program, worker.order) == (program, order) and worker.process.poll() is None
        ]
        others = [worker for worker in _spares if worker not in fit]
        _spares[:] = fit[1:]
    for worker in others:
        worker.stop()
    return fit[0] if fit else None


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _environment() -> dict[str, str]:
    """The processes keep their memory.

    glibc would return it after each file, and the system clear it for the next: half as long again as the decoding.
    """
    kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 28)}
    return worker_environment() | kept
