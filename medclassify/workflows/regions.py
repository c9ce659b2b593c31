"""Where the findings of samples are known to lie: boxes that came with the labels, masks that the phantom drew."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ExplainError
from medclassify.explain import region_of_boxes
from medclassify.manifest import Manifest, named_by
from medclassify.phantom import find_masks

Key = tuple[str, str]


class Regions:
    """Regions by image and finding; each is made when it is asked for.

    Args:
        manifest: Its samples are images.
        boxes: Columns ``manifest.BOX_COLUMNS``, or None.
        findings: Those that count.
    """

    def __init__(self, manifest: Manifest, boxes: pd.DataFrame | None, findings: Sequence[str]) -> None:
        present = set(manifest.frame["sample_id"])
        self._boxes: dict[Key, NDArray[np.float64]] = {}
        if boxes is not None:
            sides = ["left", "top", "width", "height"]
            for (sample_id, finding), rows in boxes.groupby(["sample_id", "finding"], sort=False):
                if sample_id in present and finding in findings:
                    self._boxes[str(sample_id), str(finding)] = rows[sides].to_numpy(np.float64)
        self._masks = {key: path for key, path in _masks(manifest, findings).items() if key not in self._boxes}

    @property
    def keys(self) -> list[Key]:
        """Every image and finding with a region."""
        return [*self._boxes, *self._masks]

    def __contains__(self, key: Key) -> bool:
        return key in self._boxes or key in self._masks

    @property
    def source(self) -> str:
        """What they are, in words."""
        kinds = (("boxed findings", self._boxes), ("masks of the phantom", self._masks))
        return " and ".join(f"{len(found)} {name}" for name, found in kinds if found)

    def read(self, key: Key, rows: int, columns: int) -> NDArray[np.bool_]:
        """One region, bool (rows, columns) of the original image.

        Raises:
            ExplainError: A mask is not one, or not of the image's size.
        """
        if key in self._boxes:
            return region_of_boxes(self._boxes[key], rows, columns)
        mask = cv2.imread(str(self._masks[key]), cv2.IMREAD_GRAYSCALE)
        if mask is None or mask.shape != (rows, columns):
            found = "no picture" if mask is None else f"{mask.shape[0]} x {mask.shape[1]} pixels"
            raise ExplainError(f"{self._masks[key]}: a mask of {rows} x {columns} pixels was expected, found {found}.")
        return mask > 0


def _masks(manifest: Manifest, findings: Sequence[str]) -> dict[Key, Path]:
    """The phantom's masks: ``masks/`` beside ``images/``, which may have a folder for each examination."""
    folders = {Path(folder) for folder in {os.path.dirname(path) for path in manifest.frame["path"]}}
    roots = {place.parent for folder in folders for place in (folder, folder.parent) if place.name == "images"}
    masks = (mask for root in roots for mask in find_masks(root, findings).items())
    paths = {(named_by(sop_uid), finding): path for (sop_uid, finding), path in masks}
    keys = ((sample_id, finding) for sample_id in manifest.frame["sample_id"] for finding in findings)
    return {key: paths[key] for key in keys if key in paths}
