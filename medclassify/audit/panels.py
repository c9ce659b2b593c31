"""The report's pictures with their captions: curves of each finding, explained cases."""

import base64

from markupsafe import Markup

from medclassify import metrics
from medclassify.audit.cells import Cell, FindingCells
from medclassify.audit.facts import ExplainedCase
from medclassify.audit.figures import reliability_figure, roc_figure
from medclassify.audit.results import AuditResult
from medclassify.audit.summary import calibration_sentence
from medclassify.audit.words import estimate_text, number

Panel = tuple[str, Markup, str]
_TRUTH = {1: "present", 0: "absent", None: "not labelled"}


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


def case_view(case: ExplainedCase) -> dict[str, str]:
    """One explained case as the gallery shows it."""
    called = case.probability >= case.threshold
    right = {None: "", 1: " (right)" if called else " (missed)", 0: " (false alarm)" if called else " (right)"}[case.target]
    call = ("called" if called else "not called") + right
    truth, probability = _TRUTH[case.target], number(case.probability, "auroc")
    return {
        "sample_id": case.sample_id,
        "finding": case.finding,
        "call": call,
        "truth": truth,
        "probability": probability,
        "threshold": number(case.threshold, "auroc"),
        "alt": f"Saliency of {case.finding} over sample {case.sample_id}: {call}, label {truth}, probability {probability}",
        "png": base64.b64encode(case.overlay_png).decode("ascii"),
    }


def _operating(cell: Cell) -> tuple[float, float] | None:
    decided = cell.decided()
    if not decided.n_pos or not decided.n_neg:
        return None
    called = decided.decision == 1
    return float(called[~decided.positive].mean()), float(called[decided.positive].mean())
