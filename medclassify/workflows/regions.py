"""Where the findings of samples are known to lie: boxes that came with the labels, masks that the phantom drew."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ExplainError
from medclassify.explain import region_of_boxes
from medclassify.manifest import Manifest
from medclassify.phantom import mask_path

Key = tuple[str, str]


class Regions:
    """Regions by sample and finding; each is made when it is asked for.

    Args:
        manifest: The samples.
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
        """Every sample and finding with a region."""
        return [*self._boxes, *self._masks]

    @property
    def source(self) -> str:
        """What they are, in words."""
        kinds = [f"{len(found)} {name}" for name, found in (("boxed", self._boxes), ("masked", self._masks)) if found]
        return " and ".join(kinds)

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
    """The phantom's masks: ``masks/`` beside ``images/``."""
    found, folders = {}, {}
    for row in manifest.frame[["sample_id", "path", "sop_uid"]].itertuples(index=False):
        folder = Path(row.path).parent
        if folder not in folders:
            folders[folder] = folder.name == "images" and (folder.parent / "masks").is_dir()
        if folders[folder]:
            for finding in findings:
                path = mask_path(folder.parent, str(row.sop_uid), finding)
                if path.is_file():
                    found[str(row.sample_id), finding] = path
    return found
