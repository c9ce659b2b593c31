"""The section on calibration."""

from typing import Any

from medclassify import metrics
from medclassify.audit.cells import Cell
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.checks import calibration_sentence
from medclassify.audit.report.figures import Observed, reliability_figure
from medclassify.audit.report.views import Chip, Panel, TableView, Td, estimate_cell
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, band_text, beside_band, number
from medclassify.records import EstimateRow


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """Whether probabilities mean what they say."""
    return {
        "calibration_table": calibration_table(result),
        "parts_table": parts_table(result),
        "notes": facts.calibration_notes,
        "reliabilities": reliability_panels(result),
    }


def reliability_panels(result: AuditResult) -> list[Panel]:
    """A reliability diagram for each finding whose calibration is estimable: name, figure, caption."""
    panels = []
    for cell in _calibrated(result):
        caption = calibration_sentence(result, cell.finding)
        curve = metrics.corp_curve(cell.positive, cell.score)
        bins = metrics.reliability_bins(cell.positive, cell.score, patients=cell.patients)
        observed = Observed(bins, curve.probability, curve.observed)
        panels.append((cell.finding, reliability_figure(cell.finding, observed, cell.score, caption), caption))
    return panels


def parts_table(result: AuditResult) -> TableView | None:
    """The Brier score taken apart: what recalibration would take away, what ranking is worth, what nobody can know."""
    rows = []
    for cell in _calibrated(result):
        parts = metrics.brier_parts(cell.positive, cell.score)
        values = (parts.brier, parts.miscalibration, parts.discrimination, parts.uncertainty)
        rows.append((Td(cell.finding), *(Td(number(value, "brier")) for value in values)))
    foot = (
        "Brier score = miscalibration − discrimination + uncertainty. Isotonic regression follows the sample, so that even a "
        "calibrated model shows a miscalibration somewhat above 0."
    )
    head = ("Finding", "Brier score", "Miscalibration (0 is best)", "Discrimination (higher is better)", "Uncertainty")
    return TableView("The Brier score and its parts (CORP)", head, tuple(rows), foot, kind="stack") if rows else None


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


def _calibrated(result: AuditResult) -> list[Cell]:
    """The findings whose calibration can be judged."""
    if not result.table.is_probability:
        return []
    rows = {each.whole.finding: result.estimate(each.whole.finding, "calibration_intercept") for each in result.cells}
    return [
        each.whole for each in result.cells if (row := rows[each.whole.finding]) is not None and row.estimate.value is not None
    ]


def _ece_cell(row: EstimateRow | None) -> Td:
    """The value; below it the band of a calibrated model, which is no interval around the value."""
    if row is None or row.estimate.value is None:
        return estimate_cell(row)
    side = beside_band(row.estimate)
    chip = Chip(f"{'✕ above' if side == 'above' else '! below'} the band", "fail") if side else None
    return Td(number(row.estimate.value, "ece"), sub=band_text(row.estimate), chip=chip)
