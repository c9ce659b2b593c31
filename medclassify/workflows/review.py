"""Starts the review page on loopback and stays with it until Ctrl-C."""

import importlib.util
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from medclassify.config import load_config
from medclassify.config.schema import ReviewConfig
from medclassify.errors import ReviewError
from medclassify.review import Accounts, open_review_run, open_review_store
from medclassify.runs import RunLayout
from medclassify.workflows.consent import Withdrawn
from medclassify.workflows.console import say, warn

ADDRESS = "127.0.0.1"
_START_SECONDS = 120.0
_STOP_SECONDS = 5.0


def review(
    run: Path,
    port: int | None = None,
    exclude_patients: Sequence[str] = (),
    *,
    address: str = ADDRESS,
    store: str | None = None,
    show_phi: bool = False,
) -> None:
    """Serves the review page of a finished run until Ctrl-C or SIGTERM.

    Args:
        run: The run directory.
        port: The port; ``review.port`` of the run's config when left out.
        exclude_patients: Patients who withdrew consent: the page does not show them.
        address: Where to listen; another than loopback only where everybody signs in.
        store: Where readings are kept, as of `open_review_store`.
        show_phi: The page may show who a patient is; each time is logged.

    Raises:
        RunError: It is not a finished run.
        ReviewError: The run's tables cannot be used, the port is taken, Streamlit or the page is not installed, the page does
            not start, or it would listen elsewhere than on loopback without anyone signing in.
        StorageError: The review store cannot be written.
    """
    withdrawn = Withdrawn.of(exclude_patients, RunLayout.open(run))
    opened = open_review_run(run)
    shown = withdrawn.leave_out_rows(opened.predictions.drop_duplicates("sample_id"), str(opened.layout.predictions))
    excluded = sorted({*opened.predictions["patient_id"]} - {*shown["patient_id"]})
    settings = load_config(opened.layout.config).review
    port = settings.port if port is None else port
    readings = open_review_store(opened.layout, store)
    signs_in = Accounts(readings).required
    _require_sign_in(address, signs_in, run)
    words = page_words(store, settings.idle_minutes, show_phi)
    command = page_command(run, port, excluded, address=address, words=words)
    readings.close()
    _require_free(port, address)
    with _stop_signals_as_interrupt():
        page = _start(command)
        try:
            _wait_until_up(page, port, address)
            say(f"Review page of {run}: http://{_shown(address)}:{port}")
            if not _is_loopback(address):
                warn("passwords and images leave this port unencrypted: see TLS in docs/review-administration.md")
            if show_phi:
                warn("the page may show who a patient is, and logs each time it does")
            say(f"Readings are stored in {readings.place}. Stop with Ctrl-C.")
            code = page.wait()
            raise ReviewError(f"the review page ended by itself (exit code {code}); its last words are above. Start it again.")
        except KeyboardInterrupt:
            say("Stopped. Every confirmed verdict is stored.")
        finally:
            _stop(page)


def page_words(store: str | None, idle_minutes: int, show_phi: bool) -> list[str]:
    """What the page is told beyond its run: only what differs from what it does by itself."""
    words = [] if store is None else ["--store", store]
    if idle_minutes != ReviewConfig.idle_minutes:
        words += ["--idle-minutes", str(idle_minutes)]
    return words + (["--show-phi"] if show_phi else [])


def page_command(
    run: Path, port: int, excluded: Sequence[str] = (), *, address: str = ADDRESS, words: Sequence[str] = ()
) -> list[str]:
    """The command that serves the page.

    Args:
        run: The run directory.
        port: The port.
        excluded: Hashes of patients whom the page must not show.
        address: Where to listen.
        words: Of `page_words`.

    Raises:
        ReviewError: Streamlit or the page is not installed.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise ReviewError("Streamlit is not installed, so the review page cannot start. Install it with: pip install streamlit")
    options = {
        "server.address": address,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "logger.level": "warning",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    # -P: a folder named "app" where the user happens to stand is not our page.
    return [
        sys.executable,
        "-P",
        "-m",
        "streamlit",
        "run",
        str(page_script()),
        *flags,
        "--",
        str(run.resolve()),
        *words,
        *excluded,
    ]


def page_script() -> Path:
    """The page's script, found without importing it: the library does not know the dashboard.

    Raises:
        ReviewError: The page is not installed.
    """
    spec = importlib.util.find_spec("app")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (script := Path(folder) / "server.py").is_file():
            return script
    raise ReviewError("the review page (package `app`) is not installed beside medclassify. Install medclassify again.")


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    """Starts the page with SIGINT ignored: its server takes the signal to stop by, and says nothing of its own about it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGINT, before)


def _environment() -> dict[str, str]:
    # The page imports `app` and `medclassify`; where they are not installed, they stand beside each other.
    beside = [str(page_script().parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, beside))}


def _require_free(port: int, address: str) -> None:
    if not 1 <= port <= 65535:
        raise ReviewError(f"port {port} is not a port. Choose one from 1024 to 65535, e.g. --port 8501.")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a page that has just ended does not hold its port
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ReviewError(
                f"port {port} on {address} is taken ({error.strerror}). Choose another, e.g. --port {port + 1}."
            ) from error


def _wait_until_up(page: subprocess.Popen[bytes], port: int, address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a site's proxy does not know our loopback
    while time.monotonic() < deadline:
        if page.poll() is not None:
            raise ReviewError(f"the review page did not start (exit code {page.returncode}); its last words are above.")
        try:
            with direct.open(f"http://{_shown(address)}:{port}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise ReviewError(
        f"the review page did not answer on port {port} within {_START_SECONDS:.0f} s. Try again, or another --port."
    )


def _require_sign_in(address: str, signs_in: bool, run: Path) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise ReviewError(f"--address {address}: not an address. Give a number, e.g. 0.0.0.0 for every interface.") from error
    if not signs_in and not _is_loopback(address):
        raise ReviewError(
            f"--address {address}: the page would be open to others without anyone signing in. "
            f"Add an account first: medclassify review {run} --add-account NAME --roles reader"
        )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _shown(address: str) -> str:
    """How to reach a page that listens there from this machine."""
    number = ipaddress.ip_address(address)
    if number.is_unspecified:
        return "[::1]" if number.version == 6 else ADDRESS
    return f"[{address}]" if number.version == 6 else address


@contextmanager
def _stop_signals_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the page as Ctrl-C does, instead of leaving it behind without its parent."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(page: subprocess.Popen[bytes]) -> None:
    if page.poll() is None:
        page.send_signal(signal.SIGINT)
        try:
            page.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            page.kill()
            page.wait()
