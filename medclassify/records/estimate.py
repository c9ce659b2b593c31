"""A number with its interval, its sample and whether it may be believed."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Whether an estimate may be read."""

    OK = "ok"
    UNSTABLE = "unstable"
    """Shown with its interval, kept out of claims about the worst subgroup."""
    NOT_ESTIMABLE = "not_estimable"


@dataclass(frozen=True, slots=True)
class Estimate:
    """One statistic.

    Attributes:
        value: The point estimate; None exactly where ``status`` is not_estimable.
        ci_low: Lower 95 % limit, or None where there is none.
        ci_high: Upper 95 % limit, or None.
        ci_method: How the interval was made (``logit-DeLong``, ``Wilson``), or "".
        status: Whether it may be read.
        note: Why it is unstable or undefined, e.g. ``n_pos=0``; or "".
    """

    value: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str
    status: Status
    note: str = ""


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """One line of ``estimates.csv``: an estimate for a finding in a subgroup, with the counts it rests on."""

    finding: str
    attribute: str
    subgroup: str
    metric: str
    n: int
    n_patients: int
    n_pos: int
    n_neg: int
    estimate: Estimate
