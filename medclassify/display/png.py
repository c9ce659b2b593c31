"""Pixels as a PNG file, without an imaging library."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from medclassify.errors import UnsupportedImageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_FILTER_UP = 2


def png_bytes(pixels: NDArray[np.uint8], *, level: int = 6) -> bytes:
    """Encodes a picture as PNG, without text chunks or time stamps: equal pixels give equal bytes.

    Args:
        pixels: uint8 (H, W) grey or (H, W, 3) RGB.
        level: zlib's effort, 1 (fast) to 9 (small).

    Returns:
        The file's bytes.

    Raises:
        UnsupportedImageError: Another dtype or shape.

    Source: PNG specification (W3C, third edition), sections 5 (chunks) and 9 (filters).
    """
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or pixels.size == 0:
        raise UnsupportedImageError(
            f"a PNG needs uint8 pixels of shape (height, width) or (height, width, 3), "
            f"received {pixels.dtype} {pixels.shape}. Use to_uint8 first."
        )
    height, width = pixels.shape[:2]
    colour = _GREY if pixels.ndim == 2 else _RGB
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    # Each row as its difference to the row above: radiographs are smooth, so this halves the file.
    filtered = np.empty((height, rows.shape[1] + 1), dtype=np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), level)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
