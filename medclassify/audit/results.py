"""Everything that is computed from the predictions, once, before anything is printed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medclassify import metrics
from medclassify.audit.cells import ALL, FindingCells, finding_cells
from medclassify.audit.confounding import Confounding, confounding_rows
from medclassify.audit.coverage import coverage_rows
from medclassify.audit.equalised_odds import equalised_odds_rows
from medclassify.audit.estimates import estimate_table
from medclassify.audit.gap_row import COMPLEMENT, GapRow, GapVerdict
from medclassify.audit.gaps import gap_rows
from medclassify.audit.miscalibration import miscalibrated_rows
from medclassify.audit.replicates import Replicates, replicate_table
from medclassify.audit.standardised import BY, Standardised, standardised_gap_rows, standardised_rows
from medclassify.audit.table import AuditTable, audit_table
from medclassify.audit.underdiagnosis import Underdiagnosis, no_finding_label, underdiagnosis_rows
from medclassify.audit.words import not_estimable
from medclassify.audit.worst_groups import WorstGroups, worst_group_rows
from medclassify.records import Estimate, EstimateRow, Status

THRESHOLDS = np.arange(1, 100) / 100


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
        miscalibrated: Calibration intercepts of ``estimates`` that differ from 0 after Holm's adjustment over all of them.
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
    miscalibrated: Sequence[EstimateRow] = ()

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
    intersections: Sequence[Sequence[str]] = (),
    standardise: Sequence[str] = BY,
    margin: float = 0.05,
    bootstrap: int = 2000,
    seed: int = 0,
    references: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AuditResult:
    """Computes the statistics of an audit.

    Args:
        predictions: The contract's predictions table, or anyone's (see `audit_table`).
        attributes: Columns to report by.
        intersections: Attributes to cross, two or more each.
        standardise: Attributes whose mix is held equal in standardised figures; those that the table lacks are passed over.
        margin: Equivalence margin of gaps.
        bootstrap: Patient resamples of intervals without a closed form.
        seed: Their seed.
        references: Attribute → reference group; the largest where none is declared.
        progress: Called with (done, total) resamples.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
    """
    table = audit_table(predictions, attributes, intersections=intersections)
    cells = list(finding_cells(table))
    options: dict[str, Any] = {"bootstrap": bootstrap, "seed": seed}
    drawn = replicate_table(table, cells, standardise=standardise, progress=progress, **options)
    estimates = estimate_table(table, replicates=drawn, **options)
    gaps = gap_rows(table, margin=margin, references=references, replicates=drawn, **options)
    macro, left_out = macro_auroc(cells, estimates, drawn)
    known = {(row.finding, row.attribute, row.subgroup, row.metric): row for row in estimates}
    standardised = standardised_rows(cells, known, drawn)
    return AuditResult(
        table,
        estimates,
        gaps,
        confounding_rows(table, replicates=drawn, **options),
        macro,
        left_out,
        margin,
        bootstrap,
        seed,
        coverage=coverage_rows(table),
        standardised=standardised,
        standardised_gaps=standardised_gap_rows(standardised, gaps, drawn, margin),
        equalised_odds=equalised_odds_rows(cells, drawn),
        worst_groups=worst_group_rows(cells, known, drawn),
        no_finding=no_finding_label(table),
        underdiagnosis=underdiagnosis_rows(table, known, gaps),
        decision_curves=decision_curves(table, cells),
        miscalibrated=miscalibrated_rows(estimates),
    )


def macro_auroc(
    cells: Sequence[FindingCells], estimates: Sequence[EstimateRow], replicates: Replicates
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
    drawn = [replicates.of(each.whole, "auroc") for each in cells if each.whole.finding in kept]
    found = metrics.percentiles(np.mean([each for each in drawn if each is not None], axis=0))
    unstable = any(row.estimate.status is Status.UNSTABLE for row in rows)
    status = Status.UNSTABLE if unstable else Status.OK
    return Estimate(float(np.mean(list(kept.values()))), found.low, found.high, found.method, status, found.note), left_out


def decision_curves(table: AuditTable, cells: Sequence[FindingCells]) -> dict[str, metrics.DecisionCurve]:
    """Net benefit at thresholds from .01 to .99, for findings of which two patients at least are labelled."""
    if not table.is_probability:
        return {}
    wholes = [each.whole for each in cells if each.whole.n_patients >= 2]
    return {
        cell.finding: metrics.decision_curve(cell.positive, cell.score, THRESHOLDS, patients=cell.patients) for cell in wholes
    }
