"""What a report told besides the statistics, kept in ``audit.json``, so that a run can be audited again with nothing lost."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from medclassify.audit.facts import ExplainedCase, ReportFacts
from medclassify.audit.probes import probe_from_json
from medclassify.config import HumanStatements
from medclassify.records import OperatingPoint, Split

_ELSEWHERE = ("config", "explanations")  # a run keeps them as config.yaml and as pictures


def facts_to_json(facts: ReportFacts) -> dict[str, Any]:
    """Everything but the config and the explained cases, as JSON values."""
    stored = {field.name: getattr(facts, field.name) for field in fields(facts) if field.name not in _ELSEWHERE}
    stored["operating_points"] = [asdict(point) for point in facts.operating_points]
    stored["statements"] = asdict(facts.statements)
    stored["probes"] = [asdict(probe) for probe in facts.probes]
    return stored


def facts_from_json(
    stored: Mapping[str, Any], *, config: Mapping[str, Any], explanations: Sequence[ExplainedCase]
) -> ReportFacts:
    """Reads what `facts_to_json` wrote.

    Args:
        stored: The mapping.
        config: The resolved config, nested.
        explanations: The explained cases.

    Raises:
        TypeError: A field is missing or not known.
        ValueError: A split is not known.
    """
    points = [OperatingPoint(**{**point, "split": Split(point["split"])}) for point in stored["operating_points"]]
    plain = {name: value for name, value in stored.items() if name not in ("operating_points", "statements", "probes")}
    return ReportFacts(
        **plain,
        config=config,
        operating_points=points,
        statements=HumanStatements(**stored["statements"]),
        probes=[probe_from_json(probe) for probe in stored.get("probes", [])],
        explanations=explanations,
    )
