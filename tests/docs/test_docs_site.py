"""The documents build as a site without a warning: every link and heading is there, every page is in the index."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("furo", reason='no Sphinx: pip install -e ".[dev]"')


def build(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        str(out / "doctrees"),
        str(docs),
        str(out / "site"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def test_it_builds_and_fetches_nothing(repository: Path, tmp_path: Path):
    built = build(repository / "docs", tmp_path)
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 25
    fetched = re.compile(
        r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//|<link\b[^>]*\bhref=["'](?:https?:)?//"""
    )
    assert [page.name for page in pages if fetched.search(page.read_text(encoding="utf-8"))] == []


def test_a_dead_link_a_lost_heading_and_a_page_without_a_row_are_told(repository: Path, tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(repository / "docs" / "conf.py", docs)
    (docs / "README.md").write_text("# Index\n\n| | |\n|---|---|\n| a | [page](page.md) |\n")
    (docs / "page.md").write_text("# Page\n\n[gone](gone.md), [heading](README.md#no-such), [outside](../README.md)\n")
    (docs / "forgotten.md").write_text("# Forgotten\n")
    told = build(docs, tmp_path).stderr
    assert "gone.md" in told and "no-such" in told and re.search(r"forgotten\.md: WARNING: document isn't included", told)
    assert "../README.md" not in told
