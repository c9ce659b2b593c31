"""The section on explained cases, never without the result of the sanity check."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import phrases
from medclassify.audit.report.cases import case_view
from medclassify.audit.results import AuditResult


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """The gallery; nothing where no case was explained."""
    if not facts.explanations:
        return None
    return {"sanity": phrases.sanity(facts.sanity), "cases": [case_view(case) for case in facts.explanations]}
