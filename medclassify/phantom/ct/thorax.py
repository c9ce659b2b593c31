"""A chest: wall, ribs, spine, heart and two lungs with vessels; and nodules and ground glass in them.

Hounsfield units: aerated lung about −860, soft tissue 40, ground glass −700 to −500 (a haze that leaves vessels visible).
"""

from dataclasses import dataclass

import numpy as np

from medclassify.phantom.ct.space import Field, Points, Waves, blend, ellipsoid, step

LUNG_FINDINGS = ("nodule", "ground_glass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thorax:
    """One person's chest.

    Attributes:
        axes: Half width and half depth of the body, mm.
        lung: Half axes of a lung, mm.
        vessels: Where vessels run.
        texture: Of soft tissue.
    """

    axes: tuple[float, float]
    lung: tuple[float, float, float]
    vessels: Waves
    texture: Waves


@dataclass(frozen=True, slots=True, kw_only=True)
class LungLesion:
    """A nodule or a patch of ground glass.

    Attributes:
        kind: One of ``LUNG_FINDINGS``.
        centre: x, y, z, mm.
        radius: mm.
        density: HU.
    """

    kind: str
    centre: tuple[float, float, float]
    radius: float
    density: float


def draw_thorax(rng: np.random.Generator) -> Thorax:
    """A chest of its own."""
    width = rng.normal(165, 9)
    return Thorax(
        axes=(float(width), float(0.68 * width)),
        lung=(float(0.33 * width), float(0.5 * width), float(rng.normal(125, 6))),
        vessels=Waves.draw(rng, 26, 12, count=14),
        texture=Waves.draw(rng, 40, 12),
    )


def draw_lung_lesion(rng: np.random.Generator, kind: str, thorax: Thorax) -> LungLesion:
    """A lesion of its own, inside a lung."""
    side, direction = (-1 if rng.random() < 0.5 else 1), rng.normal(size=3)
    direction *= rng.uniform(0.2, 0.6) / np.linalg.norm(direction)
    x, y, z = (float(axis * share) for axis, share in zip(thorax.lung, direction, strict=True))
    nodule = kind == "nodule"
    return LungLesion(
        kind=kind,
        centre=(side * 0.42 * thorax.axes[0] + x, y, z),
        radius=float(rng.uniform(9, 16) if nodule else rng.uniform(26, 42)),
        density=float(rng.uniform(20, 60) if nodule else rng.uniform(-620, -500)),
    )


def thorax_hu(points: Points, thorax: Thorax) -> tuple[Field, Field]:
    """Hounsfield units of a healthy chest, and the share of each point that is lung."""
    flat = Points(points.x, points.y, np.zeros_like(points.z))
    body = ellipsoid(flat, (0, 0, 0), (*thorax.axes, 1))
    hu = np.full(points.x.shape, -1000, np.float32)
    blend(hu, step((1 - body) * 40), -90)  # fat below the skin
    blend(hu, step((0.93 - body) * 40), 45)
    ring = step((0.06 - np.abs(body - 0.86)) * 40)
    turn = np.arctan2(points.y, points.x)
    blend(hu, ring * step(np.cos(9 * turn + points.z / 9) * 3 - 1.2), 350)  # ribs
    lung = np.zeros(points.x.shape, np.float32)
    for side in (-1, 1):
        lung = np.maximum(lung, step((1 - ellipsoid(points, (side * 0.42 * thorax.axes[0], 0, 0), thorax.lung)) * 12))
    heart = step((1 - ellipsoid(points, (18, -28, -45), (56, 48, 60))) * 12)
    lung *= 1 - heart
    blend(hu, lung, -860)
    vessels = step((thorax.vessels.at(points) - 1.35) * 2.5) * lung
    blend(hu, 0.75 * vessels, 40)
    spine = step((1 - ellipsoid(flat, (0, 0.66 * thorax.axes[1], 0), (19, 17, 1))) * 10)
    blend(hu, spine, 260)
    hu += 4 * thorax.texture.at(points) * (hu > -200)
    return hu, lung


def draw_lesion(points: Points, thorax: Thorax, hu: Field, lung: Field, lesion: LungLesion) -> Field:
    """Puts a lesion into a slice, in place; returns the share of it at each point."""
    radius = ellipsoid(points, lesion.centre, (lesion.radius, lesion.radius, lesion.radius))
    edge = 5.0 if lesion.kind == "nodule" else 2.2
    share = step((1 - radius) * edge) * (lung > 0.3)
    # ground glass is a haze over what is there: vessels, denser than it, stay to be seen
    blend(hu, share * (hu < lesion.density), lesion.density)
    return share
