"""``medclassify review RUN``: what it starts, what it refuses, and that it leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from medclassify.errors import ReviewError, RunError
from medclassify.workflows.review import page_command, page_script, review

Serve = Callable[[Path], tuple[str, "subprocess.Popen[str]"]]


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def children(process: "subprocess.Popen[str]") -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_on_loopback_and_ends_with_its_page(build_run, serve: Serve, number: signal.Signals) -> None:
    address, process = serve(build_run())
    with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
        assert answer.read() == b"ok"
    (child,) = children(process)
    command = Path(f"/proc/{child}/cmdline").read_text().split("\0")
    assert command[command.index("--server.address") + 1] == "127.0.0.1"
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "Every confirmed verdict is stored" in output
    assert errors == ""
    assert not alive(child)


def test_a_taken_port_is_said(build_run, taken_port: int) -> None:
    with pytest.raises(ReviewError, match=rf"port {taken_port} on 127.0.0.1 is taken .*--port {taken_port + 1}"):
        review(build_run(), taken_port)


@pytest.mark.parametrize("port", [0, 70000])
def test_a_number_that_is_no_port_is_said(build_run, port: int) -> None:
    with pytest.raises(ReviewError, match=f"port {port} is not a port"):
        review(build_run(), port)


def test_what_is_no_finished_run_is_refused_before_anything_starts(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        review(tmp_path, taken_port)


def test_without_streamlit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)  # Python's own way to say: cannot be imported
    with pytest.raises(ReviewError, match="Streamlit is not installed.* pip install streamlit"):
        page_command(tmp_path, 8501)


def test_without_the_page_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app", None)
    with pytest.raises(ReviewError, match="the review page .* is not installed"):
        page_script()


def test_a_page_that_cannot_start_is_said(build_run, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nif 'streamlit' in sys.orig_argv: sys.exit('broken on purpose')\n")
    code = (
        "from pathlib import Path; from medclassify.errors import ReviewError\n"
        "from medclassify.workflows.review import review\n"
        f"try:\n    review(Path({str(build_run())!r}), {free_port()})\nexcept ReviewError as error:\n    print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(repository)))}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout == "the review page did not start (exit code 1); its last words are above.\n"
    assert "broken on purpose" in result.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
