"""The model card: the report's facts as Markdown in which nothing from a file can act."""

import re

import pytest

from medclassify.audit import AuditResult, ReportFacts, compute_audit
from medclassify.audit.report import model_card
from medclassify.audit.report.model_card import escaped, table
from medclassify.audit.report.views import Chip, TableView, Td
from medclassify.config import HumanStatements


@pytest.fixture(scope="module")
def result(make_predictions) -> AuditResult:
    return compute_audit(make_predictions(300, weaker_in="F"), attributes=["sex"], bootstrap=100)


def test_it_tells_what_the_report_tells(result) -> None:
    facts = ReportFacts(
        "A model",
        synthetic=True,
        counts={"test": {"patients": 4, "images": 5}},
        statements=HumanStatements(intended_use="Triage of chest radiographs."),
        warnings=("12 label rows match no image.",),
    )
    card = model_card(result, facts)
    row = result.estimate("Effusion", "auroc")
    assert row is not None and row.estimate.value is not None
    for words in (
        "# Model card: A model", "Synthetic data", "not evidence of conformity", "Triage of chest radiographs.",
        "**Owner and contact:** NOT PROVIDED", "12 label rows match no image.", "Effusion, sex", "Weights hash",
        "`provenance.json`",
        f"{row.estimate.value:.3f}".removeprefix("0"), "technical file",
    ):  # fmt: skip
        assert words in card, words
    assert card.endswith("\n")
    assert "\n\n\n" not in card


def test_tables_are_whole(result) -> None:
    for block in re.findall(r"(?:^\|.*\|\n)+", model_card(result, ReportFacts("t")), re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "a|b", "[x](javascript:1)", "![x](y)", "# head\n\n# more", "`code`"]
)
def test_names_from_files_stay_text(result, hostile: str) -> None:
    card = model_card(result, ReportFacts(hostile, warnings=(hostile,), statements=HumanStatements(owner=hostile)))
    assert "<script" not in card
    assert not re.search(r"(?<!\\)\]\(", card)
    assert len(re.findall(r"^# ", card, re.MULTILINE)) == 1
    assert card.count(escaped(hostile)) == 4  # title, warning, owner among the statements and among the items


def test_a_table_row_is_one_line_of_as_many_cells_as_the_head() -> None:
    view = TableView(
        "Cap", ("A", "B"), ((Td("group"),), (Td("x"), Td("1", sub="two", chip=Chip("✕ FAIL", "fail")))), foot="Foot."
    )
    assert table(view) == "**Cap**\n\n| A | B |\n| --- | --- |\n| **group** |  |\n| x | 1; ✕ FAIL; two |\n\nFoot."
    assert table(None) == ""
