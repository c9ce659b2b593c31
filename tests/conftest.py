"""What every test may use."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
