"""A head: scalp, skull, brain with ventricles and falx; and blood in the five places where it is looked for.

Hounsfield units as in textbooks of neuroradiology: grey matter 37–41, white matter 25–32, cerebrospinal fluid 0–15, fresh
clotted blood 60–80, bone up to 1,000.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medclassify.phantom.ct.space import Field, Points, Waves, blend, ellipsoid, step

BLEEDINGS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One person's head.

    Attributes:
        axes: Half axes of the outer table of the skull, mm.
        skull: Its thickness, mm.
        atrophy: 0 (young) to 1: wider fluid spaces.
        texture: Of brain tissue.
        folds: Of the surface, for blood in the furrows.
    """

    axes: tuple[float, float, float]
    skull: float
    atrophy: float
    texture: Waves
    folds: Waves


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleed:
    """One bleeding.

    Attributes:
        kind: One of ``BLEEDINGS``.
        angle: Where round the head, radians from the patient's left towards the back.
        level: z of its middle, mm.
        reach: How far it goes up and down from there, mm.
        size: Thickness or radius, mm.
        density: HU.
    """

    kind: str
    angle: float
    level: float
    reach: float
    size: float
    density: float


def draw_head(rng: np.random.Generator, age: int) -> Head:
    """A head of its own."""
    axes = (rng.normal(72, 3), rng.normal(90, 3.5), rng.normal(95, 3))
    atrophy = float(np.clip((age - 45) / 45 + rng.normal(0, 0.15), 0, 1))
    return Head(
        axes=(float(axes[0]), float(axes[1]), float(axes[2])),
        skull=float(rng.uniform(5.5, 7.5)),
        atrophy=atrophy,
        texture=Waves.draw(rng, 30, 9),
        folds=Waves.draw(rng, 17, 11, count=6),
    )


def draw_bleed(rng: np.random.Generator, kind: str) -> Bleed:
    """A bleeding of its own; all of them can be seen by a person who looks."""
    size = {"epidural": (12, 20), "intraparenchymal": (9, 17), "subdural": (6.5, 11), "subarachnoid": (13, 17)}.get(
        kind, (8, 12)
    )
    level = (2, 16) if kind == "intraventricular" else (-10, 45)
    return Bleed(
        kind=kind,
        angle=float(rng.uniform(-0.6, 0.6) + (0 if rng.random() < 0.5 else np.pi)),
        level=float(rng.uniform(*level)),
        reach=float(rng.uniform(14, 26)),
        size=float(rng.uniform(*size)),
        density=float(rng.uniform(62, 76)),
    )


def head_hu(points: Points, head: Head) -> tuple[Field, Field]:
    """Hounsfield units of a healthy head, and how deep each point lies below the inner table, mm (negative outside)."""
    outer = ellipsoid(points, (0, 0, 0), head.axes)
    inner_axes = tuple(axis - head.skull for axis in head.axes)
    depth = (1 - ellipsoid(points, (0, 0, 0), (inner_axes[0], inner_axes[1], inner_axes[2]))) * np.float32(
        np.mean(inner_axes[:2])
    )
    hu = np.full(points.x.shape, -1000, np.float32)
    blend(hu, step((1 + 5 / head.axes[0] - outer) * 30), 15)  # scalp
    blend(hu, step((1 - outer) * 40), 900)
    inside = step(depth / 1.5 + 0.5)
    blend(hu, inside, 8)  # fluid between bone and brain
    brain = step((depth - 1.5 - 2.5 * head.atrophy) / 1.5)
    blend(hu, brain, 38)
    blend(hu, step((depth - 9) / 4), 29)
    for side in (-1, 1):
        blend(hu, step((1 - ellipsoid(points, (side * 22, 0, 4), (9, 20, 14))) * 4), 37)  # deep grey matter
    blend(hu, ventricles(points, head), 6)
    falx = step(1.6 - np.abs(points.x)) * step((points.z + 5) / 8) * step((np.abs(points.y) - 20) / 8) * brain
    blend(hu, 0.7 * falx, 45)
    hu += 1.6 * head.texture.at(points) * brain
    base = step((-22 - points.z) / 6) * inside
    for side in (-1, 1):
        blend(hu, base * step((1 - ellipsoid(points, (side * 38, 12, -38), (26, 9, 16))) * 4), 750)  # petrous bone
    blend(hu, base * step((1 - ellipsoid(points, (0, -62, -40), (18, 14, 14))) * 4), -900)  # air of the sinuses
    return hu, depth


