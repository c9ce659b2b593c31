"""Renders with several processes.

They are started as programs of their own and not by ``multiprocessing``: a caller's script needs no ``__main__`` guard, no
process inherits a network library's threads, and none imports one.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import IO

from medclassify.config import PhantomConfig
from medclassify.errors import MedclassifyError, RunError, StorageError
from medclassify.runs import worker_environment

_KNOWN_FAILURE = 3
_PROGRAM = "import sys; from medclassify.phantom.workers import main; sys.exit(main(sys.argv[1]))"


def run_workers(folder: Path, config: PhantomConfig, count: int) -> Generator[str, None, None]:
    """Shares the patients out among processes.

    Args:
        folder: Where to write.
        config: What to render.
        count: How many processes, 2 or more.

    Yields:
        The name of each picture when it is written.

    Raises:
        StorageError: A process could not write.
        RunError: A process was killed.
        RuntimeError: A process failed in another way; its traceback is the message.
    """
    reader, writer = os.pipe()
    logs: list[IO[bytes]] = [tempfile.TemporaryFile() for _ in range(count)]  # noqa: SIM115 (closed below)
    running: list[subprocess.Popen[bytes]] = []
    try:
        for index, log in enumerate(logs):
            job = json.dumps({"folder": str(folder.absolute()), "config": asdict(config), "first": index, "step": count})
            command = [sys.executable, "-P", "-c", _PROGRAM, job]
            running.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=log, env=worker_environment())
            )
        os.close(writer)
        writer = -1
        with open(reader, encoding="utf-8", closefd=False) as lines:
            for line in lines:
                yield line.rstrip("\n")
        for process, log in zip(running, logs, strict=True):
            _judge(process.wait(), log)
    finally:
        for process in running:
            process.kill()
            process.wait()
        for log in logs:
            log.close()
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def _judge(code: int, log: IO[bytes]) -> None:
    if code == 0:
        return
    if code < 0:
        raise RunError(
            f"a rendering process was killed by signal {-code}; nothing was kept. Run again, with more memory if it was short."
        )
    log.seek(0)
    said = log.read().decode(errors="replace").strip()
    if code == _KNOWN_FAILURE:
        raise StorageError(said.splitlines()[-1])
    raise RuntimeError(f"a rendering process ended with {code}:\n{said}")


def main(job: str) -> int:
    """What a rendering process does: its share of the patients, one line a picture.

    Args:
        job: JSON: folder, config, first patient and step.

    Returns:
        The exit code: 0, or 3 for a failure that has a message.
    """
    from medclassify.phantom.kinds import kind_of

    order = json.loads(job)
    config = PhantomConfig(**{**order["config"], "faults": tuple(order["config"]["faults"])})
    try:
        for name in kind_of(config).write_share(Path(order["folder"]), config, order["first"], order["step"]):
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()
    except MedclassifyError as error:
        sys.stderr.write(f"{error}\n")
        return _KNOWN_FAILURE
    return 0
