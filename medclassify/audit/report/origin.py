"""The section on the model and what it was made from and with."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.figures import learning_figure
from medclassify.audit.report.listing import config_table, flat_table
from medclassify.audit.results import AuditResult


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """Model, initial weights, learning curve, provenance, configuration."""
    provenance = {key: value for key, value in facts.provenance.items() if not (key == "weights" and facts.weights)}
    return {
        "model_table": flat_table("The model", facts.model),
        "weights_table": flat_table("Initial weights", facts.weights),
        "provenance_table": flat_table("What the run was made from and with", provenance),
        "config_table": config_table(facts.config),
        "learning": learning_figure(facts.history),
    }
