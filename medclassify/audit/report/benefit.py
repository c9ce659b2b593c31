"""The section on net benefit: is acting on the model better than calling everybody or nobody?"""

from typing import Any

import numpy as np

from medclassify import metrics
from medclassify.audit.cells import Cell
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.figures import decision_edge, decision_figure
from medclassify.audit.report.views import Panel, TableView, Td
from medclassify.audit.results import AuditResult
from medclassify.audit.words import number


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """Decision curves; nothing where scores are no probabilities, for a threshold then names no price."""
    cells = judged(result)
    if not cells:
        return None
    return {"curves": [_panel(cell, result) for cell in cells], "benefit_table": benefit_table(cells, result)}


def benefit_table(cells: list[Cell], result: AuditResult) -> TableView | None:
    """Net benefit at the frozen threshold, in correct calls for 1,000 samples."""
    rows = []
    for cell in cells:
        threshold = _threshold(cell.finding, result)
        if threshold is None:
            continue
        curve = metrics.decision_curve(cell.positive, cell.score, [threshold], patients=cell.patients)
        value, low, high = (1000 * float(part[0]) for part in (curve.net_benefit, curve.ci_low, curve.ci_high))
        price = threshold / (1 - threshold)
        cells_of_row = (
            number(threshold, "auroc"),
            f"{1 / price:.3g} false alarms" if price < 1 else f"{1 / price:.2g} of a false alarm",
            f"{_whole(value)} ({_whole(low)} to {_whole(high)})",
        )
        everybody = 1000 * float(curve.all_called[0])
        rival = Td(_whole(max(0.0, everybody)), sub="calling everybody" if everybody > 0 else "calling nobody")
        rows.append((Td(cell.finding), *map(Td, cells_of_row), rival))
    head = ("Finding", "Threshold", "One hit is worth", "Model, for 1,000 samples", "Best without a model")
    foot = (
        "Net benefit counts hits, less false alarms at the price that the threshold implies. That price is a choice: whoever "
        "sets the threshold says how many false alarms one hit is worth."
    )
    return (
        TableView("Net benefit at the frozen threshold, with 95 % intervals", head, tuple(rows), foot, kind="stack")
        if rows
        else None
    )


def _panel(cell: Cell, result: AuditResult) -> Panel:
    threshold = _threshold(cell.finding, result)
    curve = result.decision_curves[cell.finding]
    edge = decision_edge(cell.score, threshold)
    caption = _caption(curve, edge)
    figure = decision_figure(cell.finding, curve, edge, threshold, cell.n_pos / cell.n, caption)
    return cell.finding, figure, caption


def _caption(curve: metrics.DecisionCurve, edge: float) -> str:
    """Where the model is worth more than both ways that need no model."""
    shown = curve.threshold <= edge + 1e-9
    better = shown & (curve.net_benefit > np.maximum(curve.all_called, 0))
    if not better.any():
        return "At no threshold shown is the model worth more than calling everybody or nobody."
    ends = " to ".join(number(float(curve.threshold[better][place]), "auroc") for place in (0, -1))
    count = f"{np.count_nonzero(better)} of {np.count_nonzero(shown)}"
    return f"Worth more than calling everybody or nobody at {count} thresholds, from {ends}."


def judged(result: AuditResult) -> list[Cell]:
    """The findings that have decision curves: of which there are enough samples."""
    rows = [(each.whole, result.estimate(each.whole.finding, "auroc")) for each in result.cells]
    return [
        cell
        for cell, row in rows
        if cell.finding in result.decision_curves and row is not None and row.estimate.value is not None
    ]


def _threshold(finding: str, result: AuditResult) -> float | None:
    """The finding's one threshold, if it lies between 0 and 1."""
    frame = result.table.frame
    given = frame.loc[frame["finding"] == finding, "threshold"].dropna().unique()
    return float(given[0]) if given.size == 1 and 0 < given[0] < 1 else None


def _whole(value: float) -> str:
    return f"{value:.0f}".replace("-", "−") if round(value) else "0"
