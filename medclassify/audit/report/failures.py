"""The section on the errors that the model was surest of."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.views import TableView, Td, words
from medclassify.audit.results import AuditResult
from medclassify.audit.words import number

_CONFIDENT_ERRORS = 8


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """The most confident errors; nothing where no decision is given."""
    table = errors_table(result)
    return None if table is None else {"errors_table": table}


def errors_table(result: AuditResult) -> TableView | None:
    """The most confident wrong calls."""
    frame = result.table.frame
    wrong = frame[frame["target"].notna() & frame["decision"].notna() & (frame["decision"] != frame["target"])]
    if wrong.empty:
        return None
    rows: list[tuple[Td, ...]] = []
    for decision, heading, ascending in (
        (1.0, "Called, but labelled absent", False),
        (0.0, "Not called, but labelled present", True),
    ):
        kind = wrong[wrong["decision"] == decision].sort_values("score", ascending=ascending)
        # Two of each finding, or one with extreme probabilities would fill the list.
        kind = kind.groupby("finding", sort=False).head(2).head(_CONFIDENT_ERRORS)
        if len(kind):
            rows.append((Td(heading),))
        rows += [
            words([str(row["sample_id"]), str(row["finding"]), number(float(row["score"]), "auroc")])
            for row in kind.to_dict("records")
        ]
    score = "Probability" if result.table.is_probability else "Score"
    return TableView(
        "The most confident errors: look at these images first", ("Sample", "Finding", score), tuple(rows), kind="narrow"
    )
