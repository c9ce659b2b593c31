"""Bone: how many millimetres of it a ray meets."""

from functools import lru_cache

import numpy as np

from medclassify.phantom.anatomy import Anatomy
from medclassify.phantom.chest import cage_half_width
from medclassify.phantom.grid import (
    HEIGHT,
    SPACING,
    TOP,
    WIDTH,
    Map,
    X,
    Y,
    add_ellipsoid,
    add_threads,
    add_tube,
    chord,
    profile,
    rise,
    tube_profile,
    window,
)

_RIBS = 11


@lru_cache(maxsize=2)
def build_bones(anatomy: Anatomy, *, high_clavicles: bool, scapulae_in: bool) -> Map:
    """float32 (HEIGHT, WIDTH), mm of bone; kept for the person's next picture, so not to be changed.

    Args:
        anatomy: The person.
        high_clavicles: The clavicles lie across the apices, as in AP pictures; else in a V below them.
        scapulae_in: The shoulder blades lie over the lungs, as with hanging arms.
    """
    rng = np.random.default_rng([anatomy.seed, 2])
    bone = np.zeros((HEIGHT, WIDTH), np.float32)
    _add_ribs(bone, anatomy, rng)
    _add_spine(bone, anatomy)
    for side in (-1, 1):
        _add_clavicle(bone, anatomy, side, high=high_clavicles)
        _add_shoulder(bone, anatomy, side, inward=scapulae_in)
    _add_calcification(bone, anatomy, rng)
    bone *= np.float32(anatomy.bone)
    bone.flags.writeable = False
    return bone


def _add_ribs(bone: Map, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """Each rib is a ring in a tilted plane: its shadow is an ellipse, the back in its upper half, the front in its lower."""
    widths = cage_half_width(anatomy, Y)[:, 0]
    for index in range(_RIBS):
        drop = anatomy.rib_drop * (0.55 + 0.5 * min(index, 5) / 5) * rng.normal(1, 0.03)
        top = -2 + anatomy.rib_pitch * index * (0.86 + 0.014 * index) + rng.normal(0, 1)
        lateral = int(np.clip((top + drop - TOP) / SPACING, 0, HEIGHT - 1))
        half = float(max(widths[lateral], 56)) + 4.0
        half *= 1 - 0.05 * max(0, index - 8)
        part = window(-half - 9, half + 9, top - 9, top + 2 * drop + 9)
        x, y = part.x, part.y - np.float32(rng.normal(0, 0.008)) * part.x
        u, v = x / np.float32(half), (y - np.float32(top + drop)) / np.float32(drop)
        front = v > 0
        height = 5.6 + 1.7 * rise(v + 0.5)  # half height: the front end is broader
        radius = np.sqrt(u * u + v * v)
        # First-order distance to the ellipse (Sampson), in half heights of the rib.
        slope = np.sqrt((u / half) ** 2 + (v / drop) ** 2) / np.maximum(radius, 1e-3)
        distance = (radius - 1) / (slope * height + 1e-6)
        fade = np.where(front, rise((np.abs(u) - 0.46) / 0.10), 1) * rise((np.abs(x) - 12) / 10)
        if index > 6:
            fade = fade * np.where(front, rise((np.abs(u) - 0.60 - 0.08 * (index - 6)) / 0.2), 1)
        if index > 8:
            fade = fade * rise((0.98 - np.abs(u)) / 0.25)
        oblique = 1 + 1.1 * u**6
        thickness = np.where(front, 5.2, 6.6)
        bone[part.rows, part.columns] += thickness * fade * oblique * tube_profile(distance * distance, 0.22)


def _add_spine(bone: Map, anatomy: Anatomy) -> None:
    bow = anatomy.scoliosis * np.sin((Y - 20) / 90)
    half = profile(Y, [(-85, 13), (0, 15), (120, 16.5), (360, 22)])
    pitch = profile(Y, [(-85, 17), (0, 20), (120, 23), (360, 30)])
    phase = np.cumsum(2 * np.pi * SPACING / pitch, axis=0)
    body = 0.5 + 0.5 * np.tanh(1.6 * (np.cos(phase) + 0.6))
    x = (X - bow) / half
    waist = 1 + 0.045 * np.cos(phase)
    bone += (13 + 3 * rise(Y / 300)) * (0.72 + 0.28 * body) * chord(np.abs(x * waist) ** 2.6)
    eyes = np.exp(-(((np.abs(x) - 0.62) / 0.20) ** 2) - ((np.cos(phase) - 0.75) / 0.35) ** 2)
    bone += 3 * eyes  # pedicles
    bone += 3 * np.exp(-((x / 0.16) ** 2)) * rise(np.cos(phase + 2.4) * 1.6)  # spinous processes


def _add_clavicle(bone: Map, anatomy: Anatomy, side: int, *, high: bool) -> None:
    reach = anatomy.cage_half_width * 0.82 + 0.55 * anatomy.shoulder
    t = np.linspace(0, 1, 14)
    start, end = (2.0, -14.0) if high else (30.0, -8.0)
    y = start + (end - start) * t - 4 * np.sin(2 * np.pi * t)
    points = np.stack([side * (17 + (reach - 17) * t), y], axis=1)
    radius = 5.4 + 1.8 * np.abs(2 * t - 1) ** 2
    add_tube(bone, points, radius, 13, shell=0.28)


def _add_shoulder(bone: Map, anatomy: Anatomy, side: int, *, inward: bool) -> None:
    joint = anatomy.cage_half_width + 0.52 * anatomy.shoulder
    add_ellipsoid(bone, (side * (joint + 8), 22), (21, 23), 19)  # head of the humerus
    shaft = np.array([[joint + 16, 34], [joint + 34, 130], [joint + 46, 270], [joint + 48, 380]]) * [side, 1]
    add_tube(bone, shaft, 11.0, 15, shell=0.35)
    border = anatomy.cage_half_width * (0.93 if inward else 1.10)
    blade = np.array([[joint - 20, 22], [border, 70], [border - 8, 140 if inward else 120]]) * [side, 1]
    add_tube(bone, blade, 4.5, 7.0, shell=0.3)  # lateral border
    spine = np.array([[joint + 6, -2], [border - 30, 16], [border - 52, 28]]) * [side, 1]
    add_tube(bone, spine, 4.0, 6.0, shell=0.3)
    add_ellipsoid(bone, (side * (joint - 16), 20), (9, 15), 9)  # glenoid and coracoid


def _add_calcification(bone: Map, anatomy: Anatomy, rng: np.random.Generator) -> None:
    amount = anatomy.calcification
    if amount < 0.15:
        return
    turn = np.linspace(-0.5 * np.pi, 0.45 * np.pi, 60)
    radius = anatomy.aorta + 0.5
    arc = np.stack([anatomy.mediastinum - 0.3 * anatomy.aorta + radius * np.cos(turn), 67 + radius * np.sin(turn)], 1)
    flecks = [arc[rng.random(60) < 0.35 + 0.6 * amount]]
    for side in (-1, 1):
        for index in range(2, 8):  # second to seventh costal cartilage: inward of the front ends of the ribs
            count = int(30 * amount * rng.random())
            inward = rng.uniform(0.24, 0.46, count)
            y = anatomy.rib_pitch * index * 0.93 + 1.75 * anatomy.rib_drop - 30 * (0.46 - inward)
            flecks.append(np.stack([side * inward * anatomy.cage_half_width, y + rng.normal(0, 2.5, count)], axis=1))
    points = np.concatenate(flecks)
    add_threads(bone, points, np.full(len(points), 1.1), np.full(len(points), 2.0 * amount))
