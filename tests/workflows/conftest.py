"""A small rendered dataset, and one fitted run on it that many tests look at."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import pytest

from medclassify.config import PhantomConfig
from medclassify.phantom import render_dataset

Cli = Callable[..., subprocess.CompletedProcess[str]]
SECONDS = 250

SMALL = """
seed_everything: 1
data: {source: PHANTOM/images, labels: PHANTOM/labels.csv, image_size: 64, batch_size: 16}
model: {backbone: test_efficientnet, weights: none}
trainer: {max_epochs: 2}
explain: {samples: 3}
audit: {bootstrap: 200}
"""


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 synthetic patients: ``images/``, ``masks/``, ``labels.csv``; rendered once for all workers of a test run."""
    own = tmp_path_factory.getbasetemp()
    return render_dataset(
        (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "phantom", PhantomConfig(patients=70, seed=5)
    )


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a command: its key and caches lie outside the user's home; one thread is enough for small nets."""
    folder = tmp_path_factory.mktemp("state")
    return {
        **os.environ,
        "MEDCLASSIFY_KEY_FILE": str(folder / "patient.key"),
        "MEDCLASSIFY_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


@pytest.fixture(scope="session")
def program(state: dict[str, str]) -> Cli:
    """Runs ``medclassify`` as a user does: another process, its own words, its own exit code."""

    def run(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "medclassify", *map(str, words)]
        return subprocess.run(
            command, cwd=cwd, env={**state, **environment}, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    return run


@pytest.fixture(scope="session")
def cli(state: dict[str, str]) -> Cli:
    """The same in a process that has PyTorch already: for the many commands whose start is tested by others."""
    commands.start_server(state)

    def run(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return commands.run([str(word) for word in words], cwd, {**state, **environment}, SECONDS)

    return run


@pytest.fixture(scope="session")
def small_config(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config that fits in seconds."""
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL.replace("PHANTOM", str(phantom)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def fitted(program: Cli, small_config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run, and what the command printed."""
    folder = tmp_path_factory.mktemp("fitted")
    done = program("fit", small_config, "--run_dir", folder / "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout
