"""Headers of very many files, on every core.

Reading a header is Python work under one lock, so threads do not add up. Processes do. They are started as programs of their
own and not by ``multiprocessing``: a caller's script needs no ``__main__`` guard, and none inherits open files or threads.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import attrgetter
from queue import SimpleQueue
from typing import IO, Any, NamedTuple, cast

from medclassify.dicom.header import read_if_image
from medclassify.errors import DicomError, RunError
from medclassify.runs import core_count, worker_environment

_AT_ONCE = 500
_PROCESSES_PAY = 10_000  # files: below, one process is done before others have started
_PROGRAM = "from medclassify.dicom.bulk import main; main()"


class HeaderBatch(NamedTuple):
    """What some files hold.

    Attributes:
        headers: Field of ``InstanceHeader`` → its values, one an image, in the order of the files.
        failed: Of each file that cannot be read: path, name of the error's class, and its message.
        others: Files that are no images by their first bytes.
    """

    headers: dict[str, list[Any]]
    failed: list[tuple[str, str, str]]
    others: list[str]

    def __len__(self) -> int:
        return len(next(iter(self.headers.values()))) + len(self.failed) + len(self.others)


def read_header_batches(paths: Sequence[str], fields: Sequence[str], *, processes: int | None = None) -> Iterator[HeaderBatch]:
    """Reads headers, some hundred at a time; one bad file is told and the rest goes on.

    Args:
        paths: Files that may be images.
        fields: Which fields of ``InstanceHeader`` are wanted, at least one.
        processes: How many; when left out as many as there are cores, or none besides this one for less than 10,000 files.

    Yields:
        Batches in the order of the paths.

    Raises:
        RunError: A process was killed.
    """
    parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
    count = min(processes or (core_count() if len(paths) >= _PROCESSES_PAY else 1), len(parts))
    if count > 1:
        yield from _read_elsewhere(parts, fields, count)
        return
    for part in parts:
        yield read_batch(part, fields)


def read_batch(paths: Sequence[str], fields: Sequence[str]) -> HeaderBatch:
    """Reads headers in this process."""
    headers, failed, others = [], [], []
    for path in paths:
        try:
            header = read_if_image(path)
        except DicomError as error:
            failed.append((path, type(error).__name__, str(error)))
            continue
        if header is None:
            others.append(path)
        else:
            headers.append(header)
    return HeaderBatch({name: list(map(attrgetter(name), headers)) for name in fields}, failed, others)


class _Reader:
    """One process: a line of JSON in, a line of JSON out."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        command = [sys.executable, "-P", "-c", _PROGRAM]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=worker_environment()
        )
        self._questions, self._answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def read(self, paths: Sequence[str], fields: Sequence[str]) -> HeaderBatch:
        try:
            self._questions.write(json.dumps([list(paths), list(fields)]).encode() + b"\n")
            self._questions.flush()
            answer = self._answers.readline()
        except OSError:
            answer = b""
        if answer.endswith(b"\n"):
            return HeaderBatch(*json.loads(answer))
        code = self._process.wait()
        if code < 0:
            raise RunError(f"a process that reads headers was killed by signal {-code}. Run again: it goes on from here.")
        self._log.seek(0)
        raise RuntimeError(f"a process that reads headers ended with {code}:\n{self._log.read().decode(errors='replace')}")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        for stream in (self._questions, self._answers, self._log):
            with suppress(OSError):  # what was not sent to a process that is gone
                stream.close()


def _read_elsewhere(parts: Sequence[Sequence[str]], fields: Sequence[str], count: int) -> Iterator[HeaderBatch]:
    readers = [_Reader() for _ in range(count)]
    idle: SimpleQueue[_Reader] = SimpleQueue()
    for reader in readers:
        idle.put(reader)

    def one(part: Sequence[str]) -> HeaderBatch:
        reader = idle.get()  # there are as many threads as readers
        try:
            return reader.read(part, fields)
        finally:
            idle.put(reader)

    with ThreadPoolExecutor(count) as pool:
        try:
            yield from pool.map(one, parts)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for reader in readers:
                reader.stop()
    for reader in readers:
        reader.close()


def main() -> None:
    """What a reading process does, until there is nothing more to read; Ctrl-C is for the process that started it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        paths, fields = json.loads(line)
        sys.stdout.write(json.dumps(read_batch(paths, fields)) + "\n")
        sys.stdout.flush()
