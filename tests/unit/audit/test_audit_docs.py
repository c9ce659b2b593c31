"""The page on audits, held to the code."""

import doctest
from pathlib import Path

from medclassify.audit import GapVerdict
from medclassify.audit.table import SCORES, TARGETS


def test_the_examples_run(repository: Path) -> None:
    found = doctest.testfile(str(repository / "docs" / "audit.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


def test_every_column_and_verdict_is_named(repository: Path) -> None:
    page = (repository / "docs" / "audit.md").read_text(encoding="utf-8")
    for name in (*TARGETS, *SCORES, *GapVerdict):
        assert name in page
