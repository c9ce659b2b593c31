"""Whose illness is overlooked: false “No finding” by subgroup, and missed findings (Seyyed-Kalantari et al. 2021)."""

from dataclasses import dataclass

from medclassify.audit.gap_row import GapVerdict
from medclassify.records import Estimate


@dataclass(frozen=True, slots=True)
class Underdiagnosis:
    """One rate of overlooking, in one subgroup.

    Attributes:
        finding: The finding, or the table's own spelling of “No finding”.
        attribute: The attribute.
        subgroup: The level.
        metric: ``fpr`` for “No finding” (ill, and called free of findings), ``fnr`` for a finding (present, and not called).
        n: Its denominator; None where it is masked.
        estimate: The rate.
        reference: The subgroup it is compared with; None for the reference itself.
        gap: Subgroup minus reference; above 0 the subgroup is overlooked more often.
        p_adjusted: Holm's.
        verdict: Against the margin.
    """

    finding: str
    attribute: str
    subgroup: str
    metric: str
    n: int | None
    estimate: Estimate
    reference: str | None
    gap: Estimate | None
    p_adjusted: float | None
    verdict: GapVerdict | None
