"""What a person at a terminal sees while a verb works: lines, warnings, and a progress bar where there is a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

_PLAIN_SECONDS = 15.0
_silent = False


def say(line: str = "") -> None:
    """One line on standard output, at once."""
    if not _silent:
        print(line, flush=True)


def warn(line: str) -> None:
    """One line that must not be overlooked."""
    if not _silent:
        print(f"WARNING: {line}", file=sys.stderr, flush=True)


@contextmanager
def silence() -> Iterator[None]:
    """Nothing is shown: of several processes that do the same, one speaks."""
    global _silent
    before, _silent = _silent, True
    try:
        yield
    finally:
        _silent = before


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a function of (done, total): a bar on a terminal, else a plain line every 15 seconds and one at the end."""
    if sys.stderr.isatty() and not _silent:
        with tqdm(desc=f"  {label}", leave=False, dynamic_ncols=True) as bar:

            def move(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield move
        return
    start = last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_SECONDS or (done == total and now - start >= _PLAIN_SECONDS):
            last = now
            say(f"  {label}: {done} of {total} ({now - start:.0f} s)")

    yield tell
