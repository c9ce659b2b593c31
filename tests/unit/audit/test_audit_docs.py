"""The page on audits, held to the code."""

import re
from pathlib import Path

from medclassify.audit import GapVerdict, audit_predictions
from medclassify.audit.report.page import SECTIONS
from medclassify.audit.table import SCORES, TARGETS


def test_every_column_and_verdict_is_named(repository: Path) -> None:
    page = (repository / "docs" / "audit.md").read_text(encoding="utf-8")
    for name in (*TARGETS, *SCORES, *GapVerdict):
        assert name in page


def test_each_section_of_the_report_is_explained_to_both_readers(repository: Path) -> None:
    page = (repository / "docs" / "report.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["In one minute", *(section.title for section in SECTIONS)]
    for part in page.split("\n## ")[1:]:
        assert part.count("**For clinicians.**") == part.count("**For statisticians.**") == 1, part[:40]


def test_the_example_table_is_taken(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "audit.md").read_text(encoding="utf-8")
    block = re.search(r"```csv\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (tmp_path / "theirs.csv").write_text(block.group(1), encoding="utf-8")
    result = audit_predictions(tmp_path / "theirs.csv", ["sex", "age"])
    assert result.table.findings == ("Pneumonia", "Effusion")
    assert result.table.frame["decision"].notna().all()
    assert result.table.notes == ("age was put into bands of years.",)
