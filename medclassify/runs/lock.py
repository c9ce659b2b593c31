"""One of several processes does the work, on one machine or on many; the others wait for it.

A lock is a file that only one process can make (``O_EXCL``, which NFS keeps since version 3) and that its holder rewrites
every few seconds. It holds no operating-system lock: those are lost or local on many network file systems. On its own machine a
holder is dead when its process is gone; elsewhere when its file has not changed for two minutes of the waiter's own clock, so
that the machines' clocks need not agree. A holder that was only asleep may wake up to find another at work: what is guarded
must therefore be put in its place by a rename that leaves alone what stands there already. The lock saves work; the rename is
what makes it safe.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

BEAT_S = 5.0
"""How often a holder says that it lives."""
SILENT_S = 120.0
"""How long a holder elsewhere may be silent: longer than a network file system keeps what it knows of a file (60 s)."""
_POLL_S = 0.25
_BYTES = 512

Tell = Callable[[str], None]


@contextmanager
def one_works(lock: Path, done: Callable[[], bool], what: str, tell: Tell | None = None) -> Iterator[bool]:
    """Lets one process in at a time, until the work is done.

    Args:
        lock: The file that stands for the right to work; its folder is made.
        done: Whether there is nothing left to do.
        what: What is waited for, in words, for the line that says so.
        tell: Called with one line when this process begins to wait, and with one where a dead holder's lock is taken over.

    Yields:
        True where this process has to do the work, and alone may; False where it has been done.

    Raises:
        OSError: The folder cannot be written.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    watch = _Watch()
    while not done():
        if (held := _Held.take(lock)) is not None:
            try:
                yield not done()  # it may have been finished between our last look and now
            finally:
                held.release()
            return
        holder = _read(lock)
        if holder is not None and watch.is_dead(holder):
            if _remove(lock, holder) and tell:
                tell(f"{what}: process {_name(holder)} had begun it and is gone; this process does it now")
        elif holder is not None and watch.first and tell and watch.knows_name(holder):
            watch.first = False
            tell(f"{what}: process {_name(holder)} is making it; waiting")
        time.sleep(_POLL_S)
    yield False


class _Held:
    """A lock of this process, and the thread that keeps it fresh."""

    def __init__(self, path: Path, file: int) -> None:
        self.path, self.file = path, file
        self.facts = {"token": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid(), "place": _place(), "beat": 0}
        self.facts["started"] = _started(os.getpid())
        self._write()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._live, daemon=True, name="lock")
        self.thread.start()

    @classmethod
    def take(cls, path: Path) -> "_Held | None":
        try:
            return cls(path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return None

    def release(self) -> None:
        self.ended.set()
        self.thread.join()
        os.close(self.file)
        holder = _read(self.path)
        if holder and holder["token"] == self.facts["token"]:  # it may have been taken over from us
            with suppress(OSError):
                self.path.unlink()

    def _live(self) -> None:
        while not self.ended.wait(BEAT_S):
            self.facts["beat"] += 1
            with suppress(OSError):  # a full or lost disk is told where the work meets it
                self._write()

    def _write(self) -> None:
        os.pwrite(self.file, json.dumps(self.facts).encode().ljust(_BYTES), 0)
        with suppress(OSError):
            os.fsync(self.file)


class _Watch:
    """What one waiter has seen of the holder."""

    def __init__(self) -> None:
        self.first = True
        self.seen: dict[str, Any] = {}
        self.since = time.monotonic()

    def is_dead(self, holder: dict[str, Any]) -> bool:
        if holder != self.seen:
            self.seen, self.since = holder, time.monotonic()
        if holder.get("place") == _place():
            return _started(holder["pid"]) != holder["started"]
        return time.monotonic() - self.since > SILENT_S

    def knows_name(self, holder: dict[str, Any]) -> bool:
        """A holder writes its name just after it has made the file: a second later it will not come any more."""
        return "pid" in holder or time.monotonic() - self.since > 1


def _read(lock: Path) -> dict[str, Any] | None:
    """Who holds it; None where nobody does. One that has not said yet who it is has no name."""
    try:
        text = lock.read_bytes()
    except OSError:
        return None
    try:
        return {"token": "", **json.loads(text)}
    except ValueError:
        return {"token": "", "text": text.decode(errors="replace")}


def _remove(lock: Path, holder: dict[str, Any]) -> bool:
    """Takes a dead holder's lock away; where somebody else has done that and holds it now, it is given back."""
    aside = lock.with_name(f"{lock.name}.{uuid.uuid4().hex}")
    try:
        os.rename(lock, aside)
    except OSError:
        return False
    ours = (_read(aside) or {}).get("token") == holder["token"]
    if not ours:
        with suppress(OSError):  # a third one holds it already: two work, and the rename decides
            os.link(aside, lock)
    with suppress(OSError):
        aside.unlink()
    return ours


def _place() -> str:
    """Where process numbers mean the same: this boot of this machine, and this namespace (containers share a machine)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """When a process began, in the system's own count, since numbers are given again; "" where there is none."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if facts[0] in "ZX" else facts[19]  # dead, and nobody has asked for its exit code yet
    except (OSError, IndexError):
        pass
    if os.path.isdir("/proc/self"):
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"


def _name(holder: dict[str, Any]) -> str:
    return f"{holder['pid']} on {holder['host']}" if "pid" in holder else "of another machine"
