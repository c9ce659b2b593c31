"""One comparison of two subgroups, and its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import pandas as pd
from scipy import special

from medclassify import metrics
from medclassify.records import Status

METRICS = ("auroc", "sensitivity", "specificity")
COMPLEMENT = "all others"
COLUMNS = (
    "finding", "attribute", "subgroup", "reference", "metric", "gap", "ci_low", "ci_high", "p", "p_adjusted", "method",
    "margin", "verdict", "sim_low", "sim_high", "p_max_t", "q",
)  # fmt: skip
Names = tuple[str, str, str, str, str]
"""Finding, attribute, subgroup, reference, metric."""
_Z_95, _Z_POWER_80 = 1.959964, 0.841621


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


def filled_gap(names: Names, gap: metrics.Gap, margin: float, bootstrap: int) -> GapRow:
    """The row of a comparison that was computed; ``bootstrap`` is the number of resamples its p may rest on."""
    estimate = gap.estimate
    note = estimate.note.replace("first group", names[2]).replace("second group", names[3])
    if estimate.value is None or estimate.ci_low is None or estimate.ci_high is None:
        return blank_gap(names, margin, note)
    error = (estimate.ci_high - estimate.ci_low) / (2 * _Z_95)
    detectable = (_Z_95 + _Z_POWER_80) * error
    verdict = verdict_of(estimate.ci_low, estimate.ci_high, margin, estimate.status)
    if verdict is GapVerdict.INSUFFICIENT:
        few = "too few for a verdict; " if estimate.status is Status.UNSTABLE else ""
        note = f"{few}smallest detectable gap {detectable:.3f}" + (f"; {note}" if note else "")
    numbers = (estimate.value, estimate.ci_low, estimate.ci_high, _p(gap, error, bootstrap), None, estimate.ci_method)
    return GapRow(*names, *numbers, margin, verdict, estimate.status, detectable, note)


def blank_gap(names: Names, margin: float, note: str) -> GapRow:
    """The row of a comparison that cannot be made, and why."""
    empty = (None, None, None, None, None, "")
    return GapRow(*names, *empty, margin, GapVerdict.INSUFFICIENT, Status.NOT_ESTIMABLE, None, note)


def with_adjusted(rows: Sequence[GapRow]) -> list[GapRow]:
    """Adds Holm's p for claims and Benjamini–Hochberg's for exploration, within each metric and kind of reference."""
    families: dict[tuple[str, bool], list[int]] = {}
    for place, row in enumerate(rows):
        if row.p is not None:
            families.setdefault((row.metric, row.reference == COMPLEMENT), []).append(place)
    done = list(rows)
    for places in families.values():
        p = [rows[place].p for place in places]
        for place, holm, q in zip(places, metrics.adjusted_p(p), metrics.adjusted_p(p, "bh"), strict=True):
            done[place] = replace(rows[place], p_adjusted=holm, q=q)
    return done


def _p(gap: metrics.Gap, error: float, bootstrap: int) -> float | None:
    """A bootstrap's p cannot fall below 2/(B+1), which no adjustment over many comparisons survives: there, the normal's."""
    value, floor = gap.estimate.value, 2 / (bootstrap + 1)
    if gap.p is None or value is None or "bootstrap" not in gap.estimate.ci_method or gap.p > floor * 1.01:
        return gap.p
    return min(gap.p, float(2 * special.ndtr(-abs(value) / error))) if error > 0 else gap.p
