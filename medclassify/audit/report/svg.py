"""Pictures as inline SVG: text stays text, colours are the style sheet's, every picture says in words what it shows."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

Ticks = Sequence[tuple[float, str]]

UNIT_TICKS: Ticks = ((0, "0"), (0.25, ".25"), (0.5, ".5"), (0.75, ".75"), (1, "1"))


@dataclass(frozen=True, slots=True)
class Axes:
    """A plot's area and its two linear scales.

    Attributes:
        box: Left, top, right and bottom in picture units (pixels at natural size).
        x: First and last value of the horizontal scale.
        y: First and last value of the vertical scale; the first stands at the bottom.
    """

    box: tuple[float, float, float, float]
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Picture units (n, 2) of values (n,), held within the box."""
        left, top, right, bottom = self.box
        across = left + (np.asarray(x, np.float64) - self.x[0]) / (self.x[1] - self.x[0]) * (right - left)
        up = bottom - (np.asarray(y, np.float64) - self.y[0]) / (self.y[1] - self.y[0]) * (bottom - top)
        return np.column_stack((np.clip(across, left, right), np.clip(up, top, bottom)))

    def frame(self, xticks: Ticks, yticks: Ticks, xlabel: str = "", ylabel: str = "") -> Markup:
        """The two axes with their ticks and names."""
        left, top, right, bottom = self.box
        parts = [Markup('<path class="axis" d="M{:.1f} {:.1f}V{:.1f}H{:.1f}"/>').format(left, top, bottom, right)]
        for value, label in xticks:
            ((x, _),) = self.place([value], [self.y[0]])
            parts += [_line(x, bottom, x, bottom + 4, "axis"), words(x, bottom + 16, label, "tick middle")]
        for value, label in yticks:
            ((_, y),) = self.place([self.x[0]], [value])
            parts += [_line(left - 4, y, left, y, "axis"), words(left - 7, y + 4, label, "tick end")]
        if xlabel:
            parts.append(words((left + right) / 2, bottom + 34, xlabel, "middle"))
        if ylabel:
            turned = '<text class="middle" transform="translate({:.1f} {:.1f}) rotate(-90)">{}</text>'
            parts.append(Markup(turned).format(13, (top + bottom) / 2, ylabel))
        return Markup("").join(parts)

    def curve(self, x: ArrayLike, y: ArrayLike, kind: str) -> Markup:
        """A line through points, broken where it leaves the box; steps smaller than half a pixel are left out."""
        inside = (np.asarray(y) >= self.y[0] - 1e-9) & (np.asarray(y) <= self.y[1] + 1e-9)
        points = np.round(2 * self.place(x, y)) / 2
        kept = inside & np.append(True, np.abs(np.diff(points, axis=0)).any(axis=1))
        kept[-1:] = inside[-1:]
        letters, before = [], False
        for (across, up), shown, within in zip(points, kept, inside, strict=True):
            if shown:
                letters.append(f"{'L' if before else 'M'}{across:g},{up:g}")
            before = within and (before or bool(shown))
        return Markup('<path class="{}" d="{}"/>').format(kind, "".join(letters))

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, kind: str) -> Markup:
        """The area between two lines."""
        points = np.vstack((self.place(x, low), self.place(x, high)[::-1]))
        return Markup('<path class="{}" d="M{}Z"/>').format(kind, " ".join(f"{a:.1f},{b:.1f}" for a, b in points))

    def dot(self, x: float, y: float, kind: str, radius: float = 4) -> Markup:
        """A round mark."""
        ((across, up),) = self.place([x], [y])
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:g}"/>').format(kind, across, up, radius)


def words(x: float, y: float, text: str, kind: str = "") -> Markup:
    """One line of text at a point of its baseline."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, text)


def box(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A rectangle."""
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(kind, x, y, width, height)


def path(d: str, kind: str) -> Markup:
    """A path in SVG's own letters."""
    return Markup('<path class="{}" d="{}"/>').format(kind, d)


def picture(title: str, description: str, size: tuple[float, float], parts: Iterable[Markup]) -> Markup:
    """The element: scalable, named for screen readers by ids that no other picture has.

    Args:
        title: What it is.
        description: What it shows, in words: the alternative text.
        size: Width and height in picture units.
        parts: What is drawn, from back to front.
    """
    body = Markup("").join(parts)
    name = f"figure-{zlib.crc32((title + description + body).encode()):08x}"
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        'role="img" aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{title}</title>'
        '<desc id="{name}-desc">{description}</desc>{body}</svg>'
    ).format(width=size[0], height=size[1], name=name, title=title, description=escape(description), body=body)


def ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round values from ``low`` to ``high``, at most ``most`` + 1 of them."""
    span = (high - low) or 1.0
    step = 10.0 ** np.floor(np.log10(span / most))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most)
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    first = np.ceil(low / step - 1e-9)
    values = [float(step * place) for place in np.arange(first, np.floor(high / step + 1e-9) + 1)]
    return [(value, tick(value, digits)) for value in values]


def tick(value: float, digits: int = 1) -> str:
    """A value as axes show it: ``.25``, ``−.1``, ``1``."""
    text = f"{value:.{digits}f}"
    if digits:
        text = text.rstrip("0").rstrip(".")
    text = text.replace("-", "−") if float(text) else "0"
    return text.replace("0.", ".", 1) if text.lstrip("−").startswith("0.") else text


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<path class="{}" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(kind, x1, y1, x2, y2)
