"""Reads damaged files in processes of their own, and says how each reading ended, how long it took and what memory it took.

``python -m tests.fuzz.reading SEED FIRST STEP END FOLDER`` is such a process: one JSON line before a file, one after it.
"""

import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medclassify.dicom import read_header, read_image, read_shrunk
from medclassify.errors import DicomError
from tests.fuzz.mutations import mutant

HUNG_S = 60.0
_WINDOWS = ("voi", "voi", "percentile", "full", "none")
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ending:
    """How reading one damaged file ended.

    Attributes:
        number: The mutant's number.
        source: The file it was made from.
        done: The mutations.
        header: ``header``, the name of a ``DicomError``, or what must not be (``BUG: …``).
        image: ``image``, the name of a ``DicomError``, or what must not be.
        shrunk: The same, of ``read_shrunk``.
        seconds: All three readings, of processor time: a busy machine does not count.
        peak_mib: Most resident memory while reading, beyond what the process had before.
    """

    number: int
    source: str
    done: str
    header: str
    image: str
    shrunk: str
    seconds: float
    peak_mib: float

    @property
    def is_bug(self) -> bool:
        return "BUG" in (self.header[:3], self.image[:3], self.shrunk[:3])


def outcome(read: Callable[[], Any], path: Path | str) -> str:
    """``header`` or ``image``, an error's name, or ``BUG: …``: another exception, or a message that is not as promised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing may be printed past the caller either
            result = read()
    except DicomError as error:
        said = str(error)
        promised = said.startswith(f"{path}: ") and "\n" not in said and len(said) < len(str(path)) + 400
        return type(error).__name__ if promised and type(error) is not DicomError else f"BUG: message {said[:300]!r}"
    except BaseException as error:
        return f"BUG: {type(error).__name__}: {str(error)[:200]} at {_where(error)}"
    pixels = getattr(result, "pixels", None)
    if pixels is None:
        return "header"
    whole = pixels.dtype == np.float32 and pixels.ndim == 2 and pixels.size and np.isfinite(pixels).all()
    return "image" if whole else f"BUG: pixels {pixels.dtype} {pixels.shape}, not all finite"


def _where(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def read_mutant(seed: int, number: int, folder: Path) -> Ending:
    """Writes one damaged file, and reads its header, its image, and its image shrunk."""
    source, done, data = mutant(seed, number)
    path = folder / f"{os.getpid()}.dcm"
    path.write_bytes(data)
    window: Any = _WINDOWS[number % len(_WINDOWS)]
    frame = 0 if number % 2 else None  # the first of several, or the only one
    before = _reset_peak()
    started = time.process_time()
    header = outcome(lambda: read_header(path), path)
    image = outcome(lambda: read_image(path, window=window, frame=frame), path)
    shrunk = outcome(lambda: read_shrunk(path, window=window, frame=frame, longest_side=48)[0], path)
    seconds = time.process_time() - started
    peak = _memory("VmHWM") - before
    return Ending(number, source.name, done, header, image, shrunk, round(seconds, 4), round(peak, 1))


def _reset_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # Linux: the peak starts anew from what is resident now
    return _memory("VmRSS")


def _memory(line: str) -> float:
    found = re.search(rf"{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def read_all(seed: int, count: int, processes: int = 1) -> Iterator[Ending]:
    """Reads mutants 0 to ``count`` − 1; a process that dies or hangs costs its file, which is a bug, and is replaced."""
    with tempfile.TemporaryDirectory() as folder, selectors.DefaultSelector() as waiting:
        readers = [_Reader(seed, first, processes, count, folder) for first in range(processes)]
        try:
            for reader in readers:
                waiting.register(reader.lines, selectors.EVENT_READ, reader)
            while waiting.get_map():
                for key, _ in waiting.select(timeout=1):
                    yield from key.data.take(waiting)
                for reader in readers:
                    yield from reader.give_up_on_a_hang(waiting)
        finally:
            for reader in readers:
                reader.process.kill()
                reader.process.wait()


class _Reader:
    """One reading process, and its successors after a death."""

    def __init__(self, seed: int, first: int, step: int, end: int, folder: str) -> None:
        self.seed, self.next, self.step, self.end, self.folder = seed, first, step, end, folder
        self._start()

    def _start(self) -> None:
        numbers = [str(value) for value in (self.seed, self.next, self.step, self.end)]
        command = [sys.executable, "-m", "tests.fuzz.reading", *numbers, self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_REPOSITORY)
        assert self.process.stdout is not None
        self.lines, self.rest, self.since = self.process.stdout, b"", time.monotonic()

    def take(self, waiting: selectors.BaseSelector) -> Iterator[Ending]:
        got = os.read(self.lines.fileno(), 1 << 16)
        *lines, self.rest = (self.rest + got).split(b"\n")
        for line in lines:
            yield Ending(**json.loads(line))
            self.next += self.step
            self.since = time.monotonic()
        if not got:
            yield from self._replace(waiting, f"BUG: the process ended with {self.process.wait()}")

    def give_up_on_a_hang(self, waiting: selectors.BaseSelector) -> Iterator[Ending]:
        if self.next < self.end and time.monotonic() - self.since > HUNG_S:
            self.process.kill()
            yield from self._replace(waiting, f"BUG: hung for {HUNG_S:g} s")

    def _replace(self, waiting: selectors.BaseSelector, why: str) -> Iterator[Ending]:
        waiting.unregister(self.lines)
        if self.next >= self.end:
            return
        source, done, _ = mutant(self.seed, self.next)
        yield Ending(self.next, source.name, done, why, why, why, 0.0, 0.0)
        self.next += self.step
        if self.next < self.end:
            self._start()
            waiting.register(self.lines, selectors.EVENT_READ, self)


def main(arguments: list[str]) -> None:
    """What a reading process does."""
    import resource
    from dataclasses import asdict

    resource.setrlimit(resource.RLIMIT_AS, (1 << 34, 1 << 34))  # the machine outlives what this is here to find
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seed, first, step, end = map(int, arguments[:4])
    for number in range(first, end, step):
        print(json.dumps(asdict(read_mutant(seed, number, Path(arguments[4])))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
