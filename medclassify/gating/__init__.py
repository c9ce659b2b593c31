"""A policy file held against what a run or an audit wrote: one verdict and one reason a rule."""

from medclassify.gating.conduct import conduct_rules
from medclassify.gating.evidence import Evidence, read_evidence
from medclassify.gating.policy import Floor, Policy, load_policy
from medclassify.gating.rules import RuleResult, number_rules

__all__ = [
    "Evidence",
    "Floor",
    "Policy",
    "RuleResult",
    "conduct_rules",
    "load_policy",
    "number_rules",
    "read_evidence",
]
