"""Where a map points, against where the finding is: pointing game, energy in the region and overlap, each beside chance.

All in rows and columns of the original image. Only what speaks for the finding counts: negative saliency is 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.errors import ExplainError

METRICS = ("pointing", "energy", "iou")


@dataclass(frozen=True, slots=True)
class RegionScore:
    """One map against one region.

    Attributes:
        pointing: 1.0 where the map's largest value lies in the region (Zhang 2018, without their tolerance), else 0.0.
        energy: Share of the positive saliency that lies in the region (Wang 2020); 0 where there is none.
        iou: Intersection over union of the region and the pixels whose saliency reaches half the model's reference limit.
        area: Share of the image that the region covers.
        silent: The map speaks nowhere for the finding, which counts as a miss.
    """

    pointing: float
    energy: float
    iou: float
    area: float
    silent: bool


def score_region(saliency: NDArray[np.float32], region: NDArray[np.bool_], limit: float) -> RegionScore:
    """Scores one map.

    Args:
        saliency: float32 (rows, columns), signed, of one finding.
        region: bool (rows, columns), where the finding is; not empty.
        limit: The finding's reference limit; the binary map that ``iou`` needs takes half of it, the same for every image.

    Raises:
        ExplainError: Shapes differ, or the region is empty.
    """
    if saliency.shape != region.shape:
        raise ExplainError(f"saliency is {saliency.shape} and region {region.shape}: both must be the original image's size.")
    if not region.any():
        raise ExplainError("region is empty: a finding without a place cannot be scored. Leave it out.")
    positive = np.maximum(saliency, 0)
    total = float(positive.sum(dtype=np.float64))
    hot = positive >= limit / 2 if limit > 0 else np.zeros_like(region)
    union = int((hot | region).sum())
    return RegionScore(
        pointing=float(total > 0 and region.flat[int(positive.argmax())]),
        energy=float(positive[region].sum(dtype=np.float64)) / total if total > 0 else 0.0,
        iou=int((hot & region).sum()) / union,
        area=float(region.mean()),
        silent=total <= 0,
    )


def uniform_chance(saliency: NDArray[np.float32], region: NDArray[np.bool_], limit: float) -> dict[str, float]:
    """What each metric would be on average if the map's values lay anywhere in the image.

    Pointing and energy: the region's share of the image. IoU: that of as many hot pixels, spread evenly.
    """
    area, hot = float(region.mean()), float((saliency >= limit / 2).mean()) if limit > 0 else 0.0
    return {"pointing": area, "energy": area, "iou": hot * area / (hot + area - hot * area)}


def region_of_boxes(boxes: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.bool_]:
    """The pixels that any box covers, at least one a box.

    Args:
        boxes: float64 (n, 4): left, top, width, height in pixels of the original image.
        rows: Of the image.
        columns: Of the image.
    """
    region = np.zeros((rows, columns), bool)
    for left, top, width, height in boxes:
        region[_span(top, height, rows), _span(left, width, columns)] = True
    return region


def _span(start: float, length: float, size: int) -> slice:
    first = min(int(start), size - 1)
    return slice(first, max(int(np.ceil(start + length)), first + 1))
