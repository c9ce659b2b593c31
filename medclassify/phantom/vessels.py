"""Lung markings: two trees of vessels that branch out of the hila."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from medclassify.phantom.anatomy import Anatomy
from medclassify.phantom.grid import HEIGHT, WIDTH, Map, add_threads, cloud

_STEP = 0.9
_POINTS = 64


@lru_cache(maxsize=1)
def build_vessels(anatomy: Anatomy) -> Map:
    """float32 (HEIGHT, WIDTH), mm of vessels and of the fine tissue between them.

    They reach beyond the lungs and must be cut by them. The map is kept for the person's next picture and not to be changed.
    """
    rng = np.random.default_rng([anatomy.seed, 3])
    pieces = [_tree(anatomy, rng, side) for side in (-1, 1)]
    board = np.zeros((HEIGHT, WIDTH), np.float32)
    add_threads(board, *(np.concatenate(column) for column in zip(*pieces, strict=True)))
    board *= np.float32(anatomy.markings)
    board += 0.8 * cloud(rng, 2.2) + 1.2 * cloud(rng, 6)
    board.flags.writeable = False
    return board


def _tree(anatomy: Anatomy, rng: np.random.Generator, side: int) -> tuple[NDArray[np.float64], ...]:
    """Points, radii and lengths of one lung's vessels, grown generation by generation."""
    count = 14
    start = np.stack([np.full(count, side * (anatomy.mediastinum + 8.0)), rng.normal(108 if side < 0 else 102, 9, count)], 1)
    heading = np.linspace(-1.35, 1.35, count) + rng.normal(0, 0.12, count)  # 0 points sideways, positive to the feet
    radius = 3.3 + 0.9 * np.clip(heading, -1, 1) + rng.normal(0, 0.2, count)
    length = anatomy.cage_half_width * (0.36 + 0.10 * np.cos(heading)) * rng.uniform(0.8, 1.1, count)
    points, radii, lengths = [], [], []
    for _ in range(5):
        path, bend = _grow(rng, start, heading, length, side)
        taper = radius[:, None] * np.linspace(1, 0.72, _POINTS)
        points.append(path.reshape(-1, 2))
        radii.append(taper.ravel())
        lengths.append(np.repeat(length / _POINTS, _POINTS))
        fork = rng.integers(_POINTS // 2, _POINTS, len(path))
        start = np.concatenate([path[:, -1], path[np.arange(len(path)), fork]])
        spread = rng.uniform(0.18, 0.55, len(path))
        turn = rng.choice([-1, 1], len(path))
        heading = np.concatenate([bend + turn * spread * 0.6, bend - turn * spread])
        radius = np.concatenate([0.72 * radius, 0.60 * radius])
        length = np.concatenate([length, length]) * rng.uniform(0.55, 0.85, 2 * len(path))
    return np.concatenate(points), np.concatenate(radii), np.concatenate(lengths)


def _grow(
    rng: np.random.Generator, start: NDArray[np.float64], heading: NDArray[np.float64], length: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slightly bent paths (B, _POINTS, 2) and the heading at their ends."""
    t = np.linspace(0, 1, _POINTS)
    bend = rng.normal(0, 0.28, len(heading))
    angle = heading[:, None] + bend[:, None] * t
    step = (length / _POINTS)[:, None]
    x = start[:, :1] + side * np.cumsum(step * np.cos(angle), axis=1)
    y = start[:, 1:] + np.cumsum(step * np.sin(angle), axis=1)
    return np.stack([x, y], axis=2), angle[:, -1]
