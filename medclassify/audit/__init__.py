"""Overall and subgroup estimates, gaps and their verdicts, and the report."""

from medclassify.audit.estimates import estimate_table
from medclassify.audit.facts import ExplainedCase, ReportFacts, describe_splits
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.gaps import gap_table
from medclassify.audit.results import AuditResult, compute_audit
from medclassify.audit.stored_facts import facts_from_json
from medclassify.audit.table import AuditTable, audit_table
from medclassify.audit.write import audit_predictions, write_audit

__all__ = [
    "AuditResult",
    "AuditTable",
    "ExplainedCase",
    "GapRow",
    "GapVerdict",
    "ReportFacts",
    "audit_predictions",
    "audit_table",
    "compute_audit",
    "describe_splits",
    "estimate_table",
    "facts_from_json",
    "gap_table",
    "write_audit",
]
