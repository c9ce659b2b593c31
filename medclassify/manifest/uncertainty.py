"""What is learnt from uncertain labels (-1): a policy a finding, on the train split alone.

Tune, calibrate and test score certain labels only, whatever the policy: what a policy makes of a label is a guess, and a guess
must not choose an epoch, a threshold or a figure of a report.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.errors import ManifestError

DEFAULT = "default"
# What ``soft`` makes of an uncertain label: the mean of the range [0.55, 0.85] from which Pham et al. (Neurocomputing 2021,
# "U-Ones+LSR") draw it. Cross-entropy is linear in its target, so the mean has the gradient that the draws have on average.
UNCERTAIN_TARGET = 0.7
_VALUES = {"zeros": 0.0, "ones": 1.0, "soft": UNCERTAIN_TARGET}


@dataclass(frozen=True, slots=True)
class UncertainCount:
    """What became of a finding's uncertain labels.

    Attributes:
        finding: The finding.
        policy: ``zeros``, ``ones``, ``ignore`` or ``soft``.
        labels: How many uncertain labels it has.
    """

    finding: str
    policy: str
    labels: int


def apply_uncertainty(
    labels: NDArray[np.float64], policy: str | Mapping[str, str], findings: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[UncertainCount]]:
    """Makes targets of labels (Irvin et al., AAAI 2019: U-Zeros, U-Ones, U-Ignore).

    Args:
        labels: float64 (N, K): 1, 0, -1 (uncertain) and NaN (not labelled).
        policy: One for all findings, or finding → policy with ``default`` for those that are not named (``ignore`` without it):
            ``zeros`` (taken as absent), ``ones`` (as present), ``soft`` (as ``UNCERTAIN_TARGET``), ``ignore`` (masked).
        findings: K names.

    Returns:
        Targets float64 (N, K) in [0, 1], 0 where masked; mask bool (N, K), True where something is to be learnt; and the counts
        of findings that have uncertain labels.

    Raises:
        ManifestError: The policy names a finding that is not there.
    """
    policies = uncertainty_policies(policy, findings)
    uncertain = labels == -1
    values = np.array([_VALUES.get(name, np.nan) for name in policies])
    decided = np.where(uncertain, values, labels)
    mask = ~np.isnan(decided)
    counts = [
        UncertainCount(finding, chosen, int(number))
        for finding, chosen, number in zip(findings, policies, uncertain.sum(axis=0), strict=True)
        if number
    ]
    return np.where(mask, decided, 0.0), mask, counts


def uncertainty_policies(policy: str | Mapping[str, str], findings: Sequence[str]) -> list[str]:
    """The policy of each finding, in order.

    Raises:
        ManifestError: The policy names a finding that is not there.
    """
    if isinstance(policy, str):
        return [policy] * len(findings)
    unknown = [name for name in policy if name != DEFAULT and name not in findings]
    if unknown:
        near = difflib.get_close_matches(unknown[0], findings, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"the findings are {', '.join(findings)}."
        raise ManifestError(f"data.uncertain names no finding {unknown[0]!r}; {hint}")
    return [policy.get(name, policy.get(DEFAULT, "ignore")) for name in findings]


def uncertainty_notes(counts: Sequence[UncertainCount], where: str) -> list[str]:
    """One line a policy, e.g. ``uncertain: 120 Atelectasis, 31 Edema labels taken as 1 in train``."""
    words = {
        "zeros": "taken as 0",
        "ones": "taken as 1",
        "soft": f"taken as {UNCERTAIN_TARGET:g}",
        "ignore": "masked",
    }
    lines = []
    for policy, meaning in words.items():
        parts = [f"{count.labels} {count.finding}" for count in counts if count.policy == policy]
        if parts:
            lines.append(f"uncertain: {', '.join(parts)} labels {meaning} in {where}")
    return lines