def ventricles(points: Points, head: Head) -> Field:
    """Share of each point that lies in a lateral ventricle."""
    axes = (6.5 + 3.5 * head.atrophy, 30 + 5 * head.atrophy, 12 + 3 * head.atrophy)
    found = np.zeros(points.x.shape, np.float32)
    for side in (-1, 1):
        found = np.maximum(found, step((1 - ellipsoid(points, (side * 12, 4, 9), axes)) * 3))
    return found


def draw_blood(points: Points, head: Head, hu: Field, depth: Field, bleed: Bleed) -> Field:
    """Puts a bleeding into a slice, in place; returns the share of blood at each point."""
    along = np.clip(1 - ((points.z - bleed.level) / bleed.reach) ** 2, 0, 1)
    share = _PLACES[bleed.kind](points, head, depth, bleed, np.sqrt(along)) * step(depth + 0.5)
    if bleed.kind == "intraparenchymal":  # oedema round it
        wider = _blob(points, depth, bleed, np.sqrt(along), 1.35)
        blend(hu, 0.6 * wider * step(depth / 3), 20)
    blend(hu, share, bleed.density)
    return share


def _turn(points: Points, bleed: Bleed) -> Field:
    """Angle from the middle of the bleeding, radians, -π to π."""
    return np.angle(np.exp(1j * (np.arctan2(points.y, points.x) - bleed.angle))).astype(np.float32)


def _lens(points: Points, head: Head, depth: Field, bleed: Bleed, along: Field) -> Field:
    """Between bone and dura: biconvex, with a narrow base."""
    turn = _turn(points, bleed) / np.float32(0.48)
    thick = bleed.size * along * np.sqrt(np.clip(1 - turn**2, 0, None))
    return step((thick - depth) / 1.5 + 0.5) * (thick > 1)


def _crescent(points: Points, head: Head, depth: Field, bleed: Bleed, along: Field) -> Field:
    """Below the dura: thin and long, along half a hemisphere."""
    turn = _turn(points, bleed) / np.float32(1.25)
    thick = bleed.size * along * np.clip(1 - turn**4, 0, None)
    return step((thick - depth) / 1.5 + 0.5) * (thick > 1)


def _blob(points: Points, depth: Field, bleed: Bleed, along: Field, scale: float) -> Field:
    x, y = 34 * np.cos(bleed.angle), 42 * np.sin(bleed.angle)
    radius = np.hypot(points.x - np.float32(x), (points.y - np.float32(y)) / np.float32(1.2))
    return step((scale * bleed.size * along - radius) / 2 + 0.5) * (along > 0)


def _in_brain(points: Points, head: Head, depth: Field, bleed: Bleed, along: Field) -> Field:
    """In the brain itself."""
    return _blob(points, depth, bleed, along, 1.0)


def _in_ventricle(points: Points, head: Head, depth: Field, bleed: Bleed, along: Field) -> Field:
    """Blood sinks to the back of the ventricles of a patient who lies."""
    level = np.float32(14 - 1.6 * bleed.size)
    return ventricles(points, head) * step((points.y - level) / 3) * (along > 0)


def _in_furrows(points: Points, head: Head, depth: Field, bleed: Bleed, along: Field) -> Field:
    """Round the brain: bright lines in the furrows of one side."""
    sector = step((1.3 - np.abs(_turn(points, bleed))) * 3)
    rim = step((bleed.size - depth) / 3)
    lines = step((head.folds.at(points) + 0.15) * 1.6)
    return sector * rim * lines * step(along * 3)


_PLACES: dict[str, Callable[[Points, Head, Field, Bleed, Field], Field]] = {
    "epidural": _lens,
    "intraparenchymal": _in_brain,
    "intraventricular": _in_ventricle,
    "subarachnoid": _in_furrows,
    "subdural": _crescent,
}
