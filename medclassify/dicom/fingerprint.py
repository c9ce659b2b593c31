"""A name for a picture's stored values, to find the same picture under two names whatever it is compressed with."""

import hashlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

_FEWEST_BANDS = 8
_BAND_BYTES = 1 << 18  # more than this does not stay in the processor's cache


class Fingerprint:
    """SHA-256 of the CRC-32 of each of 8 or more bands of rows, 256 KiB each at most; made while the rows are looked at anyway.

    SHA-256 over all bytes takes longer than reading them. Two pictures with one fingerprint agree in the CRC-32 of every
    band: pictures that differ all over do so once in 2^256 times, pictures that differ in one band once in 2^32.
    """

    def __init__(self, pixels: NDArray[Any]) -> None:
        """Starts with no rows.

        Args:
            pixels: The picture, (H, W) or (H, W, 3), any integer type; not looked at yet.
        """
        most = min(len(pixels) // _FEWEST_BANDS, _BAND_BYTES // pixels[0].nbytes)
        self._band = floor_to_power(most) * pixels[0].nbytes
        self._parts = [repr((pixels.shape, pixels.itemsize)).encode()]

    def add(self, rows: NDArray[Any]) -> None:
        """Takes the next rows: 2ⁿ of them, as many as a band has or more, or the last."""
        data: Any = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data  # slices of it cost a tenth of an array's
        for start in range(0, len(data), self._band):
            self._parts.append(imagecodecs.deflate_crc32(data[start : start + self._band]).to_bytes(4, "little"))

    def name(self, reduction: int = 1) -> str:
        """64 hexadecimal digits; with ``r2-``, ``r4-`` … in front for the n-th reduced resolution of a compressed stream.

        Args:
            reduction: 2ⁿ of such a resolution. Its fingerprint is equal only to those of the same reduction.
        """
        digest = hashlib.sha256(b"".join(self._parts))
        return f"r{reduction}-{digest.hexdigest()}" if reduction > 1 else digest.hexdigest()


def fingerprint(pixels: NDArray[Any], reduction: int = 1) -> str:
    """The fingerprint of a whole picture.

    Args:
        pixels: Stored values (H, W) or (H, W, 3), any integer type.
        reduction: As in ``Fingerprint.name``.
    """
    made = Fingerprint(pixels)
    made.add(pixels)
    return made.name(reduction)


def floor_to_power(number: int) -> int:
    """The largest power of two that is not larger; 1 where there is none."""
    return 1 << max(number, 1).bit_length() - 1
