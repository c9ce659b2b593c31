"""Figures as inline SVG: text stays text, colours are Okabe & Ito's (2008), every figure says in words what it shows."""

import io
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medclassify.audit.report.views import ForestRow
from medclassify.metrics import ReliabilityBins, RocPoints

BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#666666"
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "medclassify",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#222222",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "axes.unicode_minus": True,
    "path.simplify": True,
}


def roc_figure(finding: str, curve: RocPoints, point: tuple[float, float] | None, caption: str) -> Markup:
    """ROC curve of one finding.

    Args:
        finding: Its name.
        curve: Its corners.
        point: False and true positive rate at the frozen threshold, or None.
        caption: The AUROC in words, for the alternative text.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.1, 2.9), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="#BBBBBB", linestyle="--", linewidth=1)
        axes.plot(*_thinned(curve.fpr, curve.tpr), color=BLUE, linewidth=1.8)
        if point is not None:
            axes.plot(*point, "o", color=VERMILLION, markersize=6, label="frozen threshold", zorder=5)
            axes.legend(loc="lower right", frameon=False, handletextpad=0.1, borderaxespad=0)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="1 − specificity", ylabel="Sensitivity", aspect="equal")
        _unit_ticks(axes)
        return _svg(figure, f"ROC curve of {finding}", caption)


def reliability_figure(finding: str, bins: ReliabilityBins, probabilities: NDArray[np.float64], caption: str) -> Markup:
    """Observed against predicted share with Wilson bands, over a histogram of the probabilities.

    Args:
        finding: Its name.
        bins: Mean probability, observed share and its limits in each bin.
        probabilities: float64 (n,) in [0, 1].
        caption: Calibration in words.
    """
    edge = _edge(bins, probabilities)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.1, 3.5))
        axes, below = figure.add_axes((0.19, 0.32, 0.75, 0.66)), figure.add_axes((0.19, 0.13, 0.75, 0.12))
        axes.plot([0, edge], [0, edge], color="#BBBBBB", linestyle="--", linewidth=1)
        errors = np.abs(np.vstack([bins.observed - bins.ci_low, bins.ci_high - bins.observed]))
        points = {"color": BLUE, "ecolor": SKY, "elinewidth": 1.5, "markersize": 4, "linewidth": 1}
        axes.errorbar(bins.probability, bins.observed, yerr=errors, fmt="o-", **points)
        axes.set(ylabel="Observed share")
        below.hist(np.minimum(probabilities, edge), bins=np.linspace(0, edge, 26).tolist(), color=GREY)
        below.set(xlabel="Predicted probability", yticks=[])
        below.set_ylabel("Samples", labelpad=8)
        ticks = [edge * part for part in (0, 0.25, 0.5, 0.75, 1)]
        labels = [f"{tick:.3f}".rstrip("0").rstrip(".").removeprefix("0") or "0" for tick in ticks]
        axes.set_xticks(ticks, [""] * len(ticks))
        axes.set_yticks(ticks, labels)
        below.set_xticks(ticks, labels)
        for each in (axes, below):
            each.set_xlim(-0.02 * edge, 1.02 * edge)
        axes.set_ylim(-0.02 * edge, 1.02 * edge)
        return _svg(figure, f"Reliability of {finding}", caption)


def forest_figure(finding: str, rows: Sequence[ForestRow], overall: float | None, caption: str) -> Markup:
    """AUROC with interval of each subgroup, the overall value as a line.

    Args:
        finding: Its name.
        rows: From top to bottom; a row without text is a heading.
        overall: The AUROC of the whole test set, or None.
        caption: What it shows, in words.
    """
    limits = [limit for row in rows for limit in (row.low, row.value) if limit is not None]
    left = min([0.5, *(np.floor(10 * limit) / 10 for limit in limits)]) if limits else 0.5
    with mpl.rc_context(_STYLE):
        height = 0.62 + 0.23 * len(rows)
        figure = Figure(figsize=(7.4, height))
        axes = figure.add_axes((0.26, 0.5 / height, 0.36, 1 - 0.55 / height))
        if overall is not None:
            axes.axvline(overall, color=GREY, linewidth=0.8, linestyle=":")
        for place, row in enumerate(rows):
            _forest_row(axes, -place, row)
        axes.set(xlim=(left - 0.01, 1.01), ylim=(-len(rows) + 0.4, 0.8), xlabel="AUROC with 95 % interval")
        axes.set_yticks([-place for place in range(len(rows))], [_short(row.label) for row in rows])
        for row, tick in zip(rows, axes.get_yticklabels(), strict=True):
            tick.set_fontweight("bold" if not row.text else "normal")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        return _svg(figure, f"AUROC of {finding} by subgroup", caption)


def learning_figure(history: Sequence[Mapping[str, float]]) -> Markup:
    """Losses and AUROC by epoch; empty where the history has neither."""
    panels = [("Loss", _curves(history, "loss")), ("AUROC", _curves(history, "auroc"))]
    panels = [(name, curves) for name, curves in panels if curves]
    if not panels:
        return Markup("")
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.2 * len(panels), 2.6), layout="constrained")
        for axes, (name, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            for (label, points), colour, line in zip(
                curves.items(), (BLUE, VERMILLION, GREEN, ORANGE), ("-", "--", "-.", ":"), strict=False
            ):
                axes.plot(
                    *zip(*points, strict=True),
                    color=colour,
                    linestyle=line,
                    marker="o",
                    markersize=3,
                    label=_short(_said(label)),
                )
            axes.set(xlabel="Epoch", ylabel=name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(frameon=False)
        last = "; ".join(
            f"{_said(label)} ends at {points[-1][1]:.3f}" for _, curves in panels for label, points in curves.items()
        )
        return _svg(figure, "Learning curve", last)


def _forest_row(axes: Axes, place: int, row: ForestRow) -> None:
    if row.value is not None:
        colour = GREY if row.unstable else BLUE
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot(row.value, place, "s", color=colour, markerfacecolor="white" if row.unstable else colour, markersize=5)
    # A reason is longer than a number, and needs no room for a mark: it begins where the plot does.
    start, gap = (1, 6) if row.value is not None else (0, 0)
    place_of = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center", "fontsize": 8.5}
    axes.annotate(row.text, (start, place), xytext=(gap, 0), **place_of)


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


def _unit_ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])


def _edge(bins: ReliabilityBins, probabilities: NDArray[np.float64]) -> float:
    """Where the axes end: rare findings have all their probabilities near 0, and would not be seen on a scale up to 1."""
    largest = max(float(bins.ci_high.max()), float(np.quantile(probabilities, 0.995)))
    return next(edge for edge in (0.1, 0.2, 0.4, 0.6, 1.0) if largest <= edge or edge == 1.0)


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], points: int = 400
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keeps a curve of many steps small: what differs by less than a pixel is not drawn."""
    if x.size <= points:
        return x, y
    kept = np.unique(np.linspace(0, x.size - 1, points).astype(int))
    return x[kept], y[kept]


def _short(label: str, length: int = 28) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"


def _said(label: str) -> str:
    """``tune_auroc`` as ``tune AUROC``."""
    return label.replace("_", " ").replace("auroc", "AUROC")


def _svg(figure: Figure, title: str, description: str) -> Markup:
    """The figure as an element of the page: scalable, named for screen readers, with ids that no other figure has."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Names in any script are drawn by the reader's fonts; matplotlib need not have the glyphs.
        warnings.filterwarnings("ignore", message="Glyph")
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    name = f"figure-{zlib.crc32((title + text).encode()):08x}"
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r' id="', f' id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'xlink:href="#{name}-')
    root = re.match(r'<svg[^>]*width="([\d.]+)pt"[^>]*viewBox="([^"]+)"', text)
    assert root is not None, "matplotlib writes width and viewBox"
    width, box = root.groups()
    body = text[text.index(">") + 1 :]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}" '
        f'style="width:{float(width) / 72:.2f}in" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
    )
    return Markup(
        f'{head}<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>{body}'
    )
