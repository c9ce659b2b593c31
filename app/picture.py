"""The original image of a sample, at screen size, without anything that names the patient."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medclassify.errors import MedclassifyError, ReviewError
from medclassify.records import Units

Window = Literal["voi", "percentile", "full", "none"]
LONGEST_SIDE = 1536
"""Pixels sent to the browser; larger images are shrunk by area."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What may be shown of an image.

    Attributes:
        pixels: float32 (h, w), at most `LONGEST_SIDE`; grey in [0, 1], or values in ``units``.
        units: What the values mean.
        rows: Rows of the original, pixels.
        columns: Columns of the original, pixels.
        applied: What was done to the stored values, in words.
        warnings: What a person should know about this image.
    """

    pixels: NDArray[np.float32]
    units: Units
    rows: int
    columns: int
    applied: tuple[str, ...]
    warnings: tuple[str, ...]


def read_picture(path: str, window: Window) -> Picture:
    """Reads an original image for the screen.

    Args:
        path: The original, as the manifest names it. Folder names may hold a patient's name, so no message repeats it.
        window: How values become grey; with ``none`` a CT keeps its Hounsfield units.

    Raises:
        ReviewError: The original is gone, or cannot be read.
    """
    original = Path(path)
    try:
        changed = original.stat().st_mtime_ns
    except OSError as error:
        raise ReviewError(
            "The original image is gone: the file that manifest.parquet names for this sample is not there "
            f"({type(error).__name__}). Mount or restore the data folder; the probabilities beside are still those of the fit."
        ) from None
    return _read(path, window, changed)


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(path: str, window: Window, _changed_ns: int) -> Picture:
    from medclassify.dicom import read_image  # pydicom and its decoders: not before an image is asked for

    try:
        image = read_image(path, window=window)
    except (MedclassifyError, OSError) as error:
        raise ReviewError(f"The original image cannot be read: {_without_path(str(error), path)}") from None
    rows, columns = image.pixels.shape
    return Picture(
        pixels=_at_screen_size(image.pixels),
        units=image.units,
        rows=rows,
        columns=columns,
        applied=tuple(_without_path(step, path) for step in image.applied),
        warnings=tuple(_without_path(warning, path) for warning in image.warnings),
    )


def fit_map(saliency: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    """A saliency map (rows, columns) of the original, brought to the picture's size.

    Raises:
        ReviewError: The map has not the original's geometry, so it would lie in the wrong place.
    """
    if saliency.shape != (picture.rows, picture.columns):
        raise ReviewError(
            f"The stored map is {saliency.shape[1]} × {saliency.shape[0]} and the image {picture.columns} × {picture.rows}: "
            "it was made from another image, so it is not shown. Check the run with: medclassify verify RUN"
        )
    height, width = picture.pixels.shape
    return np.asarray(cv2.resize(saliency, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _at_screen_size(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    scale = LONGEST_SIDE / max(pixels.shape)
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    pixels.setflags(write=False)
    return pixels


def _without_path(message: str, path: str) -> str:
    return message.replace(path, "the file").replace(Path(path).name, "the file")
