"""The page on comparisons, held to the code."""

import doctest
from pathlib import Path

from medclassify.comparison import Verdict


def test_the_example_runs_and_every_verdict_is_named(repository: Path) -> None:
    page = repository / "docs" / "compare.md"
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted > 5 and found.failed == 0
    for verdict in Verdict:
        assert verdict in page.read_text(encoding="utf-8")
