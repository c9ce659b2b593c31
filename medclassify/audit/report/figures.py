"""The report's curves. Colours are Okabe & Ito's (2008); no two lines differ by colour alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from medclassify.audit.report.svg import UNIT_TICKS, Axes, box, picture, ticks, words
from medclassify.metrics import DecisionCurve, ReliabilityBins, RocPoints

_LINES = ("line blue", "line vermillion dashed", "line green dotted", "line orange dashdot")
_EDGES = (0.1, 0.2, 0.4, 0.6, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What was observed for each probability: in bins with limits, and by isotonic regression (CORP).

    Attributes:
        bins: Quantile bins with Wilson limits.
        probability: float64 (m,), each value given, rising.
        recalibrated: float64 (m,), the observed share by isotonic regression.
    """

    bins: ReliabilityBins
    probability: NDArray[np.float64]
    recalibrated: NDArray[np.float64]


def roc_figure(finding: str, curve: RocPoints, point: tuple[float, float] | None, caption: str) -> Markup:
    """ROC curve of one finding.

    Args:
        finding: Its name.
        curve: Its corners.
        point: False and true positive rate at the frozen threshold, or None.
        caption: The AUROC in words, for the alternative text.
    """
    axes = Axes((50, 10, 290, 250), (0, 1), (0, 1))
    parts = [
        axes.frame(UNIT_TICKS, UNIT_TICKS, "1 − specificity", "Sensitivity"),
        axes.curve([0, 1], [0, 1], "chance"),
        axes.curve(curve.fpr, curve.tpr, "line blue"),
    ]
    if point is not None:
        parts += [axes.dot(*point, "mark vermillion", 5), axes.dot(0.5, 0.06, "mark vermillion", 5)]
        parts.append(words(180, 240, "frozen threshold"))
        caption += f". At the frozen threshold: sensitivity {point[1]:.2f}, 1 − specificity {point[0]:.2f}"
    return picture(f"ROC curve of {finding}", caption, (300, 290), parts)


