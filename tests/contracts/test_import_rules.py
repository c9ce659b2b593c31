"""The floors of the house hold, and each rule bites when it is broken on purpose."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

PLANTED = [
    # (module, the line planted in it, what the linter must say)
    (
        "medclassify/metrics/planted.py",
        "import medclassify.workflows",
        "medclassify.metrics is not allowed to import medclassify.workflows",
    ),
    (
        "medclassify/manifest/planted.py",
        "import medclassify.dicom",
        "medclassify.manifest is not allowed to import medclassify.dicom",
    ),
    (
        "medclassify/records/planted.py",
        "import medclassify.config",
        "medclassify.records is not allowed to import medclassify.config",
    ),
    ("medclassify/audit/planted.py", "import torch", "medclassify.audit is not allowed to import torch"),
    ("medclassify/phantom/planted.py", "import pydicom", "medclassify.phantom.planted -> pydicom"),
    ("medclassify/workflows/saliency_planted.py", "import highdicom", "medclassify.workflows.saliency_planted -> highdicom"),
    ("medclassify/workflows/planted.py", "import streamlit", "medclassify is not allowed to import streamlit"),
    ("app/planted.py", "import timm", "app is not allowed to import timm"),
    ("medclassify/utils/__init__.py", "", "medclassify.utils"),
    (
        "medclassify/manifest/formats/planted.py",
        "import medclassify.manifest.reading",
        "- .formats -> .reading (1 import)",
    ),
]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter on the packages under ``root``."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]
    environment = {"PYTHONPATH": str(root), "PATH": "", "COLUMNS": "1000"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    return " ".join(result.stdout.split()) + result.stderr


@pytest.fixture(scope="module")
def house(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, to break."""
    copy = tmp_path_factory.mktemp("house")
    for package in ("medclassify", "app"):
        shutil.copytree(repository / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", copy)
    return copy


def test_the_house_keeps_its_rules(house: Path):
    result = lint(house)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Contracts: 6 kept, 0 broken." in result.stdout


@pytest.mark.parametrize(("module", "line", "complaint"), PLANTED, ids=[f"{module}: {line}" for module, line, _ in PLANTED])
def test_a_broken_rule_is_found(house: Path, module: str, line: str, complaint: str):
    planted = house / module
    new_folder = not planted.parent.exists()
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(line + "\n", encoding="utf-8")
    try:
        result = lint(house)
    finally:
        shutil.rmtree(planted.parent) if new_folder else planted.unlink()
    assert result.returncode == 1
    assert complaint in sentence(result)


IMPORTED_AS = {
    "OpenCV": "cv2",
    "Pillow": "PIL",
    "PyYAML": "yaml",
    "argon2-cffi": "argon2",
    "dicom-anonymizer": "dicomanonymizer",
    "huggingface-hub": "huggingface_hub",
    "lightning": "pytorch_lightning",
    "scikit-learn": "sklearn",
}
WITH_ANOTHER = {"lightning_fabric", "markupsafe"}
"""They come with lightning and jinja2."""


def test_the_documents_say_what_each_package_imports(repository: Path):
    graph = grimp.build_graph("medclassify", include_external_packages=True, cache_dir=None)
    imported: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            if module.startswith("medclassify.") and not other.startswith("medclassify"):
                imported[module.split(".")[1]].add(other)
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", page.split("Further rules")[0], re.MULTILINE)
    assert {name for name, _ in rows} == {path.parent.name for path in (repository / "medclassify").glob("*/__init__.py")} | {
        "errors"
    }
    for name, told in rows:
        names = re.split(r", |; | and ", re.sub(r" \(.*?\)|–", "", told).strip())
        expected = imported[name] - sys.stdlib_module_names - WITH_ANOTHER
        assert {IMPORTED_AS.get(one, one) for one in names if one} == expected, name


def test_the_documents_place_every_module_of_the_workflows(repository: Path):
    page = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split("## Inside `workflows`")[1].split("\n## ")[0].split("|---|---|")[1]
    told = re.findall(r"`(\w+)`", section)
    assert len(told) == len(set(told))
    assert set(told) == {path.stem for path in (repository / "medclassify" / "workflows").glob("*.py")} - {"__init__"}
