"""Soft tissue and lung: how many millimetres of each a ray meets."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medclassify.phantom.anatomy import Anatomy
from medclassify.phantom.grid import HEIGHT, WIDTH, Map, X, Y, add_ellipsoid, add_tube, chord, cloud, ellipse, profile, rise

LUNG_DENSITY = 0.27
"""Of inflated lung, relative to water (ICRU Report 44 gives 0.26)."""


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """The healthy chest on the board.

    Attributes:
        tissue: float32 (HEIGHT, WIDTH), mm of water-like tissue, lungs left out.
        lung: float32 (HEIGHT, WIDTH), mm of aerated lung.
        cavity: float32 (HEIGHT, WIDTH), mm of the inside of the rib cage above the diaphragm, heart and all.
        heart: bool (HEIGHT, WIDTH), the heart's silhouette.
        half_width: (HEIGHT, 1), mm, inner half width of the cage.
        dome: (1, WIDTH), y of the diaphragm's upper edge.
    """

    tissue: Map
    lung: Map
    cavity: Map
    heart: np.ndarray
    half_width: Map
    dome: Map


def build_chest(anatomy: Anatomy, *, heart_scale: float, lift: float, arms: bool) -> Chest:
    """Builds a chest in one breath and position.

    Args:
        anatomy: The person.
        heart_scale: Enlargement of the heart's shadow; above 1 where it lies far from the detector (AP).
        lift: How much higher the diaphragm stands than at full inspiration, mm.
        arms: Whether the upper arms hang in the picture.
    """
    rng = np.random.default_rng([anatomy.seed, 1])
    half_width = cage_half_width(anatomy, Y)
    depth = anatomy.cage_depth * (half_width / anatomy.cage_half_width) ** 0.7
    cage = depth * np.sqrt(np.clip(1 - (np.abs(X) / np.maximum(half_width, 1)) ** 2.5, 0, None))
    dome = diaphragm(anatomy, lift, X)
    below = np.clip(Y - dome, 0, None)
    # The dome is curved from front to back too: below its upper edge lung remains behind it (the posterior recess).
    recess = 0.60 * np.clip(1 - np.sqrt(below / (1.05 * anatomy.sulcus)), 0, None)
    cavity = cage * (recess + (1 - recess) * (1 - rise((Y - dome) / 4 + 0.5)))
    heart_radius = _heart(anatomy, heart_scale, lift)
    heart = 0.58 * anatomy.cage_depth * chord(heart_radius)
    vessels = _mediastinum(anatomy, cage, lift)
    lung = np.clip(cavity - np.maximum(heart, vessels) - 0.3 * np.minimum(heart, vessels), 0, None)
    tissue = _body(anatomy, arms) - lung
    _add_air(tissue, anatomy, rng, lift)
    np.clip(tissue, 0, None, out=tissue)
    return Chest(tissue, lung, cavity, (heart_radius < 1) & (cavity > 0), half_width, dome)


def cage_half_width(anatomy: Anatomy, y: Map) -> Map:
    """Inner half width of the cage at y, mm: a dome above, straight walls below, a waist at the costal margin."""
    share = np.clip(y / (0.80 * anatomy.dome), 0, 1)
    waist = 1 - 0.05 * rise((y - anatomy.dome) / 100)
    return (anatomy.cage_half_width * (1 - (1 - share) ** 2.25) ** 0.5 * waist).astype(np.float32)


def diaphragm(anatomy: Anatomy, lift: float, x: Map) -> Map:
    """The y of the dome's edge at x; the costophrenic angles lie ``sulcus`` below the dome."""
    center = 0.45 * anatomy.cage_half_width
    offset = (np.abs(x) - center) / (anatomy.cage_half_width - center)
    fall = np.where(offset > 0, np.abs(offset) ** 2.4 * anatomy.sulcus, np.abs(offset) ** 2 * 0.22 * anatomy.sulcus)
    step = anatomy.dome_step * rise(x / 60 + 0.5)
    return (anatomy.dome - lift + step + fall).astype(np.float32)


def heart_center(anatomy: Anatomy, lift: float) -> tuple[float, float]:
    """(x, y) of the heart's middle: a third of it lies right of the midline, its lower edge on the diaphragm."""
    half = anatomy.heart_half_width
    return 0.30 * half, anatomy.dome - lift + 6 - 0.62 * half


def _heart(anatomy: Anatomy, scale: float, lift: float) -> Map:
    """Squared relative radius of the heart: a tilted ellipse whose horizontal extent is exactly the heart's width."""
    angle, roundness = anatomy.heart_angle, anatomy.heart_roundness
    half = anatomy.heart_half_width * scale
    long = half / np.sqrt(np.cos(angle) ** 2 + (roundness * np.sin(angle)) ** 2)
    center = heart_center(anatomy, lift)
    atrium = ellipse(None, (center[0] - 0.50 * half, center[1] + 0.04 * half), (0.50 * half, 0.66 * half))
    return np.minimum(ellipse(None, center, (long, roundness * long), angle), atrium)


