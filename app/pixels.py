"""Real pixel values for the browser: one message an image, JSON before the values, nothing that names the patient."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medclassify.display import CT_WINDOWS, overlay
from medclassify.errors import MedclassifyError, ReviewError
from medclassify.records import Units, ViewImage, ViewWindow

LONGEST_SIDE = 1536
"""Pixels sent at first; larger images are shrunk by area until the reader asks for full resolution."""
_CODES = 65535
_PADDING = 0
_SPACING = {
    "PixelSpacing": "Pixel Spacing",
    "ImagerPixelSpacing": "Imager Pixel Spacing: at the detector, where the body is magnified",
}


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """One image as it is sent.

    Attributes:
        key: What the browser knows it by; the sample's id and a suffix, no path.
        message: The bytes for the browser.
        rows: Rows of the original, pixels.
        columns: Columns of the original, pixels.
        facts: What the message's header says.
    """

    key: str
    message: bytes
    rows: int
    columns: int
    facts: Mapping[str, Any]


def read_pixels(key: str, path: str, *, frame: int | None = None, full: bool = False) -> Pixels:
    """Reads an original image for the browser.

    Args:
        key: What the browser is to know it by.
        path: The original, as the manifest names it. Folder names may hold a patient's name, so no message repeats it.
        frame: Which frame of a multi-frame file.
        full: Every pixel, however large the image.

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
    return _read(key, path, frame, full, changed)


@st.cache_resource(max_entries=48, show_spinner=False)
def _read(key: str, path: str, frame: int | None, full: bool, _changed_ns: int) -> Pixels:
    from medclassify.dicom import read_view  # pydicom and its decoders: not before an image is asked for

    try:
        image = read_view(path, frame=frame)
    except (MedclassifyError, OSError) as error:
        raise ReviewError(f"The original image cannot be read: {without_path(str(error), path)}") from None
    return pack_image(key, image, path, longest=None if full else LONGEST_SIDE)


def pack_image(key: str, image: ViewImage, path: str = "", *, longest: int | None = LONGEST_SIDE) -> Pixels:
    """An image as a message: 16-bit codes, 0 for padding, else ``value = offset + scale · code``.

    Args:
        key: What the browser is to know it by.
        image: The image.
        path: Its file, whose name is taken out of everything that is said.
        longest: Its longest side in the message, pixels; None for its own.
    """
    rows, columns = image.pixels.shape
    values, padding = _at_screen_size(image, longest)
    low, high = float(image.pixels.min()), float(image.pixels.max())
    whole = values.shape == image.pixels.shape and high - low < _CODES and bool((values == np.rint(values)).all())
    scale = 1.0 if whole or high == low else (high - low) / (_CODES - 1)
    codes = np.rint((values - np.float32(low)) / np.float32(scale)).astype(np.uint16) + np.uint16(1)
    if padding is not None:
        codes[padding] = _PADDING
    header = image.header
    facts = {
        "kind": "image",
        "key": key,
        "width": codes.shape[1],
        "height": codes.shape[0],
        "columns": columns,
        "rows": rows,
        "offset": low - scale,
        "scale": scale,
        "most": int(codes.max()),
        "units": "HU" if image.units is Units.HU else "",
        "inverted": image.inverted,
        "windows": [_window(window) for window in _offered(image)],
        "spacing": header.spacing_mm,
        "spacing_source": _SPACING.get(header.spacing_source, header.spacing_source),
        "applied": [without_path(step, path) for step in image.applied],
        "warnings": [without_path(warning, path) for warning in image.warnings],
    }
    return Pixels(key, pack(facts, codes.tobytes()), rows, columns, facts)


def pack_map(key: str, raw: NDArray[np.float32], image: Pixels, limit: float) -> bytes:
    """A saliency map as a message: one byte a pixel for what speaks for the finding, and the colours of `display.overlay`.

    Args:
        key: What the browser is to know it by.
        raw: float32 (rows, columns) of the original.
        image: The image that it is laid over.
        limit: The saliency that gets full colour.

    Raises:
        ReviewError: The map has not the original's geometry, so it would lie in the wrong place.
    """
    if raw.shape != (image.rows, image.columns):
        raise ReviewError(
            f"The stored map is {raw.shape[1]} × {raw.shape[0]} and the image {image.columns} × {image.rows}: "
            "it was made from another image, so it is not shown. Check the run with: medclassify verify RUN"
        )
    shrunk = _shrunk(raw, 512)
    strength = np.clip(shrunk / np.float32(limit if limit > 0 else 1.0), 0, 1)
    ramp = np.linspace(0, limit, 256, dtype=np.float32)[np.newaxis]
    # At full opacity over black and over white, display.overlay shows its colour and its cover; the browser mixes the same.
    black, white = (overlay(np.full_like(ramp, shade), ramp, limit=limit, opacity=1.0)[0].astype(float) for shade in (0.0, 1.0))
    cover = 1 - (white - black).mean(axis=1) / 255
    colour = np.divide(black, cover[:, np.newaxis], out=np.zeros_like(black), where=cover[:, np.newaxis] > 0)
    table = np.rint(np.column_stack([np.clip(colour, 0, 255), 255 * cover])).astype(int)
    facts = {
        "kind": "map",
        "key": key,
        "width": shrunk.shape[1],
        "height": shrunk.shape[0],
        "colours": table.ravel().tolist(),
        "limit": limit,
    }
    return pack(facts, np.rint(255 * strength).astype(np.uint8).tobytes())


def pack(facts: Mapping[str, Any], values: bytes) -> bytes:
    """Four bytes of length (little-endian), that much JSON padded to a multiple of eight, then the values."""
    header = json.dumps(facts, allow_nan=False).encode()
    header += b" " * (-(len(header) + 4) % 8)
    return struct.pack("<I", len(header)) + header + values


def without_path(message: str, path: str) -> str:
    """A message that does not name the file, whose folders may name a patient."""
    return message.replace(path, "the file").replace(Path(path).name, "the file") if path else message


def _offered(image: ViewImage) -> tuple[ViewWindow, ...]:
    if image.units is not Units.HU:
        return image.windows
    presets = (ViewWindow(name, centre - width / 2, centre + width / 2) for name, (centre, width) in CT_WINDOWS.items())
    return (*presets, *image.windows)


def _window(window: ViewWindow) -> dict[str, Any]:
    curve = None if window.curve is None else np.rint(255 * window.curve).astype(int).tolist()
    return {"name": window.name, "low": window.low, "high": window.high, "curve": curve}


def _at_screen_size(image: ViewImage, longest: int | None) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    if longest is None or max(image.pixels.shape) <= longest:
        return image.pixels, image.padding
    padding = None
    if image.padding is not None:
        padding = _shrunk(image.padding.astype(np.float32), longest) > 0.5
    return _shrunk(image.pixels, longest), padding


def _shrunk(values: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    scale = longest / max(values.shape)
    if scale >= 1:
        return values
    size = (max(1, round(values.shape[1] * scale)), max(1, round(values.shape[0] * scale)))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
