"""The pixel path as a MONAI reader, for anyone's MONAI pipeline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data.image_reader import ImageReader
from monai.utils import MetaKeys

from medclassify.dicom import read_image
from medclassify.records import DicomImage


class DicomReader(ImageReader):
    """Reads DICOM, PNG and JPEG with rescale, VOI window, padding and polarity handled.

    ``LoadImage(reader=DicomReader())`` gives (H, W) float32, rows first, and in the meta data what was applied.

    Args:
        window: As in ``dicom.read_image``.
    """

    def __init__(self, window: Any = "voi") -> None:
        super().__init__()
        self.window = window

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """DICOM files often have no suffix: the content decides when the file is read."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> DicomImage | list[DicomImage]:
        """Reads one file or several.

        Raises:
            DicomError: A file is not a usable image.
        """
        if isinstance(data, str) or not isinstance(data, Sequence):
            return read_image(str(data), window=self.window)
        images = [read_image(str(path), window=self.window) for path in data]
        return images[0] if len(images) == 1 else images

    def get_data(self, img: DicomImage | Sequence[DicomImage]) -> tuple[np.ndarray, dict[str, Any]]:
        """float32 (H, W), or (C, H, W) of several files, with meta data that names no patient."""
        images = [img] if isinstance(img, DicomImage) else list(img)
        row_mm, column_mm = images[0].header.spacing_mm or (1.0, 1.0)
        meta: dict[str, Any] = {
            MetaKeys.SPATIAL_SHAPE: np.asarray(images[0].pixels.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan") if len(images) == 1 else 0,
            MetaKeys.AFFINE: np.diag([row_mm, column_mm, 1.0, 1.0]),
            MetaKeys.SPACE: "RAS",
            "units": str(images[0].units),
            "applied": "; ".join(images[0].applied),
            "warnings": "; ".join(images[0].warnings),
        }
        pixels = images[0].pixels if len(images) == 1 else np.stack([image.pixels for image in images])
        return pixels, meta
