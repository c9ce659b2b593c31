"""The deterministic part of the way from a file to a network: decode, window, fit into a square, eight bits."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from medclassify.dicom import read_image
from medclassify.records import PreparedGeometry, Preprocessing

_ENLARGE = {"bicubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR}


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """One image, ready for the store.

    Attributes:
        pixels: uint8 (1, S, S); the window is spread over 0–255, padding is 0.
        geometry: Where the original lies in the square.
        applied: What was done to the stored values, in words.
        warnings: What a person should know about this image.
        pixel_sha256: SHA-256 of the decoded image, to find the same picture under two names.
    """

    pixels: NDArray[np.uint8]
    geometry: PreparedGeometry
    applied: tuple[str, ...]
    warnings: tuple[str, ...]
    pixel_sha256: str


def prepare_image(path: Path | str, preprocessing: Preprocessing) -> PreparedImage:
    """Decodes one file and fits it into the network's square without distorting or cropping it.

    Args:
        path: DICOM, PNG or JPEG.
        preprocessing: What the network expects.

    Raises:
        DicomError: The file is not a usable image.
    """
    image = read_image(path, window=cast(Literal["voi", "percentile", "full"], preprocessing.window))
    square, geometry = letterbox(image.pixels, preprocessing.image_size, preprocessing.interpolation)
    return PreparedImage(
        pixels=np.rint(square * 255).astype(np.uint8)[None],
        geometry=geometry,
        applied=image.applied,
        warnings=image.warnings,
        pixel_sha256=hashlib.sha256(image.pixels.tobytes()).hexdigest(),
    )


def letterbox(image: NDArray[np.float32], size: int, interpolation: str) -> tuple[NDArray[np.float32], PreparedGeometry]:
    """Scales the longer side to ``size`` and centres the image on black.

    Shrinking averages over areas, since interpolation without it aliases fine structure such as ribs and grids.

    Args:
        image: float32 (H, W) in [0, 1].
        size: Side of the square, pixels.
        interpolation: How a smaller image is enlarged.

    Returns:
        float32 (size, size) in [0, 1], and where the original lies in it.
    """
    rows, columns = image.shape
    scale = size / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    method = cv2.INTER_AREA if scale < 1 else _ENLARGE.get(interpolation, cv2.INTER_LINEAR)
    top, left = (size - height) // 2, (size - width) // 2
    square = np.zeros((size, size), np.float32)
    square[top : top + height, left : left + width] = np.clip(cv2.resize(image, (width, height), interpolation=method), 0, 1)
    return square, PreparedGeometry(rows, columns, size, top, left, height, width)
