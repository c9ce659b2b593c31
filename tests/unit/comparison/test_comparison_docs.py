"""The page on comparisons, held to the code."""

from pathlib import Path

from medclassify.comparison import Verdict


def test_every_verdict_is_named(repository: Path) -> None:
    page = (repository / "docs" / "compare.md").read_text(encoding="utf-8")
    assert [verdict for verdict in Verdict if verdict not in page] == []
