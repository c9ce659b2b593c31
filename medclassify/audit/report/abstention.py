"""The section on conformal sets: when the model sends a case to a person."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.workload import coverage_table, workload_table
from medclassify.audit.results import AuditResult


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """Coverage and workload; nothing where the table has no sets and the model no rules."""
    tables = {
        "coverage_table": coverage_table(result, facts),
        "workload_table": workload_table(result, facts),
    }
    return tables if any(tables.values()) else None
