"""A name for a picture's stored values, to find the same picture under two names whatever it is compressed with."""

import hashlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

_MOST_BANDS, _FEWEST_BANDS = 64, 8
_BAND_BYTES = 1 << 18  # a call for less costs more than its bytes


def fingerprint(pixels: NDArray[Any], reduction: int = 1) -> str:
    """SHA-256 of the CRC-32 of each of 8 to 64 bands of rows, of 256 KiB or more where there are more than 8.

    SHA-256 over all bytes takes longer than reading them. Two pictures with one fingerprint agree in the CRC-32 of every
    band: pictures that differ all over do so once in 2^256 times, pictures that differ in one band once in 2^32.

    Args:
        pixels: Stored values (H, W) or (H, W, 3), any integer type.
        reduction: 2ⁿ where they are the n-th reduced resolution of a compressed stream. Such a fingerprint says so in front,
            ``r4-…``, since it is equal only to those of the same reduction.

    Returns:
        64 hexadecimal digits, with ``r2-``, ``r4-`` … in front for a reduced resolution.
    """
    pixels = np.ascontiguousarray(pixels)
    rows = -(-len(pixels) // min(_MOST_BANDS, max(_FEWEST_BANDS, pixels.nbytes // _BAND_BYTES)))
    parts = [repr((pixels.shape, pixels.itemsize)).encode()]
    data: Any = pixels.reshape(-1).view(np.uint8).data  # slices of it cost a tenth of an array's
    band = rows * pixels[0].nbytes
    for start in range(0, len(data), band):
        parts.append(imagecodecs.deflate_crc32(data[start : start + band]).to_bytes(4, "little"))
    digest = hashlib.sha256(b"".join(parts))
    return f"r{reduction}-{digest.hexdigest()}" if reduction > 1 else digest.hexdigest()
