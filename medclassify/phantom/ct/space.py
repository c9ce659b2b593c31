"""Shapes in the patient's space: x to the left, y to the back, z to the head (LPS), in mm; 0 is the middle of the body."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
"""float32 (H, W): one value a pixel of a slice."""


class Points(NamedTuple):
    """Where each pixel of a slice lies. A tilted slice has another z in every row."""

    x: Field
    y: Field
    z: Field


class Waves(NamedTuple):
    """A smooth texture that is the same wherever a slice cuts it: plane waves of random direction and phase."""

    vectors: NDArray[np.float32]
    phases: NDArray[np.float32]

    @classmethod
    def draw(cls, rng: np.random.Generator, longest_mm: float, shortest_mm: float, count: int = 10) -> "Waves":
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = np.exp(rng.uniform(np.log(shortest_mm), np.log(longest_mm), (count, 1)))
        return cls((directions * 2 * np.pi / lengths).astype(np.float32), rng.uniform(0, 6.3, count).astype(np.float32))

    def at(self, points: Points) -> Field:
        """Mean 0, standard deviation about 1."""
        total = np.zeros(points.x.shape, np.float32)
        for (a, b, c), phase in zip(self.vectors, self.phases, strict=True):
            total += np.cos(a * points.x + b * points.y + c * points.z + phase)
        return total * np.float32(np.sqrt(2 / len(self.phases)))


def ellipsoid(points: Points, centre: tuple[float, float, float], axes: tuple[float, float, float]) -> Field:
    """Relative radius about an ellipsoid: 1 on it, less inside."""
    squares = (((p - np.float32(c)) / np.float32(a)) ** 2 for p, c, a in zip(points, centre, axes, strict=True))
    return np.sqrt(sum(squares, np.zeros(points.x.shape, np.float32)))


def step(values: Field) -> Field:
    """A smooth step from 0 (values <= 0) to 1 (values >= 1)."""
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def blend(hu: Field, share: Field, value: Field | float) -> None:
    """Replaces a share of the matter in place."""
    hu += share * (np.float32(value) - hu)