def _mediastinum(anatomy: Anatomy, cage: Map, lift: float) -> Map:
    """Great vessels, spine and hila that displace lung, mm: the thickest at each point, for they lie beside each other."""
    half, aorta = anatomy.mediastinum, anatomy.aorta
    heart_y = heart_center(anatomy, lift)[1]
    base = anatomy.dome - lift
    funnel = [(-30, half + 80), (0, half + 38), (10, half + 19), (22, half + 8), (40, half + 1)]
    left = [*funnel, (84, half - 2), (heart_y, 0.62 * anatomy.heart_half_width), (base + 10, half - 6)]
    right = [*funnel, (84, half - 4), (heart_y, half + 4), (base + 60, half - 6)]
    knob = 0.80 * aorta * np.exp(-(((Y - 67) / (0.85 * aorta)) ** 2)) + 5 * np.exp(-(((Y - 104) / 17) ** 2))
    edge = np.where(X > 0, profile(Y, left) + knob, profile(Y, right) + 3 * np.exp(-(((Y - 80) / 16) ** 2)))
    solid = 0.66 * cage * chord((X / edge) ** 2) ** 0.7
    descending = np.array([[half - 4.0, y] for y in np.linspace(66, base + 40, 8)])
    descending[:, 0] -= np.linspace(0, 14, 8) - 6 * anatomy.calcification * np.sin(np.linspace(0, np.pi, 8))
    add_tube(solid, descending, 0.85 * aorta, 14)
    add_ellipsoid(solid, (-half - 8, 112), (11, 21), 24, angle=0.3)  # hila
    add_ellipsoid(solid, (half + 13, 106), (10, 17), 22, angle=-0.3)
    return solid


@lru_cache(maxsize=2)
def _body(anatomy: Anatomy, arms: bool) -> Map:
    """The body from skin to skin, mm, as if it were all tissue."""
    rng = np.random.default_rng([anatomy.seed, 6])
    trunk = anatomy.cage_half_width + anatomy.wall_side
    width = trunk + anatomy.shoulder * (1 - rise((Y - 40) / 75)) + 4 * rise((Y - anatomy.dome) / 60) * anatomy.wall_side / 20
    depth = anatomy.cage_depth + anatomy.wall_front
    body = depth * np.sqrt(np.clip(1 - (np.abs(X) / width) ** 2.8, 0, None))
    slope = profile(
        np.abs(X),
        [(0, -110), (0.9 * anatomy.neck, -82), (90, -48), (105, -40), (max(trunk, 115), -20), (trunk + anatomy.shoulder, 10)],
    )
    body *= chord((1 - np.clip((Y - slope) / 95, 0, 1)) ** 2)
    neck = 2 * anatomy.neck * chord((X / anatomy.neck) ** 2)
    np.maximum(body, neck * (Y < 60), out=body)
    if arms:
        _add_arms(body, anatomy, trunk)
    if anatomy.breast:
        _add_breasts(body, anatomy)
    body += (body > 1) * (3.0 * cloud(rng, 26) + 1.4 * cloud(rng, 9))
    return body


def _add_arms(body: Map, anatomy: Anatomy, trunk: float) -> None:
    radius = 34 + 0.4 * anatomy.wall_side
    for side in (-1, 1):
        points = np.array(
            [[side * (trunk + 10), 20], [side * (trunk + 30), 120], [side * (trunk + 42), 260], [side * (trunk + 44), 380]]
        )
        arm = np.zeros_like(body)
        add_tube(arm, points, radius, 2 * radius)
        np.maximum(body, arm, out=body)


def _add_breasts(body: Map, anatomy: Anatomy) -> None:
    radius = 46 + 0.55 * anatomy.breast
    for side in (-1, 1):
        center = (side * (0.56 * anatomy.cage_half_width + 0.1 * anatomy.breast), anatomy.breast_y)
        inside = ellipse(None, center, (radius * 1.06, radius))
        # Rounder and denser towards the lower fold, fading into the chest wall above.
        body += anatomy.breast * np.clip(1 - inside, 0, None) ** 0.55 * (0.35 + 0.65 * rise((Y - center[1]) / radius + 0.6))


def _add_air(tissue: Map, anatomy: Anatomy, rng: np.random.Generator, lift: float) -> None:
    """Takes out the trachea, the main bronchi, the stomach bubble and gut gas."""
    carina = np.array([-2.0, 88.0])
    add_tube(tissue, np.array([[0.0, -95.0], [0.0, 10.0], carina]), 9.0, -18)
    add_tube(tissue, np.array([carina, [-20.0, 106.0], [-38.0, 122.0]]), 6.5, -10)
    add_tube(tissue, np.array([carina, [22.0, 103.0], [46.0, 114.0]]), 5.5, -9)
    base = anatomy.dome - lift + anatomy.dome_step
    if anatomy.gas:
        top = np.zeros((HEIGHT, WIDTH), np.float32)
        add_ellipsoid(top, (62, base + 8 + 0.6 * anatomy.gas), (anatomy.gas, 0.62 * anatomy.gas), 1.3 * anatomy.gas)
        top[Y[:, 0] > base + 10 + 0.75 * anatomy.gas] = 0  # the fluid level
        tissue -= top
    for _ in range(int(rng.integers(0, 6))):
        size = rng.uniform(7, 17)
        add_ellipsoid(tissue, (rng.uniform(30, 115), base + rng.uniform(50, 120)), (size, 0.8 * size), -1.2 * size)
