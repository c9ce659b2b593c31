"""The section on what only a person can state."""

from dataclasses import fields
from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import phrases
from medclassify.audit.results import AuditResult
from medclassify.config import HumanStatements


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """Each statement under its heading; blank where nobody gave it."""
    return {
        "statements": [
            (phrases.statement_title(field.name), getattr(facts.statements, field.name).strip())
            for field in fields(HumanStatements)
        ]
    }
