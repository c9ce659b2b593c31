"""The drawing board: a plane of millimetres behind which every shape knows how long a ray runs through it.

Rays are taken as parallel; magnification and rotation are applied afterwards (``detector.project``). x points to the patient's
left (the viewer's right), y to the feet; y = 0 is the apex of the lungs, x = 0 the midline.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.floating[Any]]
"""float32 (H, W) on the board, or a row or column of it that broadcasts."""

SPACING = 0.9
"""Millimetres between two points of the board."""
LEFT, TOP = -210.0, -85.0
WIDTH, HEIGHT = 467, 467

X: Map = (LEFT + SPACING * np.arange(WIDTH, dtype=np.float32))[None, :]
Y: Map = (TOP + SPACING * np.arange(HEIGHT, dtype=np.float32))[:, None]


class Window(NamedTuple):
    """A part of the board, so that a small shape costs little."""

    rows: slice
    columns: slice

    @property
    def x(self) -> Map:
        return X[:, self.columns]

    @property
    def y(self) -> Map:
        return Y[self.rows]


def window(x_low: float, x_high: float, y_low: float, y_high: float) -> Window:
    """The part of the board between these millimetres; at least one point, clipped at the edges."""
    first_column, last_column = (int(np.clip((x - LEFT) / SPACING, 0, WIDTH - 1)) for x in (x_low, x_high))
    first_row, last_row = (int(np.clip((y - TOP) / SPACING, 0, HEIGHT - 1)) for y in (y_low, y_high))
    return Window(slice(first_row, last_row + 1), slice(first_column, last_column + 1))


def profile(at: Map | float, points: list[tuple[float, float]]) -> Map:
    """A piecewise linear curve through (position, value) points."""
    positions, values = zip(*points, strict=True)
    return np.asarray(np.interp(at, positions, values), np.float32)


def rise(values: Map) -> Map:
    """A smooth step from 0 (values <= 0) to 1 (values >= 1)."""
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def chord(squared_radius: Map) -> Map:
    """The share of the longest ray through an ellipsoid at a squared relative radius; 0 outside."""
    return np.sqrt(np.clip(1 - squared_radius, 0, None))


def add_ellipsoid(
    board: Map, center: tuple[float, float], axes: tuple[float, float], depth: float, *, angle: float = 0.0
) -> None:
    """Adds, in place, the ray lengths through an ellipsoid.

    Args:
        board: float32 (HEIGHT, WIDTH), mm.
        center: (x, y), mm.
        axes: Half axes across the ray, mm.
        depth: Longest ray, mm; negative takes matter away.
        angle: Radians by which the first axis is turned towards the feet.
    """
    reach = max(axes)
    part = window(center[0] - reach, center[0] + reach, center[1] - reach, center[1] + reach)
    board[part.rows, part.columns] += np.float32(depth) * chord(ellipse(part, center, axes, angle))


def ellipse(part: Window | None, center: tuple[float, float], axes: tuple[float, float], angle: float = 0.0) -> Map:
    """Squared relative radius about an ellipse: 1 on it, less inside."""
    x, y = (X, Y) if part is None else (part.x, part.y)
    x, y = x - np.float32(center[0]), y - np.float32(center[1])
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return ((x * cosine + y * sine) / np.float32(axes[0])) ** 2 + ((y * cosine - x * sine) / np.float32(axes[1])) ** 2


def add_tube(board: Map, points: NDArray[np.floating], radius: Map | float, depth: float, *, shell: float = 0.0) -> None:
    """Adds, in place, the ray lengths through a bent tube.

    Args:
        board: float32 (HEIGHT, WIDTH), mm.
        points: (P, 2) centre line, mm, a few millimetres apart.
        radius: Of the tube, mm; one value or one a point.
        depth: Longest ray, mm; negative takes matter away.
        shell: 0 for a solid tube; else the thickness of a dense wall as a share of the radius, as cortical bone has.
    """
    radii = np.broadcast_to(np.asarray(radius, np.float32), len(points))
    reach = float(radii.max()) + SPACING
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    part = window(low[0], high[0], low[1], high[1])
    x, y = part.x, part.y
    nearest = np.full((y.shape[0], x.shape[1]), 4, np.float32)
    for (x0, y0), (x1, y1), r in zip(points[:-1], points[1:], radii[:-1], strict=True):
        dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
        along = np.clip(((x - np.float32(x0)) * dx + (y - np.float32(y0)) * dy) / (dx * dx + dy * dy + 1e-6), 0, 1)
        np.minimum(
            nearest, ((x - np.float32(x0) - along * dx) ** 2 + (y - np.float32(y0) - along * dy) ** 2) / (r * r), out=nearest
        )
    board[part.rows, part.columns] += np.float32(depth) * tube_profile(nearest, shell)


def tube_profile(squared_radius: Map, shell: float) -> Map:
    """Ray length through a tube as a share of its diameter; a shell leaves most of the core out, as marrow does."""
    outer = chord(squared_radius)
    if not shell:
        return outer
    core = 1 - shell
    return outer - np.float32(0.65 * core) * chord(squared_radius / np.float32(core * core))


def add_threads(board: Map, points: NDArray[np.floating], radii: NDArray[np.floating], lengths: NDArray[np.floating]) -> None:
    """Adds, in place, many thin tubes given as points along them: each lays down the volume of its piece, blurred to its width.

    Args:
        board: float32 (HEIGHT, WIDTH), mm.
        points: (P, 2), mm, not much farther apart than a board point.
        radii: (P,), mm.
        lengths: (P,), mm of tube that each point stands for.
    """
    widths = (0.7, 1.2, 2.0, 3.2, 5.0)
    band = np.clip(np.searchsorted(np.sqrt(np.multiply(widths[:-1], widths[1:])), radii * 0.6), 0, len(widths) - 1)
    volume = np.pi * radii**2 * lengths / SPACING**2
    for index, width in enumerate(widths):
        chosen = band == index
        if chosen.any():
            splat = _splat(points[chosen], volume[chosen])
            board += ndimage.gaussian_filter(splat, width / SPACING, truncate=3.0)


def _splat(points: NDArray[np.floating], weights: NDArray[np.floating]) -> Map:
    column, row = (points[:, 0] - LEFT) / SPACING, (points[:, 1] - TOP) / SPACING
    inside = (column >= 0) & (column < WIDTH - 1) & (row >= 0) & (row < HEIGHT - 1)
    column, row, weights = column[inside], row[inside], weights[inside]
    left, upper = column.astype(np.int64), row.astype(np.int64)
    right_share, lower_share = column - left, row - upper
    start = upper * WIDTH + left
    index = np.concatenate([start, start + 1, start + WIDTH, start + WIDTH + 1])
    share = np.concatenate(
        [
            weights * (1 - right_share) * (1 - lower_share),
            weights * right_share * (1 - lower_share),
            weights * (1 - right_share) * lower_share,
            weights * right_share * lower_share,
        ]
    )
    return np.bincount(index, share, minlength=WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.float32)


def cloud(rng: np.random.Generator, size_mm: float) -> Map:
    """Smooth noise over the board: mean 0, standard deviation 1, grains of about ``size_mm``."""
    step = max(1, int(size_mm / SPACING / 2))
    rows, columns = HEIGHT // step + 4, WIDTH // step + 4
    coarse = ndimage.gaussian_filter(rng.standard_normal((rows, columns), dtype=np.float32), size_mm / SPACING / step / 2)
    coarse /= coarse.std()
    return coarse[:HEIGHT, :WIDTH] if step == 1 else enlarge(coarse, (HEIGHT, WIDTH), step)


def enlarge(coarse: Map, shape: tuple[int, int], step: int) -> Map:
    """Linear interpolation of a coarse map whose points lie ``step`` apart; reads past its end repeat the edge."""
    above, share = _neighbours(coarse.shape[0], shape[0], step)
    tall = coarse[above] + share[:, None] * (coarse[above + 1] - coarse[above])
    left, share = _neighbours(coarse.shape[1], shape[1], step)
    return np.take(tall, left, axis=1) + share * np.take(np.diff(tall, axis=1), left, axis=1)


def _neighbours(coarse: int, fine: int, step: int) -> tuple[NDArray[np.int64], Map]:
    position = np.minimum((np.arange(fine) + 0.5) / step - 0.5, coarse - 1.001).clip(0)
    lower = position.astype(np.int64)
    return lower, (position - lower).astype(np.float32)
