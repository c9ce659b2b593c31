"""Curves of each finding with their captions."""

from markupsafe import Markup

from medclassify import metrics
from medclassify.audit.cells import Cell, FindingCells
from medclassify.audit.report.figures import reliability_figure, roc_figure
from medclassify.audit.report.summary import calibration_sentence
from medclassify.audit.results import AuditResult
from medclassify.audit.words import estimate_text

Panel = tuple[str, Markup, str]


def roc_panels(result: AuditResult, cells: list[FindingCells]) -> list[Panel]:
    """A ROC curve for each finding whose AUROC is estimable: name, figure, caption."""
    panels = []
    for cell in (each.whole for each in cells):
        row = result.estimate(cell.finding, "auroc")
        if row is None or row.estimate.value is None:
            continue
        caption = f"AUROC {estimate_text(row.estimate, 'auroc', n_pos=cell.n_pos, n_neg=cell.n_neg)}"
        curve = metrics.roc_curve_points(cell.positive, cell.score)
        panels.append((cell.finding, roc_figure(cell.finding, curve, _operating(cell), caption), caption))
    return panels


def reliability_panels(result: AuditResult, cells: list[FindingCells]) -> list[Panel]:
    """A reliability diagram for each finding whose calibration is estimable: name, figure, caption."""
    if not result.table.is_probability:
        return []
    panels = []
    for cell in (each.whole for each in cells):
        row = result.estimate(cell.finding, "calibration_intercept")
        if row is None or row.estimate.value is None:
            continue
        caption = calibration_sentence(result, cell.finding)
        bins = metrics.reliability_bins(cell.positive, cell.score, patients=cell.patients)
        panels.append((cell.finding, reliability_figure(cell.finding, bins, cell.score, caption), caption))
    return panels


def _operating(cell: Cell) -> tuple[float, float] | None:
    decided = cell.decided()
    if not decided.n_pos or not decided.n_neg:
        return None
    called = decided.decision == 1
    return float(called[~decided.positive].mean()), float(called[decided.positive].mean())
