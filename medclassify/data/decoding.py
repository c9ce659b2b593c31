"""What a decoding process does: one file at a time from its standard input into a prepared image on its standard output.

A message is two lengths (little-endian, 32 bits each), JSON of the first length and bytes of the second. It loads no network
stack, so it is ready in a fraction of a second. See ``workers`` for the other side.
"""

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from struct import pack
from typing import Any

import cv2

from medclassify.data.prepare import prepare_image
from medclassify.errors import ConfigError, DicomError
from medclassify.records import Preprocessing

_GRACE_S = 5  # its own alarm comes after the parent's patience, and only where the parent is gone

Reply = tuple[dict[str, Any], bytes]


def main() -> int:
    """Reads an order (``preprocessing``, ``seconds`` a file, ``memory_bytes``), then one JSON path a line, until the end."""
    order = json.loads(sys.stdin.buffer.readline())
    given: dict[str, Any] = order["preprocessing"]
    facts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    preprocessing = Preprocessing(**facts)
    replies = os.dup(1)
    cv2.setNumThreads(1)
    _bound(order["memory_bytes"])
    _send(replies, {"ready": True}, b"")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # what a codec prints must not stand among the replies
    os.dup2(silence, 2)
    for line in sys.stdin.buffer:
        signal.alarm(round(order["seconds"]) + _GRACE_S)
        _send(replies, *_answer(json.loads(line), preprocessing))
        signal.alarm(0)
    return 0


def _answer(path: str, preprocessing: Preprocessing) -> Reply:
    try:
        image = prepare_image(path, preprocessing)
    except DicomError as error:
        return {"reason": error.reason, "detail": str(error)}, b""
    except ConfigError as error:
        return {"config": str(error)}, b""
    except MemoryError:
        return {"reason": "needs too much memory", "detail": f"{path}: decoding it needs too much memory. Leave it out."}, b""
    except Exception as error:
        # A fault of the reader costs this file. Its message may quote the header, a patient's name included: the place must do.
        reason = f"reader failed ({type(error).__name__})"
        return {"reason": reason, "detail": f"{path}: {reason} at {place_of(error)}. Leave it out."}, b""
    return {
        "shape": image.pixels.shape,
        "geometry": asdict(image.geometry),
        "applied": image.applied,
        "warnings": image.warnings,
        "pixel_sha256": image.pixel_sha256,
    }, image.pixels.tobytes()


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


def _send(replies: int, facts: dict[str, Any], pixels: bytes) -> None:
    said = json.dumps(facts).encode()
    message = memoryview(pack("<II", len(said), len(pixels)) + said + pixels)
    while message:
        message = message[os.write(replies, message) :]
