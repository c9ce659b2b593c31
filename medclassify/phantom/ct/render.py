"""One slice of an examination: stored values, and where each finding is in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.phantom.ct.exams import ANY, CtExam
from medclassify.phantom.ct.head import Bleed, Head, draw_blood, head_hu
from medclassify.phantom.ct.scanner import acquire
from medclassify.phantom.ct.space import Points
from medclassify.phantom.ct.thorax import LungLesion, draw_lesion, thorax_hu

SHOWS_MM2 = 60.0
"""A finding is in a slice where it covers at least this much."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderedSlice:
    """A slice.

    Attributes:
        pixels: int16 (H, W), stored values.
        position: Image Position (Patient), mm.
        orientation: Image Orientation (Patient).
        masks: bool (H, W) of each finding that the slice shows.
    """

    pixels: NDArray[np.int16]
    position: tuple[float, float, float]
    orientation: tuple[float, ...]
    masks: dict[str, NDArray[np.bool_]]


def render_slice(exam: CtExam, number: int) -> RenderedSlice:
    """Renders slice ``number`` of an examination, from the feet. The same slice has the same pixels."""
    spacing, angle = exam.field_mm / exam.matrix, np.radians(exam.tilt_degrees)
    down = (0.0, float(np.cos(angle)), float(np.sin(angle)))  # where rows grow, in the patient's y and z
    side = (np.arange(exam.matrix, dtype=np.float32) - (exam.matrix - 1) / 2) * np.float32(spacing)
    x, along = np.meshgrid(side, side)
    points = Points(x, along * np.float32(down[1]), along * np.float32(down[2]) + np.float32(exam.heights[number]))
    hu, shares = _matter(points, exam)
    rng = np.random.default_rng([*exam.seed, number, 41])
    masks = {}
    for finding in exam.findings:
        seen = [share for kind, share in shares if finding in (kind, ANY)]
        mask = np.max(seen, axis=0) > 0.5 if seen else np.zeros(x.shape, bool)
        if mask.sum() * spacing**2 >= SHOWS_MM2:
            masks[finding] = mask
    first = (float(x[0, 0]), float(points.y[0, 0]), float(points.z[0, 0]))
    return RenderedSlice(acquire(hu, exam.scanner, spacing, rng), first, (1.0, 0.0, 0.0, *down), masks)


def render_scout(exam: CtExam) -> NDArray[np.int16]:
    """A view from the front, as a scout is: the mean along y; int16, stored values."""
    spacing = exam.field_mm / exam.matrix
    side = (np.arange(exam.matrix, dtype=np.float32) - (exam.matrix - 1) / 2) * np.float32(spacing)
    x, z = np.meshgrid(side, -side)
    layers = [_matter(Points(x, np.full_like(x, y), z), exam)[0] for y in side[:: exam.matrix // 12]]
    return acquire(np.mean(layers, axis=0), exam.scanner, spacing, np.random.default_rng([*exam.seed, 42]))


def _matter(points: Points, exam: CtExam) -> tuple[NDArray[np.float32], list[tuple[str, NDArray[np.float32]]]]:
    """Hounsfield units before the scanner, and the share of each lesion."""
    body = exam.body
    if isinstance(body, Head):
        hu, depth = head_hu(points, body)
        return hu, [(each.kind, draw_blood(points, body, hu, depth, each)) for each in exam.lesions if isinstance(each, Bleed)]
    hu, lung = thorax_hu(points, body)
    return hu, [(each.kind, draw_lesion(points, body, hu, lung, each)) for each in exam.lesions if isinstance(each, LungLesion)]
