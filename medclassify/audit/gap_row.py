"""One comparison of two subgroups, and its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from medclassify.records import Status

COMPLEMENT = "all others"
COLUMNS = (
    "finding", "attribute", "subgroup", "reference", "metric", "gap", "ci_low", "ci_high", "p", "p_adjusted", "method",
    "margin", "verdict",
)  # fmt: skip


class GapVerdict(StrEnum):
    """What the interval of a gap shows against the margin. There is no verdict “fair”."""

    PASS = "PASS"
    """The whole interval lies inside the margin: the two groups are alike to within it."""
    FAIL = "FAIL"
    """The whole interval lies beyond the margin."""
    INSUFFICIENT = "INSUFFICIENT"
    """Neither: the sample cannot tell."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """One comparison: subgroup minus reference.

    Attributes:
        finding: The finding.
        attribute: The attribute.
        subgroup: The level compared.
        reference: The level (the largest, unless declared) it is compared with, or ``all others``.
        metric: ``auroc``, ``sensitivity`` or ``specificity``.
        gap: Subgroup minus reference; None where it is not estimable.
        ci_low: Lower 95 % limit, or None.
        ci_high: Upper 95 % limit, or None.
        p: Two-sided p of no difference, or None.
        p_adjusted: Holm's, over all comparisons of this metric with this kind of reference; or None.
        method: The test.
        margin: The equivalence margin.
        verdict: Against the margin.
        status: Whether the gap may be read.
        detectable: The smallest true gap that this sample would have told from 0 with 80 % power, or None.
        note: Why there is no gap, or how small a gap the sample could have detected.
        sim_low: Lower limit of the max-T interval: all comparisons of this metric with a reference hold together in 95 of 100
            samples. None for unstable comparisons and those with all others.
        sim_high: Upper limit.
        p_max_t: Family-wise p of the same resamples, or None.
        q: Benjamini–Hochberg's, over the family of ``p_adjusted``: for exploration, where that is for claims.
    """

    finding: str
    attribute: str
    subgroup: str
    reference: str
    metric: str
    gap: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_adjusted: float | None
    method: str
    margin: float
    verdict: GapVerdict
    status: Status
    detectable: float | None
    note: str
    sim_low: float | None = None
    sim_high: float | None = None
    p_max_t: float | None = None
    q: float | None = None

    @property
    def holds(self) -> bool:
        """The difference stays below p = .05 after Holm's adjustment."""
        return self.p_adjusted is not None and self.p_adjusted < 0.05


def gaps_frame(rows: Sequence[GapRow]) -> pd.DataFrame:
    """The rows as the columns of ``gaps.csv``."""
    frame = pd.DataFrame([{name: getattr(row, name) for name in COLUMNS} for row in rows], columns=list(COLUMNS))
    return frame.assign(verdict=frame["verdict"].astype(str))


def verdict_of(low: float, high: float, margin: float, status: Status) -> GapVerdict:
    """The verdict on an interval; none but INSUFFICIENT where fewer than 20 samples make it unstable."""
    if status is not Status.OK:
        return GapVerdict.INSUFFICIENT
    if -margin <= low and high <= margin:
        return GapVerdict.PASS
    if low > margin or high < -margin:
        return GapVerdict.FAIL
    return GapVerdict.INSUFFICIENT
