"""The section on methods, in words."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import phrases
from medclassify.audit.report.views import few
from medclassify.audit.results import AuditResult


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """What the sentences depend on."""
    return {
        "evaluated": phrases.evaluated(result, facts),
        "repeat": result.table.patients_repeat,
        "few": few(result.table.patients_repeat),
        "bootstrap": f"{result.bootstrap:,}",
        "seed": result.seed,
        "margin": f"{result.margin:g} ({100 * result.margin:g} percentage points)",
    }