def reliability_figure(finding: str, observed: Observed, probabilities: NDArray[np.float64], caption: str) -> Markup:
    """Observed against predicted share, over a histogram of the probabilities.

    Args:
        finding: Its name.
        observed: Bins and the isotonic curve.
        probabilities: float64 (n,) in [0, 1].
        caption: Calibration in words.
    """
    bins = observed.bins
    edge = _edge(max(float(bins.ci_high.max()), float(np.quantile(probabilities, 0.995))))
    scale = [
        (edge * part, f"{edge * part:.3f}".rstrip("0").rstrip(".").removeprefix("0") or "0") for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    upper, lower = Axes((50, 10, 290, 250), (0, edge), (0, edge)), Axes((50, 268, 290, 308), (0, edge), (0, 1))
    counts, edges = np.histogram(np.minimum(probabilities, edge), bins=25, range=(0, edge))
    share = counts / max(1, counts.max())
    parts = [upper.frame([(value, "") for value, _ in scale], scale, ylabel="Observed share")]
    parts.append(upper.curve([0, edge], [0, edge], "chance"))
    parts.append(upper.curve(observed.probability, observed.recalibrated, "line orange"))
    for x, y, low, high in zip(bins.probability, bins.observed, bins.ci_low, bins.ci_high, strict=True):
        parts += [upper.curve([x, x], [low, high], "limits"), upper.dot(float(x), float(y), "mark blue", 3.5)]
    parts.append(lower.frame(scale, [], "Predicted probability"))
    for low, high, part in zip(edges[:-1], edges[1:], share, strict=True):
        if part:
            (left, top), (right, bottom) = lower.place([low, high], [part, 0])
            parts.append(box(left + 0.5, top, right - left - 1, bottom - top, "bar"))
    return picture(f"Reliability of {finding}", caption, (300, 348), parts)


def decision_figure(
    finding: str, curve: DecisionCurve, edge: float, threshold: float | None, prevalence: float, caption: str
) -> Markup:
    """Net benefit of the model, of calling everybody and of calling nobody, by threshold.

    Args:
        finding: Its name.
        curve: Net benefit with its limits.
        edge: Where the horizontal scale ends.
        threshold: The frozen threshold, or None.
        prevalence: Share with the finding; the most that can be gained.
        caption: What it shows, in words.
    """
    kept = curve.threshold <= edge
    top = max(prevalence, float(curve.ci_high[kept].max())) * 1.05
    axes = Axes((58, 10, 300, 230), (0, edge), (-0.25 * top, top))
    at = curve.threshold[kept]
    parts = [
        axes.frame(ticks(0, edge), ticks(-0.25 * top, top), "Threshold probability", "Net benefit"),
        axes.band(at, curve.ci_low[kept], curve.ci_high[kept], "band blue"),
        axes.curve([0, edge], [0, 0], "line nobody"),
        axes.curve(at, curve.all_called[kept], "line vermillion dashed"),
        axes.curve(at, curve.net_benefit[kept], "line blue"),
    ]
    if threshold is not None and threshold <= edge:
        parts.append(axes.curve([threshold, threshold], [-0.25 * top, top], "chance"))
    for place, (kind, name) in enumerate(
        (("line blue", "model"), ("line vermillion dashed", "call everybody"), ("line nobody", "call nobody"))
    ):
        y = 20 + 16 * place
        parts += [Markup('<path class="{}" d="M182 {}h22"/>').format(kind, y), words(210, y + 4, name)]
    return picture(f"Decision curve of {finding}", caption, (310, 270), parts)


def decision_edge(probabilities: NDArray[np.float64], threshold: float | None) -> float:
    """Where a decision curve ends: beyond the largest probabilities nobody is called."""
    return _edge(max(float(np.quantile(probabilities, 0.99)), threshold or 0.0))


def learning_figure(history: Sequence[Mapping[str, float]]) -> Markup:
    """Losses and AUROC by epoch; empty where the history has neither."""
    panels = [("Loss", _curves(history, "loss")), ("AUROC", _curves(history, "auroc"))]
    panels = [(name, curves) for name, curves in panels if curves]
    if not panels:
        return Markup("")
    parts, told = [], []
    for place, (name, curves) in enumerate(panels):
        parts += _learning_panel(name, curves, 320 * place)
        told += [f"{_said(label)} ends at {points[-1][1]:.3f}" for label, points in curves.items()]
    return picture("Learning curve", "; ".join(told), (320 * len(panels), 270), parts)


def _learning_panel(name: str, curves: Mapping[str, Sequence[tuple[float, float]]], left: float) -> list[Markup]:
    points = np.array([point for line in curves.values() for point in line])
    (first, low), (last, high) = points.min(axis=0), points.max(axis=0)
    room = 0.06 * (high - low or 1.0)
    axes = Axes((left + 58, 46, left + 306, 226), (first, max(last, first + 1)), (low - room, high + room))
    epochs = [(value, label) for value, label in ticks(first, max(last, first + 1)) if value == round(value)]
    parts = [axes.frame([(value, f"{value:.0f}") for value, _ in epochs], ticks(low - room, high + room), "Epoch")]
    parts.append(words(left + 14, 16, name, "strong"))
    for place, ((label, line), kind) in enumerate(zip(curves.items(), _LINES, strict=False)):
        parts += [
            axes.curve(*np.array(line).T, kind=kind),
            *(axes.dot(x, y, kind.replace("line", "mark"), 2.5) for x, y in line),
        ]
        x = left + 70 + 118 * (place % 2)
        y = 12 + 16 * (place // 2)
        parts += [
            Markup('<path class="{}" d="M{:.0f} {:.0f}h18"/>').format(kind, x, y),
            words(x + 22, y + 4, short(_said(label), 16)),
        ]
    return parts


def short(label: str, length: int = 28) -> str:
    """The label, cut where it would run out of its place."""
    return label if len(label) <= length else label[: length - 1] + "…"


def _curves(history: Sequence[Mapping[str, float]], kind: str) -> dict[str, list[tuple[float, float]]]:
    # Epochs that are counted from 0 are shown as a reader counts them.
    first = 1 - min((int(row.get("epoch", 1)) for row in history), default=1)
    names = [name for name in dict.fromkeys(key for row in history for key in row) if kind in name.lower()][:4]
    points = {
        name: [
            (row.get("epoch", number) + max(0, first), float(row[name]))
            for number, row in enumerate(history)
            if _known(row, name)
        ]
        for name in names
    }
    return {name: line for name, line in points.items() if line}


def _known(row: Mapping[str, float], name: str) -> bool:
    return row.get(name) is not None and bool(np.isfinite(row[name]))


def _edge(largest: float) -> float:
    """Where axes of probabilities end: rare findings have all of them near 0, and would not be seen on a scale up to 1."""
    return next(edge for edge in _EDGES if largest <= edge or edge == 1.0)


def _said(label: str) -> str:
    """``tune_auroc`` as ``tune AUROC``."""
    return label.replace("_", " ").replace("auroc", "AUROC")
