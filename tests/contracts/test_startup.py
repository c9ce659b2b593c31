"""``medclassify --help`` answers before any network stack is loaded, and light packages stay light."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "lightning", "pytorch_lightning", "monai", "timm", "pydicom"}
LIGHT = [
    *("errors", "records", "config", "runs", "manifest", "metrics", "calibration", "audit", "review", "display"),
    *("planning", "search"),
]
SLOW_TO_IMPORT = {"pandas", "scipy", "sklearn", "statsmodels", "matplotlib", "sqlalchemy", "cv2", "imagecodecs", "pyarrow"}


def imported_by(repository: Path, code: str) -> set[str]:
    """The top-level modules that stand in ``sys.modules`` of a fresh interpreter after ``code``."""
    ending = "\nimport json, sys\nprint('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    result = subprocess.run(
        [sys.executable, "-c", code + ending], cwd=repository, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_help_imports_nothing_heavy(repository: Path):
    code = """
from medclassify.cli import main
try:
    code = main(["--help"])
except SystemExit as stop:
    code = stop.code
assert not code, code
"""
    assert imported_by(repository, code) & (HEAVY | SLOW_TO_IMPORT | {"streamlit"}) == set()


@pytest.mark.parametrize("package", LIGHT)
def test_a_light_package_loads_no_network_stack(repository: Path, package: str):
    # Third parties count here, which the import rules cannot see: a library may pull torch in behind our back.
    assert imported_by(repository, f"import medclassify.{package}") & HEAVY == set()


def test_auditing_a_table_loads_no_network_stack(repository: Path, tmp_path: Path):
    rows = "".join(f"{number % 2},{number % 7 / 7},{'FM'[number % 3 > 0]}\n" for number in range(60))
    (tmp_path / "theirs.csv").write_text(f"target,probability,sex\n{rows}")
    words = ["audit", "--predictions", str(tmp_path / "theirs.csv"), "--attributes", "sex"]
    assert imported_by(repository, f"from medclassify.cli import main\nassert main({words!r}) == 0") & HEAVY == set()
    assert (tmp_path / "theirs-audit" / "report.html").is_file()


def test_the_version_costs_nothing(repository: Path):
    assert {
        name for name in imported_by(repository, "import medclassify") if name in HEAVY | SLOW_TO_IMPORT | {"numpy"}
    } == set()


def test_python_dash_m_is_the_command(repository: Path):
    command = [sys.executable, "-m", "medclassify", "--help"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0
    assert "fit" in result.stdout
