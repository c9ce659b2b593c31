"""Every metric for every finding, overall and by subgroup."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.cells import ALL, Cell, finding_cells
from medclassify.audit.replicates import Replicates, replicate_table
from medclassify.audit.table import AuditTable, audit_table
from medclassify.audit.words import RATES
from medclassify.records import Estimate, EstimateRow, Status

CALIBRATION = ("brier", "ece", "calibration_intercept", "calibration_slope", "oe_ratio")


def estimate_table(
    predictions: pd.DataFrame | AuditTable,
    *,
    attributes: Sequence[str] = (),
    bootstrap: int = 2000,
    seed: int = 0,
    replicates: Replicates | None = None,
) -> list[EstimateRow]:
    """Computes all estimates.

    Args:
        predictions: The contract's predictions table, or a checked one.
        attributes: Columns to report by.
        bootstrap: Patient resamples where an interval has no closed form.
        seed: Their seed.
        replicates: Of the table's figures, where they are at hand.

    Returns:
        One row a finding, subgroup and metric; undefined ones carry the status ``not_estimable`` and the reason. Rates
        stand only where the table gives thresholds or decisions, calibration only where scores are probabilities.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
    """
    table = audit_table(predictions, attributes)
    with_rates = bool(table.frame["decision"].notna().any())
    cells = list(finding_cells(table))
    drawn = replicates or replicate_table(table, cells, standardise=(), bootstrap=bootstrap, seed=seed)
    rows: list[EstimateRow] = []
    for each in cells:
        for attribute, groups in {ALL: {ALL: each.whole}, **each.groups}.items():
            for number, cell in enumerate(groups.values()):
                found = {"auroc": _auroc(cell), "auprc": _auprc(cell, drawn)}
                if attribute != ALL:
                    found |= _crossed(each.whole, each.members[attribute] == number)
                if with_rates:
                    found |= _rates(cell)
                if table.is_probability:
                    found |= _calibration(cell, bootstrap, seed)
                rows += [_row(cell, metric, estimate) for metric, estimate in found.items()]
    return rows


def estimates_frame(rows: Sequence[EstimateRow]) -> pd.DataFrame:
    """The rows as the columns of ``estimates.csv``."""
    return pd.DataFrame(
        [
            {
                "finding": row.finding,
                "attribute": row.attribute,
                "subgroup": row.subgroup,
                "metric": row.metric,
                "n": row.n,
                "n_patients": row.n_patients,
                "n_pos": row.n_pos,
                "n_neg": row.n_neg,
                "estimate": row.estimate.value,
                "ci_low": row.estimate.ci_low,
                "ci_high": row.estimate.ci_high,
                "ci_method": row.estimate.ci_method,
                "status": str(row.estimate.status),
            }
            for row in rows
        ]
    )


def _auroc(cell: Cell) -> Estimate:
    return metrics.auroc(cell.positive, cell.score, patients=cell.patients) if cell.n else _nothing()


def _auprc(cell: Cell, drawn: Replicates) -> Estimate:
    replicates = drawn.of(cell, "auprc")
    if replicates is None:
        return _nothing(f"n_{'pos' if cell.n_pos == 0 else 'neg'}=0" if cell.n else "n=0")
    return metrics.auprc_from(cell.positive, cell.score, replicates, patients=cell.patients)


def _crossed(whole: Cell, member: NDArray[np.bool_]) -> dict[str, Estimate]:
    """The subgroup's positives against all others' negatives, and the other way round (Borkan et al. 2019)."""
    found = metrics.cross_aurocs(whole.positive, whole.score, member, patients=whole.patients)
    return {f"{name}_auroc": found[name] for name in ("bpsn", "bnsp")}


def _rates(cell: Cell) -> dict[str, Estimate]:
    decided = cell.decided()
    if decided.n == 0:
        return dict.fromkeys(RATES, _nothing("no threshold" if cell.n else "n=0"))
    found = metrics.rates(decided.positive, decided.decision == 1, patients=decided.patients)
    return {name: found[name] for name in RATES}


def _calibration(cell: Cell, bootstrap: int, seed: int) -> dict[str, Estimate]:
    if cell.n == 0:
        return dict.fromkeys(CALIBRATION, _nothing())
    given, patients = (cell.positive, cell.score), cell.patients
    return {
        "brier": metrics.brier(*given, patients=patients),
        "ece": metrics.ece(*given, patients=patients, simulations=bootstrap, seed=seed),
        "calibration_intercept": metrics.calibration_intercept(*given, patients=patients),
        "calibration_slope": metrics.calibration_slope(*given, patients=patients),
        "oe_ratio": metrics.oe_ratio(*given, patients=patients),
    }


def _row(cell: Cell, metric: str, estimate: Estimate) -> EstimateRow:
    return EstimateRow(
        cell.finding, cell.attribute, cell.subgroup, metric, cell.n, cell.n_patients, cell.n_pos, cell.n_neg, estimate
    )


def _nothing(note: str = "n=0") -> Estimate:
    return Estimate(None, None, None, "", Status.NOT_ESTIMABLE, note)
