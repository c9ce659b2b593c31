"""A real PostgreSQL of one's own, in a folder of one's own, gone afterwards."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Starts a server on loopback; yields the URL of its empty database. Skips where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="no psycopg: pip install 'medclassify[postgresql]'")
    packaged = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    program = packaged[-1] if packaged else shutil.which("initdb")
    if program is None:
        pytest.skip("no PostgreSQL: install the postgresql package")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True)
    # The server refuses to run as root; Debian's package has an account for it.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(data, "postgres", "postgres")
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)

    def run(*words: str) -> None:
        done = subprocess.run([*as_user, *words], capture_output=True, text=True, check=False, cwd="/", timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    run(program, "-D", str(data), "-U", "reviewer", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
    control = str(Path(program).with_name("pg_ctl"))
    run(control, "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://reviewer@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
