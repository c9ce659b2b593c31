"""What every test may use."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPOSITORY = Path(__file__).resolve().parents[1]

if "PYTEST_XDIST_WORKER" in os.environ:  # as many threads as processors, all workers together; torch is not imported yet
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers of ``-n auto``: one a processor for a whole run; none for named tests, which start sooner here, or for a GPU."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    on_gpu = config.option.markexpr == "gpu"
    return min(len(os.sched_getaffinity(0)), 8) if whole and not on_gpu else 0


def pytest_collection_finish() -> None:
    """What collecting has imported (torch, monai, …) stays: full collections of garbage need not walk through it each time.

    Streamlit asks for one after every rerun of a page, and each would cost half a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real radiographs and published statistics; tests that need them skip where they are not."""
    folder = Path(os.environ.get("MEDCLASSIFY_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set MEDCLASSIFY_TEST_DATA")
    return folder


@pytest.fixture(autouse=True)
def private_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the patient key and the caches of a test out of the user's home."""
    folder = tmp_path_factory.getbasetemp() / "state"
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", str(folder / "patient.key"))
    monkeypatch.setenv("MEDCLASSIFY_CACHE", str(folder / "cache"))


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """A real browser, one for all tests (Playwright starts only once in a process); skips where there is none."""
    program = os.environ.get("MEDCLASSIFY_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium: install the chromium package, or set MEDCLASSIFY_TEST_CHROMIUM")
    switches = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
        "--disable-sync --no-first-run"
    )
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=switches.split())
        yield browser
        browser.close()
