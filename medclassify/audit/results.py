"""Everything that is computed from the predictions, once, before anything is printed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.cells import ALL, Cell, FindingCells, finding_cells
from medclassify.audit.confounding import Confounding, confounding_rows
from medclassify.audit.coverage import coverage_rows
from medclassify.audit.estimates import estimate_table
from medclassify.audit.gap_row import COMPLEMENT, GapRow, GapVerdict
from medclassify.audit.gaps import gap_rows
from medclassify.audit.standardised import Standardised
from medclassify.audit.table import AuditTable, audit_table
from medclassify.audit.underdiagnosis import Underdiagnosis
from medclassify.audit.words import not_estimable
from medclassify.audit.worst_groups import WorstGroups
from medclassify.records import Estimate, EstimateRow, Status


@dataclass(frozen=True, eq=False)
class AuditResult:
    """The statistics of an audit.

    Attributes:
        table: The checked predictions.
        estimates: One row a finding, subgroup and metric.
        gaps: One row a comparison.
        confounding: One row a finding and attribute.
        macro: Mean AUROC over the findings whose AUROC is estimable, interval by patient bootstrap.
        macro_left_out: The other findings, each with the reason.
        margin: The equivalence margin.
        bootstrap: Patient resamples.
        seed: Their seed.
        coverage: Coverage of the conformal sets and the share sent to a person, one row a finding, subgroup and metric.
        standardised: Crude figures beside those with the reference mix, one row a finding, subgroup and metric.
        standardised_gaps: Subgroup minus reference of the standardised figures; no part of ``verdicts``.
        equalised_odds: The larger spread of sensitivity and false-positive rate, one row a finding and attribute.
        worst_groups: The largest difference between subgroups beside that of identical ones, one row a finding, attribute and
            metric.
        no_finding: How the table spells the label “No finding”, or None where it has none.
        underdiagnosis: How often each subgroup's illness is overlooked.
        decision_curves: Finding → net benefit by threshold; only where scores are probabilities.
        masked_below: Counts below this are masked; 0 where none are.
    """

    table: AuditTable
    estimates: list[EstimateRow]
    gaps: list[GapRow]
    confounding: list[Confounding]
    macro: Estimate
    macro_left_out: tuple[str, ...]
    margin: float
    bootstrap: int
    seed: int
    coverage: Sequence[EstimateRow] = ()
    standardised: Sequence[Standardised] = ()
    standardised_gaps: Sequence[GapRow] = ()
    equalised_odds: Sequence[EstimateRow] = ()
    worst_groups: Sequence[WorstGroups] = ()
    no_finding: str | None = None
    underdiagnosis: Sequence[Underdiagnosis] = ()
    decision_curves: Mapping[str, metrics.DecisionCurve] = field(default_factory=dict)
    masked_below: int = 0

    def may_draw(self, finding: str) -> bool:
        """Whether curves, bins and lists of single samples of a finding may be shown: each gives counts away."""
        return not self.masked_below

    @property
    def macro_auroc(self) -> float | None:
        """Mean AUROC over the estimable findings, None where there is none."""
        return self.macro.value

    @property
    def verdicts(self) -> dict[str, int]:
        """Comparisons with the reference group by verdict; FAIL first."""
        counted = Counter(row.verdict for row in self.reference_gaps)
        return {str(verdict): counted[verdict] for verdict in (GapVerdict.FAIL, GapVerdict.INSUFFICIENT, GapVerdict.PASS)}

    @property
    def reference_gaps(self) -> list[GapRow]:
        """The comparisons with the reference group; those with all others are left out."""
        return [row for row in self.gaps if row.reference != COMPLEMENT]

    def estimate(self, finding: str, metric: str, attribute: str = ALL, subgroup: str = ALL) -> EstimateRow | None:
        """One estimate, or None where the metric was left out."""
        return self._rows.get((finding, attribute, subgroup, metric))

    @cached_property
    def cells(self) -> list[FindingCells]:
        """The samples behind the numbers, one entry a finding."""
        return list(finding_cells(self.table))

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str, str], EstimateRow]:
        return {(row.finding, row.attribute, row.subgroup, row.metric): row for row in self.estimates}


def compute_audit(
    predictions: pd.DataFrame | AuditTable | Path | str,
    *,
    attributes: Sequence[str] = (),
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    references: Mapping[str, str] | None = None,
) -> AuditResult:
    """Computes the statistics of an audit.

    Args:
        predictions: The contract's predictions table, or anyone's (see `audit_table`).
        attributes: Columns to report by.
        margin: Equivalence margin of gaps.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.
        references: Attribute → reference group; the largest where none is declared.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
    """
    table = audit_table(predictions, attributes)
    estimates = estimate_table(table, bootstrap=bootstrap, seed=seed)
    gaps = gap_rows(table, margin=margin, bootstrap=bootstrap, seed=seed, references=references)
    confounding = confounding_rows(table, bootstrap=bootstrap, seed=seed)
    macro, left_out = macro_auroc(table, estimates, bootstrap=bootstrap, seed=seed)
    return AuditResult(table, estimates, gaps, confounding, macro, left_out, margin, bootstrap, seed, coverage_rows(table))


def macro_auroc(
    table: AuditTable, estimates: Sequence[EstimateRow], *, bootstrap: int, seed: int
) -> tuple[Estimate, tuple[str, ...]]:
    """Mean AUROC over findings, and the findings that it leaves out, each with the reason."""
    rows = [row for row in estimates if row.attribute == ALL and row.metric == "auroc"]
    left_out = tuple(
        f"{row.finding}: {not_estimable(row.estimate, n_pos=row.n_pos, n_neg=row.n_neg)}"
        for row in rows
        if row.estimate.value is None
    )
    kept = {row.finding: row.estimate.value for row in rows if row.estimate.value is not None}
    if not kept:
        return Estimate(None, None, None, "", Status.NOT_ESTIMABLE, "no finding is estimable"), left_out
    if len(kept) == 1:  # its own interval, or one report would print two for one number
        return next(row.estimate for row in rows if row.finding in kept), left_out
    cells = [each for each in finding_cells(table) if each.whole.finding in kept]
    statistic = _Mean([each.whole for each in cells])
    found = metrics.percentiles(metrics.replicate([statistic], cells[0].n_patients, resamples=bootstrap, seed=seed)[0])
    unstable = any(row.estimate.status is Status.UNSTABLE for row in rows)
    status = Status.UNSTABLE if unstable else Status.OK
    return Estimate(float(np.mean(list(kept.values()))), found.low, found.high, found.method, status, found.note), left_out


class _Mean:
    """Mean AUROC of several findings on the same resamples; NaN where one of them lost a class."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._aurocs = [metrics.WeightedAuroc(cell.positive, cell.score, cell.patients) for cell in cells]

    def __call__(self, counts: NDArray[np.uint16]) -> NDArray[np.float64]:
        return np.mean([auroc(counts) for auroc in self._aurocs], axis=0)
