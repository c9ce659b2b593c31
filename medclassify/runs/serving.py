"""What a process of our own does: one task at a time from its standard input into an answer on its standard output.

A message is two lengths (little-endian, 32 bits each), JSON of the first length and bytes of the second. See ``pool`` for the
other side.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import Any

Answer = tuple[dict[str, Any], bytes]

_GRACE_S = 5  # its own alarm comes after the parent's patience, and only where the parent is gone


def serve(prepare: Callable[[dict[str, Any]], Callable[[Any], Answer]]) -> int:
    """Reads an order (``seconds`` and ``memory_bytes`` a task among it), then one JSON task a line, until the end.

    Args:
        prepare: From the order to what answers a task.

    Returns:
        The exit code.
    """
    order = json.loads(sys.stdin.buffer.readline())
    answer = prepare(order)
    replies = os.dup(1)
    _bound(order["memory_bytes"])
    _send(replies, {"ready": True}, b"")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # what a codec prints must not stand among the answers
    os.dup2(silence, 2)
    for line in sys.stdin.buffer:
        signal.alarm(round(order["seconds"]) + _GRACE_S)
        _send(replies, *answer(json.loads(line)))
        signal.alarm(0)
    return 0


def fault_of_file(path: str, error: Exception) -> tuple[str, str]:
    """Reason and detail of a file that met a fault that nobody has named: it costs this file, and no message is passed on.

    Its message may quote the header, a patient's name included: the place must do.
    """
    if isinstance(error, MemoryError):
        return "needs too much memory", f"{path}: decoding it needs too much memory. Leave it out."
    reason = f"reader failed ({type(error).__name__})"
    return reason, f"{path}: {reason} at {place_of(error)}. Leave it out."


def place_of(error: Exception) -> str:
    """Where an error was raised, ``file:line``."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _bound(memory_bytes: int) -> None:
    """Limits memory to what is in use plus ``memory_bytes`` where the platform can; forbids core dumps: they hold headers."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with suppress(OSError):  # where memory is short all the same, the system ends this process first, not the job
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _send(replies: int, facts: dict[str, Any], data: bytes) -> None:
    said = json.dumps(facts).encode()
    message = memoryview(pack("<II", len(said), len(data)) + said + data)
    while message:
        message = message[os.write(replies, message) :]
