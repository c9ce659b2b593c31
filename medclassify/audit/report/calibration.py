"""The section on calibration."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.views import Chip, TableView, Td, estimate_cell
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, band_text, beside_band, number
from medclassify.records import EstimateRow


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """Whether probabilities mean what they say."""
    from medclassify.audit.report.panels import reliability_panels  # matplotlib takes half a second to import

    return {
        "calibration_table": calibration_table(result),
        "notes": facts.calibration_notes,
        "reliabilities": reliability_panels(result, result.cells),
    }


def calibration_table(result: AuditResult) -> TableView | None:
    """Intercept, slope, observed ÷ expected, Brier score, and ECE beside its null band."""
    if not result.table.is_probability:
        return None
    metrics = ("calibration_intercept", "calibration_slope", "oe_ratio", "brier")
    rows = tuple(
        (
            Td(finding),
            *(estimate_cell(result.estimate(finding, name)) for name in metrics),
            _ece_cell(result.estimate(finding, "ece")),
        )
        for finding in result.table.findings
    )
    foot = (
        "A calibrated model has intercept 0, slope 1, and observed ÷ expected 1. ECE is above 0 for a perfect model too: "
        "what a calibrated model shows in a sample of this size (95 % of the time) stands below it. That band is no interval "
        "around the value: only an ECE above it says that the model is miscalibrated."
    )
    head = ("Finding", *(LABELS[name] for name in metrics), "ECE and its null band")
    return TableView("Calibration on the test set, with 95 % intervals", head, rows, foot, kind="stack")


def _ece_cell(row: EstimateRow | None) -> Td:
    """The value; below it the band of a calibrated model, which is no interval around the value."""
    if row is None or row.estimate.value is None:
        return estimate_cell(row)
    side = beside_band(row.estimate)
    chip = Chip(f"{'✕ above' if side == 'above' else '! below'} the band", "fail") if side else None
    return Td(number(row.estimate.value, "ece"), sub=band_text(row.estimate), chip=chip)
