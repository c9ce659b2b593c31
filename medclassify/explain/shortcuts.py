"""Where a network must not look: beside the body, at the border, at letters. How much of its saliency lies there.

A share says little alone, for letters are small and a map is coarse; ``lift`` is share of the saliency over share of the area,
and 1 where a map is spread evenly.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ZONES = ("outside", "border", "text")
_SIDE = 384
_AIR = 0.10
"""Grey, of the image's 99th percentile, below which a pixel that reaches the image's edge is air or collimator."""
_BORDER = 0.05
_LETTER, _STROKE = 0.09, 0.025
"""Largest side of a letter, and largest width of its strokes, as shares of the image's longer side."""
_STEP = 0.20
"""Grey, of the image's 99th percentile, by which a letter stands out."""
_ASIDE = 0.27
"""Distance from the middle, as a share of the side, beyond which letters are looked for: nobody sets them on the lungs."""
_ALL_AROUND = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Parts of an image that hold no anatomy, bool (h, w) each, at 384 pixels a side or less.

    Attributes:
        outside: Air and collimator around the body.
        border: The outer 5 % of the image on each side.
        text: Lead letters, burned-in text and the like, with the pixels next to them.
    """

    outside: NDArray[np.bool_]
    border: NDArray[np.bool_]
    text: NDArray[np.bool_]


def find_zones(image: NDArray[np.floating]) -> Zones:
    """Finds the parts of a radiograph that hold no anatomy.

    Args:
        image: Float (H, W) in [0, 1], dense tissue bright.
    """
    scale = min(1.0, _SIDE / max(image.shape))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = np.asarray(cv2.resize(np.asarray(image, np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    rows, columns = small.shape
    border = np.ones((rows, columns), bool)
    edge = max(1, round(_BORDER * rows)), max(1, round(_BORDER * columns))
    border[edge[0] : rows - edge[0], edge[1] : columns - edge[1]] = False
    return Zones(outside=_outside(small), border=border, text=_text(small))


def _outside(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Dark pixels that hang together with the image's edge; lungs are dark too, and do not."""
    bright = float(np.percentile(image, 99))
    dark = (image < _AIR * bright).astype(np.uint8)
    _, labels = cv2.connectedComponents(dark, connectivity=4)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, np.unique(rim[rim > 0]))


def _text(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Small islands of thin bright strokes in the outer parts of the image, with darker pixels all around.

    Strokes are what an opening wipes out by a step. A nodule is too thick, a wire too long, and an edge of the heart or of a
    rib is bright on one side.
    """
    longest, near = max(image.shape), np.ones((3, 3), np.uint8)
    stroke, reach = max(3, round(_STROKE * longest)), max(3, round(_LETTER * longest))
    bright = float(np.percentile(image, 99))
    step = image - cv2.morphologyEx(image, cv2.MORPH_OPEN, np.ones((stroke, stroke), np.uint8))
    count, labels, facts, centres = cv2.connectedComponentsWithStats((step >= _STEP * bright).astype(np.uint8), connectivity=8)
    text = np.zeros(image.shape, np.uint8)
    for part in range(1, count):
        left, top, width, height, area = (int(value) for value in facts[part])
        aside = np.abs(centres[part] / image.shape[::-1] - 0.5) > _ASIDE
        if area < stroke or not stroke // 2 <= max(width, height) <= reach or not aside.any():
            continue
        rows, columns = slice(max(top - 5, 0), top + height + 5), slice(max(left - 5, 0), left + width + 5)
        island = (labels[rows, columns] == part).astype(np.uint8)
        ring = cv2.dilate(island, near, iterations=4) - cv2.dilate(island, near, iterations=2)
        darker = image[rows, columns][ring > 0] <= image[rows, columns][island > 0].mean() - _STEP / 2 * bright
        if darker.size and darker.mean() >= _ALL_AROUND:
            text[rows, columns] |= island
    return cv2.dilate(text, near, iterations=max(1, round(0.008 * longest))).astype(bool)


def zone_shares(saliency: NDArray[np.float32], zones: Zones) -> dict[str, tuple[float, float]]:
    """Share of |saliency| and share of the area in each zone.

    Args:
        saliency: float32 (H, W), signed, of the original image.
        zones: Of the same image.

    Returns:
        Zone → (share of |saliency|, share of the area), both in [0, 1]; (0, 0) where the image has no such zone.
    """
    rows, columns = zones.border.shape
    strength = cv2.resize(np.abs(saliency), (columns, rows), interpolation=cv2.INTER_AREA)
    total = float(strength.sum(dtype=np.float64))
    shares = {}
    for name in ZONES:
        zone = getattr(zones, name)
        shares[name] = (float(strength[zone].sum(dtype=np.float64)) / total if total > 0 else 0.0, float(zone.mean()))
    return shares
