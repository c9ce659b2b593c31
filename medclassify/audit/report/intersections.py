"""The section on pairs of attributes that were declared before the data were seen."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.groups import group_views
from medclassify.audit.report.views import few, shown
from medclassify.audit.results import AuditResult


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """Each finding by crossed subgroups; nothing where none were declared."""
    crossed = [name for name in result.table.attributes if name in result.table.intersections]
    if not crossed:
        return None
    return {
        "views": group_views(result, crossed),
        "names": ", ".join(shown(name) for name in crossed),
        "few": few(result.table.patients_repeat),
    }
