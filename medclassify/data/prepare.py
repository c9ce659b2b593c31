"""The deterministic part of the way from a file to a network: decode, window, fit into a square, eight bits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from medclassify.dicom import read_shrunk
from medclassify.display import ct_channels
from medclassify.errors import UnsupportedImageError
from medclassify.records import PreparedGeometry, Preprocessing, Units

_ENLARGE = {"bicubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR}


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """One image, ready for the store.

    Attributes:
        pixels: uint8 (C, S, S), one C but for CT windows; the window is spread over 0–255, padding is 0.
        geometry: Where the original lies in the square.
        applied: What was done to the stored values, in words.
        warnings: What a person should know about this image.
        pixel_sha256: The same for two files that hold the same stored values, to find the same picture under two names
            whatever compresses it (``dicom.fingerprint``); a JPEG or JPEG 2000 decoded at reduced resolution, ``r4-…``, has one
            that is compared with its like only.
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
        DicomError: The file is not a usable image, or not in Hounsfield units where CT windows are asked for.
    """
    size, windows = preprocessing.image_size, preprocessing.ct_windows
    window = "none" if windows else cast(Literal["voi", "percentile", "full"], preprocessing.window)
    image, fingerprint = read_shrunk(path, window=window, longest_side=size)
    applied = image.applied
    if windows:
        if image.units is not Units.HU:
            raise UnsupportedImageError(
                f"{path}: CT windows need Hounsfield units, these values are {image.units} of a "
                f"{image.header.modality or 'picture'}. Leave it out, or ask for no CT windows."
            )
        channels = ct_channels(image.pixels, windows)
        applied += tuple(f"channel {number}: CT window {name}" for number, name in enumerate(windows))
    else:
        channels = image.pixels[None]
    geometry = fit(image.header.rows, image.header.columns, size)
    squares = [cv2.convertScaleAbs(letterbox(each, geometry, preprocessing.interpolation), alpha=255) for each in channels]
    return PreparedImage(
        pixels=np.asarray(squares, np.uint8),
        geometry=geometry,
        applied=applied,
        warnings=image.warnings,
        pixel_sha256=fingerprint,
    )


def fit(rows: int, columns: int, size: int) -> PreparedGeometry:
    """Where an image lies whose longer side is scaled to ``size`` and that is centred on a square, all in pixels."""
    scale = size / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    return PreparedGeometry(rows, columns, size, (size - height) // 2, (size - width) // 2, height, width)


def letterbox(image: NDArray[np.float32], geometry: PreparedGeometry, interpolation: str) -> NDArray[np.float32]:
    """Places an image in its black square, enlarged where it is smaller than its place.

    Args:
        image: float32 (H, W) in [0, 1], shrunk already where it was larger.
        geometry: Its place.
        interpolation: How a smaller image is enlarged.

    Returns:
        float32 (size, size) in [0, 1].
    """
    height, width = geometry.height, geometry.width
    if image.shape != (height, width):
        larger = cv2.resize(image, (width, height), interpolation=_ENLARGE.get(interpolation, cv2.INTER_LINEAR))
        image = np.clip(np.asarray(larger, np.float32), 0, 1)  # cubic overshoot
    if height == width:
        return image
    square = np.zeros((geometry.size, geometry.size), np.float32)
    square[geometry.top : geometry.top + height, geometry.left : geometry.left + width] = image
    return square
