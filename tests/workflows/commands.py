"""Runs ``medclassify`` in a process of its own that need not import PyTorch, MONAI and Lightning again: that takes seconds.

A server (``multiprocessing``'s forkserver) imports them once and forks for every command. Words, folder, environment, exit
code and what is printed are the command's own, as if it had been typed. What a library reads while it is imported (``HF_HOME``)
comes too late here: such a command is started as a program.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
VERBS = ("fit", "predict", "evaluate", "explain", "plan", "prepare", "tune_hparams", "audit", "compare", "verify")


def start_server(environment: Mapping[str, str]) -> None:
    """Starts the server, which keeps this environment for what it imports (threads, paths); does nothing where it runs."""
    SERVER.set_forkserver_preload([f"medclassify.workflows.{verb}" for verb in VERBS])
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(words: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """One command; its words do not name the program."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = SERVER.Process(target=_command, args=(list(words), str(cwd), dict(environment), str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(words), timeout, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(list(words), process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _command(words: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    for number, path in ((1, out), (2, err)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    assert "torch" in sys.modules, "the server imported nothing in advance"
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["medclassify", *words]
    from medclassify.cli import main

    sys.exit(main(words))
