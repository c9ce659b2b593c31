"""What a failed command must look like."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


def one_line(done: subprocess.CompletedProcess[str], *parts: str) -> str:
    """Asserts exit code 1 and a last line that says what is wrong; warnings may stand before it. Returns the line."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("medclassify: ")]
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0], lines[0]
    return lines[0]


def nothing_left(folder: Path, ignore: Sequence[str] = ()) -> None:
    """Asserts that a failed command left no run and no half-written file."""
    left = [path for path in folder.rglob("*") if path.name not in ignore]
    assert not left, left
