"""Overall and subgroup estimates, gaps and their verdicts, and the report."""

from medclassify.audit.estimates import estimate_table
from medclassify.audit.facts import ExplainedCase, ReportFacts, describe_splits
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.gaps import gap_table
from medclassify.audit.probes import AttributeProbe
from medclassify.audit.results import AuditResult, compute_audit
from medclassify.audit.standardised import Standardised
from medclassify.audit.stored_facts import facts_from_json
from medclassify.audit.table import AuditTable, audit_table
from medclassify.audit.underdiagnosis import Underdiagnosis
from medclassify.audit.worst_groups import WorstGroups
from medclassify.audit.write import audit_predictions, write_audit

__all__ = [
    "AttributeProbe",
    "AuditResult",
    "AuditTable",
    "ExplainedCase",
    "GapRow",
    "GapVerdict",
    "ReportFacts",
    "Standardised",
    "Underdiagnosis",
    "WorstGroups",
    "audit_predictions",
    "audit_table",
    "compute_audit",
    "describe_splits",
    "estimate_table",
    "facts_from_json",
    "gap_table",
    "write_audit",
]
