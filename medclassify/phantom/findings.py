"""The five findings, each drawn by what it does to a ray: which matter stands where lung was.

Every drawer changes the layers in place and returns the finding's mask on the board. ``severity`` runs from just visible
(towards 0) to plain (1).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.phantom.anatomy import Anatomy
from medclassify.phantom.chest import Chest, cage_half_width, diaphragm, heart_center
from medclassify.phantom.grid import HEIGHT, WIDTH, Map, X, Y, add_threads, chord, cloud, ellipse, rise, window

FINDINGS = ("cardiomegaly", "effusion", "nodule", "consolidation", "pneumothorax")
"""In the order of the label table."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One finding of one person at one time.

    Attributes:
        severity: Above 0 (just visible) to 1 (plain).
        side: -1 is the patient's right, 1 the left.
        seed: Of its place and texture; the same over a person's studies.
        contrast: Multiplies what it does to a ray; 1 is its physics.
    """

    severity: float
    side: int
    seed: int
    contrast: float = 1.0


@dataclass(slots=True, eq=False)
class Layers:
    """What the rays meet, float32 (HEIGHT, WIDTH) in mm each; drawers change it in place.

    Attributes:
        anatomy: Whose chest it is.
        chest: The same chest before any finding; left as it is.
        tissue: Water-like tissue.
        lung: Aerated lung.
        vessels: Vessels and fine tissue within the lung.
        bone: Bone.
    """

    anatomy: Anatomy
    chest: Chest
    tissue: Map
    lung: Map
    vessels: Map
    bone: Map


def draw_effusion(layers: Layers, lesion: Lesion) -> Mask:
    """Fluid in the pleural space: it fills the angle, hides the dome and climbs the side wall in a meniscus.

    Two in five stand on both sides, the second lower.
    """
    rng = np.random.default_rng([lesion.seed, 11])
    both = rng.random() < 0.4
    visible = _fill_side(layers, rng, lesion, lesion.side, lesion.severity)
    if both:
        visible |= _fill_side(layers, rng, lesion, -lesion.side, 0.7 * lesion.severity)
    return visible


def _fill_side(layers: Layers, rng: np.random.Generator, lesion: Lesion, side: int, severity: float) -> Mask:
    height = 28 + 130 * severity
    medial = 0.25 * layers.anatomy.cage_half_width
    across = np.clip((side * X - medial) / (layers.chest.half_width - medial), 0, 1)
    bottom = float(layers.chest.dome.min()) + layers.anatomy.sulcus
    level = 0.25 + 0.30 * severity
    surface = bottom - height * (level + (1 - level) * across**3) + 2 * cloud(rng, 40)
    behind = 0.24 * rise((Y - surface) / (0.6 * height) + 1)  # a film of fluid behind the lung, above the meniscus
    share = np.maximum(rise((Y - surface) / (9 + 0.06 * height)), behind)
    share *= rise((side * X - medial) / 26 + 0.8) * np.float32(lesion.contrast)
    visible = (share > 0.35 * lesion.contrast) & (layers.lung > 4)
    _replace(layers, share)
    return visible


def draw_nodule(layers: Layers, lesion: Lesion) -> Mask:
    """One to six solid spheres, nodules to masses of 16 to 40 mm, slightly lobulated, in a lung and clear of the heart."""
    rng = np.random.default_rng([lesion.seed, 12])
    mask = np.zeros((HEIGHT, WIDTH), bool)
    largest = 8 + 12 * lesion.severity
    for number in range(1 + int(2.6 * lesion.severity + 3.0 * lesion.severity * rng.random())):
        radius = largest if number == 0 else rng.uniform(0.5, 1.0) * largest
        center = _place(rng, layers.anatomy, lesion.side, room=0.8 * radius)
        _add_sphere(layers, mask, rng, center, radius, lesion.contrast)
    return mask


def _add_sphere(
    layers: Layers, mask: Mask, rng: np.random.Generator, center: tuple[float, float], radius: float, contrast: float
) -> None:
    reach = 1.3 * radius
    part = window(center[0] - reach, center[0] + reach, center[1] - reach, center[1] + reach)
    turn = np.arctan2(part.y - center[1], part.x - center[0])
    lobes = 1 + 0.06 * np.sin(3 * turn + rng.uniform(0, 6)) + 0.04 * np.sin(5 * turn + rng.uniform(0, 6))
    inside = ellipse(part, center, (radius, radius * rng.uniform(0.88, 1.0)), rng.uniform(0, 3)) / lobes**2
    density = rng.uniform(1.8, 2.6)  # from solid to calcified
    ray = 2 * radius * chord(inside) * contrast
    tissue, lung = layers.tissue[part.rows, part.columns], layers.lung[part.rows, part.columns]
    tissue += density * ray
    lung -= np.minimum(ray, lung)
    mask[part.rows, part.columns] |= inside < 1


def draw_consolidation(layers: Layers, lesion: Lesion) -> Mask:
    """Airspaces filled with fluid: a fluffy patch with soft edges, open bronchi in it, its vessels no longer seen."""
    rng = np.random.default_rng([lesion.seed, 13])
    center = _place(rng, layers.anatomy, lesion.side, low=0.35)
    size = 28 + 26 * lesion.severity
    axes = (size * rng.uniform(0.8, 1.1), size * rng.uniform(0.8, 1.2))
    radius = np.sqrt(ellipse(None, center, axes, rng.uniform(-0.6, 0.6)))
    shape = rise((1.20 - radius + 0.34 * cloud(rng, 24)) / 0.85)
    texture = np.exp(0.16 * cloud(rng, 5) + 0.22 * cloud(rng, 11))
    bronchi = _bronchi(rng, center, size)
    share = np.clip((0.24 + 0.50 * lesion.severity) * shape * texture * (1 - 0.35 * bronchi), 0, 0.92)
    visible = (shape > 0.35) & (layers.lung > 8)
    _replace(layers, share * np.float32(lesion.contrast))
    return visible


def draw_pneumothorax(layers: Layers, lesion: Lesion) -> Mask:
    """Air between chest wall and a partly collapsed lung: no markings beyond the thin line of the visceral pleura."""
    gap = 8 + 46 * lesion.severity
    half = np.interp(Y - 1.15 * gap, Y[:, 0], layers.chest.half_width[:, 0]).astype(np.float32)
    half -= gap * (0.22 + 0.78 * np.clip(1 - Y / (0.95 * layers.anatomy.dome), 0, 1))
    beyond = lesion.side * X - half
    space = (beyond > 0) & (lesion.side * X > 15) & (layers.lung > 0)
    visible = space & (layers.lung > 8)
    # Part of the ray still runs through lung in front of or behind the air.
    emptied = np.where(space, np.float32(0.55 + 0.40 * lesion.severity) * rise(beyond / 4), 0)
    squeezed = 1 + 0.22 * lesion.severity
    same_side = lesion.side * X > 0
    layers.vessels[:] = np.where(same_side, np.where(space, 0, layers.vessels * squeezed), layers.vessels)
    line = np.exp(-((beyond / 1.0) ** 2)) * (layers.lung > 6) * same_side
    layers.lung *= 1 - np.float32(lesion.contrast) * emptied
    layers.tissue += np.float32(lesion.contrast * (3.5 + 4.0 * lesion.severity)) * line
    return visible


def _replace(layers: Layers, share: Map) -> None:
    """Puts tissue where a share of the lung was."""
    filled = layers.lung * share
    layers.tissue += filled
    layers.lung -= filled
    layers.vessels *= 1 - share


def _place(
    rng: np.random.Generator, anatomy: Anatomy, side: int, *, low: float = 0.14, room: float = 0.0
) -> tuple[float, float]:
    """Draws a point (x, y) in a lung, ``room`` mm clear of the heart and the diaphragm in any breath."""
    heart_x, heart_y = heart_center(anatomy, 14)
    reach = 1.08 * anatomy.heart_half_width + room
    x = y = np.zeros(1, np.float32)
    for _ in range(200):
        y = np.array([anatomy.dome * rng.uniform(low, 0.95)], np.float32)
        inner, outer = anatomy.mediastinum + 12 + room, 0.88 * cage_half_width(anatomy, y)[0]
        x = np.array([side * rng.uniform(min(inner, outer), outer)], np.float32)
        clear = (x[0] - heart_x) ** 2 + (y[0] - heart_y) ** 2 > reach**2
        if clear and y[0] < diaphragm(anatomy, 26, x)[0] - room:
            break
    return float(x[0]), float(y[0])


def _bronchi(rng: np.random.Generator, center: tuple[float, float], size: float) -> Map:
    """Air-filled branches through a patch, fanning out from the side of the hilum, 0 to 1."""
    board = np.zeros((HEIGHT, WIDTH), np.float32)
    heading = np.arctan2(center[1] - 108, center[0] - np.sign(center[0]) * 38)
    start = np.array(center) - 0.7 * size * np.array([np.cos(heading), np.sin(heading)])
    along = np.linspace(0, 1.3 * size, 80)
    for spread in (-0.42, -0.05, 0.38):
        angle = heading + spread * along / along[-1] + rng.normal(0, 0.12)
        x, y = start[0] + along * np.cos(angle), start[1] + along * np.sin(angle)
        add_threads(board, np.stack([x, y], 1), np.full(80, 1.2), np.full(80, along[-1] / 80))
    return np.clip(board / 2.2, 0, 1)


DRAWERS = {
    "effusion": draw_effusion,
    "pneumothorax": draw_pneumothorax,
    "consolidation": draw_consolidation,
    "nodule": draw_nodule,
}
"""Every finding that is drawn onto a healthy chest, in this order: air leaves the fluid below it, and no airspace fills in it.

Cardiomegaly is a matter of anatomy."""
