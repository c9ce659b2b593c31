"""The section on performance: ranking, rates at the frozen threshold, ROC curves."""

from typing import Any

import numpy as np
import pandas as pd

from medclassify import metrics
from medclassify.audit.cells import Cell
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import phrases
from medclassify.audit.report.figures import roc_figure
from medclassify.audit.report.listing import share
from medclassify.audit.report.views import Panel, TableView, Td, count_text, estimate_cell, unstable_foot, words
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, estimate_text, number

_RANKING = ("auroc", "auprc")
_RATES = ("sensitivity", "specificity", "ppv", "npv")


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """How well the findings are told apart, overall."""
    rocs = roc_panels(result)
    drawn = {name for name, _, _ in rocs}
    return {
        "performance_table": performance_table(result),
        "macro_sentence": phrases.macro_sentence(result),
        "rates_table": rates_table(result),
        "threshold_table": threshold_table(result, facts),
        "rocs": rocs,
        "undrawn": ", ".join(name for name in result.table.findings if name not in drawn),
    }


def roc_panels(result: AuditResult) -> list[Panel]:
    """A ROC curve for each finding whose AUROC is estimable: name, figure, caption."""
    panels = []
    for cell in (each.whole for each in result.cells):
        row = result.estimate(cell.finding, "auroc")
        if row is None or row.estimate.value is None:
            continue
        caption = f"AUROC {estimate_text(row.estimate, 'auroc', n_pos=cell.n_pos, n_neg=cell.n_neg)}"
        curve = metrics.roc_curve_points(cell.positive, cell.score)
        panels.append((cell.finding, roc_figure(cell.finding, curve, _operating(cell), caption), caption))
    return panels


def performance_table(result: AuditResult) -> TableView:
    """How the finding is ranked, overall."""
    rows = []
    for finding in result.table.findings:
        first = result.estimate(finding, "auroc")
        counts = Td(share(first.n_pos, first.n)) if first else Td("–")
        rows.append((Td(finding), counts, *(estimate_cell(result.estimate(finding, name)) for name in _RANKING)))
    foot = "AUPRC is to be read beside the prevalence: that is its value for a model that knows nothing. "
    head = ("Finding", "With finding", *(LABELS[name] for name in _RANKING))
    caption = "Discrimination on the test set, with 95 % intervals"
    return TableView(caption, head, tuple(rows), (foot + _starred(result, _RANKING)).strip(), kind="stack")


def rates_table(result: AuditResult) -> TableView | None:
    """Every rate at the frozen threshold, overall. Beside the ranking it would not fit a screen."""
    if not any(row.metric in _RATES for row in result.estimates):
        return None
    rows = tuple(
        (Td(finding), *(estimate_cell(result.estimate(finding, name)) for name in _RATES)) for finding in result.table.findings
    )
    head = ("Finding", *(LABELS[name] for name in _RATES))
    return TableView("Rates at the frozen threshold, with 95 % intervals", head, rows, _starred(result, _RATES), kind="stack")


def threshold_table(result: AuditResult, facts: ReportFacts) -> TableView | None:
    """The frozen threshold, where it came from, and the 2×2 table it makes."""
    if not result.table.frame["decision"].notna().any():
        return None
    points = {point.finding: point for point in facts.operating_points}
    rows = []
    for cells in result.cells:
        cell, point = cells.whole.decided(), points.get(cells.whole.finding)
        origin = (
            f"{phrases.criterion(point.criterion)} on {point.split} ({point.n_pos:,} with finding)"
            if point
            else "given with the table"
        )
        called = cell.decision == 1
        counts = [
            np.count_nonzero(a & b)
            for a, b in ((called, cell.positive), (called, ~cell.positive), (~called, cell.positive), (~called, ~cell.positive))
        ]
        texts = [
            _threshold(result.table.frame, cell),
            origin,
            *(count_text(int(count)) for count in counts),
        ]
        rows.append(words([cell.finding, *texts]))
    head = ("Finding", "Threshold", "Chosen by", "Hits", "False alarms", "Missed", "Rightly negative")
    return TableView("Decisions at the frozen threshold", head, tuple(rows), kind="stack")


def _starred(result: AuditResult, metrics: tuple[str, ...]) -> str:
    rows = (result.estimate(finding, name) for finding in result.table.findings for name in metrics)
    return unstable_foot(rows, repeat=result.table.patients_repeat)


def _operating(cell: Cell) -> tuple[float, float] | None:
    """False and true positive rate of the decisions as given."""
    decided = cell.decided()
    if not decided.n_pos or not decided.n_neg:
        return None
    called = decided.decision == 1
    return float(called[~decided.positive].mean()), float(called[decided.positive].mean())


def _threshold(frame: pd.DataFrame, cell: Cell) -> str:
    given = frame.loc[frame["finding"] == cell.finding, "threshold"].dropna().unique()
    if given.size == 0:
        return "–"
    return number(float(given[0]), "auroc") if given.size == 1 else f"{given.size} thresholds"
