"""From a dataset's fingerprint to an explained config: pure rules, facts in, a choice and its reason out."""

from medclassify.planning.choice import Choice
from medclassify.planning.data_rules import choose_findings, choose_fractions
from medclassify.planning.describe import data_lines, expected_table, machine_lines, plan_summary
from medclassify.planning.facts import DataFacts, FindingFacts, Hardware, ImageFacts, SplitCounts, StepCost
from medclassify.planning.limits import Expected, warnings
from medclassify.planning.plan import (
    Choices,
    Minutes,
    choose_data,
    choose_decisions,
    choose_network,
    choose_training,
    estimate_minutes,
)
from medclassify.planning.survey import survey
from medclassify.planning.write import plan_to_yaml

__all__ = [
    "Choice",
    "Choices",
    "DataFacts",
    "Expected",
    "FindingFacts",
    "Hardware",
    "ImageFacts",
    "Minutes",
    "SplitCounts",
    "StepCost",
    "choose_data",
    "choose_decisions",
    "choose_findings",
    "choose_fractions",
    "choose_network",
    "choose_training",
    "data_lines",
    "estimate_minutes",
    "expected_table",
    "machine_lines",
    "plan_summary",
    "plan_to_yaml",
    "survey",
    "warnings",
]
