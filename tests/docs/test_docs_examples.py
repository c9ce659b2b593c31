"""Every example with ``>>>`` on a page runs and gives what it shows."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
NEED_FILES = {"ct.md"}  # run by a test of their own, which makes the files
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in NEED_FILES])
def test_examples_of_a_page(page: str):
    found = doctest.testfile(str(DOCS / page), module_relative=False)
    assert found.attempted > 1
    assert found.failed == 0


def test_pages_that_need_files_are_run_elsewhere(repository: Path):
    tests = [path.read_text(encoding="utf-8") for path in (repository / "tests" / "unit").rglob("test_*docs*.py")]
    assert {page for page in NEED_FILES if any(page in text and "doctest.testfile" in text for text in tests)} == NEED_FILES
