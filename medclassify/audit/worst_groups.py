"""The largest difference between subgroups, beside the one that subgroups of these sizes show when they do not differ."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorstGroups:
    """The spread of one metric over the subgroups of one attribute.

    Attributes:
        finding: The finding.
        attribute: The attribute.
        metric: ``auroc``, ``sensitivity`` or ``specificity``.
        worst: The subgroup with the lowest figure, or None where fewer than two can be compared.
        best: The one with the highest.
        gap: Highest minus lowest.
        null_mean: Its mean where subgroups do not differ.
        null_high: What it stays below in 95 of 100 samples where subgroups do not differ.
        p: Share of such samples with as large a gap.
        left_out: Subgroups with too few samples to be called worst or best.
        note: Why there is no gap, or "".
    """

    finding: str
    attribute: str
    metric: str
    worst: str | None
    best: str | None
    gap: float | None
    null_mean: float | None
    null_high: float | None
    p: float | None
    left_out: tuple[str, ...]
    note: str = ""
