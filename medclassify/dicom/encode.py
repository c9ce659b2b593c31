"""Stored pixel values into the bytes that Pixel Data (7FE0,0010) holds, one function a transfer syntax.

Every encoder here keeps the stored values exactly, except JPEG baseline. The file writer chooses by name.
"""

import struct
from typing import Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from medclassify.errors import UnsupportedImageError

Encoding = Literal["explicit", "implicit", "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000", "htj2k", "jpeg-baseline"]
"""Short names of the transfer syntaxes that can be written."""

_BASELINE_QUALITY = 95
_SYNTAX: dict[str, str] = {
    "explicit": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "rle": uid.RLELossless,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg-lossless": uid.JPEGLosslessSV1,
    "jpeg2000": uid.JPEG2000Lossless,
    "htj2k": uid.HTJ2KLossless,
    "jpeg-baseline": uid.JPEGBaseline8Bit,
}


def encode_rle(pixels: NDArray[np.generic]) -> bytes:
    """RLE Lossless: one segment a byte of a sample, most significant first, rows packed one by one (PS3.5 Annex G)."""
    rows, columns = pixels.shape
    planes = pixels.astype(f"<u{pixels.itemsize}").view(np.uint8).reshape(rows, columns, pixels.itemsize)
    segments = []
    for plane in range(pixels.itemsize - 1, -1, -1):
        packed = imagecodecs.packbits_encode(np.ascontiguousarray(planes[..., plane]), axis=-1)
        segments.append(packed + b"\x00" * (len(packed) % 2))
    offsets, start = [], 64
    for segment in segments:
        offsets.append(start)
        start += len(segment)
    offsets += [0] * (15 - len(offsets))
    return struct.pack("<16L", len(segments), *offsets) + b"".join(segments)


def _compress(pixels: NDArray[np.generic], bits_stored: int, encoding: Encoding) -> bytes | bytearray:
    match encoding:
        case "rle":
            return encode_rle(pixels)
        case "jpeg-ls":
            return imagecodecs.jpegls_encode(pixels)
        case "jpeg-lossless":
            return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=bits_stored)
        case "jpeg2000":
            return imagecodecs.jpeg2k_encode(
                pixels, level=0, codecformat="j2k", reversible=True, bitspersample=bits_stored, numthreads=1
            )
        case "htj2k":
            return imagecodecs.htj2k_encode(pixels, reversible=True)
        case _:
            return imagecodecs.jpeg8_encode(pixels, level=_BASELINE_QUALITY)


def encode_pixels(pixels: NDArray[np.generic], bits_stored: int, encoding: Encoding) -> tuple[str, bytes, bool]:
    """Encodes one frame.

    Args:
        pixels: uint8 or uint16 (H, W), stored values.
        bits_stored: How many bits of a value are used.
        encoding: The transfer syntax by its short name.

    Returns:
        Transfer Syntax UID, the bytes of the frame, and whether the bytes are a compressed stream to be encapsulated.

    Raises:
        UnsupportedImageError: The encoding is not known, or cannot hold values of this size.
    """
    if encoding not in _SYNTAX:
        raise UnsupportedImageError(f"transfer_syntax must be one of {', '.join(_SYNTAX)}; received {encoding!r}.")
    if encoding == "jpeg-baseline" and (pixels.dtype != np.uint8 or bits_stored != 8):
        raise UnsupportedImageError(
            f"transfer_syntax 'jpeg-baseline' holds 8-bit values only, received bits_stored={bits_stored}, {pixels.dtype}: "
            "scale the pixels to uint8, or choose another."
        )
    if encoding in ("explicit", "implicit"):
        return _SYNTAX[encoding], pixels.astype(f"<u{pixels.itemsize}", copy=False).tobytes(), False
    return _SYNTAX[encoding], bytes(_compress(np.ascontiguousarray(pixels), bits_stored, encoding)), True
