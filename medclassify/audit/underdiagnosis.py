"""Whose illness is overlooked: false “No finding” by subgroup, and missed findings (Seyyed-Kalantari et al. 2021)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medclassify.audit.gap_row import COMPLEMENT, GapRow, GapVerdict
from medclassify.audit.table import AuditTable
from medclassify.records import Estimate, EstimateRow

NO_FINDING = ("no finding", "no_finding", "nofinding", "no findings", "normal", "healthy")
"""Known spellings, in any case: CheXpert and MIMIC-CXR, NIH (``No Finding``), VinDr-CXR, PadChest (``normal``)."""


@dataclass(frozen=True, slots=True)
class Underdiagnosis:
    """One rate of overlooking, in one subgroup.

    Attributes:
        finding: The finding, or the table's own spelling of “No finding”.
        attribute: The attribute.
        subgroup: The level.
        metric: ``fpr`` for “No finding” (ill, and called free of findings), ``fnr`` for a finding (present, and not called).
        n: Its denominator.
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
    n: int
    estimate: Estimate
    reference: str | None
    gap: Estimate | None
    p_adjusted: float | None
    verdict: GapVerdict | None


def no_finding_label(table: AuditTable) -> str | None:
    """How the table spells “No finding”, or None."""
    return next((name for name in table.findings if name.strip().lower().replace("-", " ") in NO_FINDING), None)


def underdiagnosis_rows(
    table: AuditTable,
    estimates: Mapping[tuple[str, str, str, str], EstimateRow],
    gaps: Sequence[GapRow],
) -> list[Underdiagnosis]:
    """False “No finding” by subgroup where the table has that label, then missed findings, each with its gap to the reference.

    No figure is computed anew: a miss is what sensitivity leaves, a false “No finding” what its specificity leaves.

    Source:
        Seyyed-Kalantari et al., Nature Medicine 27:2176 (2021).
    """
    label = no_finding_label(table)
    compared = {(row.finding, row.attribute, row.subgroup, row.metric): row for row in gaps if row.reference != COMPLEMENT}
    rows = []
    for finding in sorted(table.findings, key=lambda name: name != label):
        metric, source = ("fpr", "specificity") if finding == label else ("fnr", "sensitivity")
        for attribute, levels in table.levels.items():
            for level in levels:
                found = estimates.get((finding, attribute, level, metric))
                if found is not None:
                    rows.append(_row(found, compared.get((finding, attribute, level, source))))
    return rows


def _row(found: EstimateRow, gap: GapRow | None) -> Underdiagnosis:
    names = found.finding, found.attribute, found.subgroup, found.metric
    n = found.n_neg if found.metric == "fpr" else found.n_pos
    if gap is None:
        return Underdiagnosis(*names, n, found.estimate, None, None, None, None)
    value, low, high = (None if each is None else -each for each in (gap.gap, gap.ci_high, gap.ci_low))
    estimate = Estimate(value, low, high, gap.method, gap.status, gap.note)
    return Underdiagnosis(*names, n, found.estimate, gap.reference, estimate, gap.p_adjusted, gap.verdict)
