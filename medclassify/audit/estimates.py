"""Every metric for every finding, overall and by subgroup."""

from collections.abc import Sequence

import pandas as pd

from medclassify import metrics
from medclassify.audit.cells import Cell, finding_cells
from medclassify.audit.table import AuditTable, audit_table
from medclassify.audit.words import RATES
from medclassify.records import Estimate, EstimateRow, Status

CALIBRATION = ("brier", "ece", "calibration_intercept", "calibration_slope", "oe_ratio")


def estimate_table(
    predictions: pd.DataFrame | AuditTable, *, attributes: Sequence[str] = (), bootstrap: int = 2000, seed: int = 0
) -> list[EstimateRow]:
    """Computes all estimates.

    Args:
        predictions: The contract's predictions table, or a checked one.
        attributes: Columns to report by.
        bootstrap: Patient resamples where an interval has no closed form.
        seed: Their seed.

    Returns:
        One row a finding, subgroup and metric; undefined ones carry the status ``not_estimable`` and the reason. Rates
        stand only where the table gives thresholds or decisions, calibration only where scores are probabilities.

    Raises:
        ManifestError: A column is missing or the table is empty.
        MetricError: The values cannot be scored.
    """
    table = audit_table(predictions, attributes)
    with_rates = bool(table.frame["decision"].notna().any())
    cells = [
        cell
        for each in finding_cells(table)
        for cell in (each.whole, *(cell for group in each.groups.values() for cell in group.values()))
    ]
    rows: list[EstimateRow] = []
    for cell, precision in zip(cells, _auprc(cells, bootstrap, seed), strict=True):
        found = {"auroc": _auroc(cell), "auprc": precision}
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


def _auprc(cells: Sequence[Cell], bootstrap: int, seed: int) -> list[Estimate]:
    """Of all cells on the same resamples of patients, which are drawn once."""
    filled = [(cell.positive, cell.score, cell.patients) for cell in cells if cell.n]
    found = iter(metrics.auprc_cells(filled, resamples=bootstrap, seed=seed))
    return [next(found) if cell.n else _nothing() for cell in cells]


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
