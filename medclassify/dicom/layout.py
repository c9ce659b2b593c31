"""How stored values are laid out, read from the header and checked before anything is decoded (PS3.3 C.7.6.3)."""

from dataclasses import dataclass

import numpy as np

from medclassify.dicom import tags
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.dicom.parse import MAX_IMAGE_BYTES
from medclassify.errors import ConfigError, DecodeError, NotAnImageError, UnsupportedImageError
from medclassify.records import InstanceHeader

_NOT_PICTURES = {"SEG": "a segmentation", "RTDOSE": "a dose grid"}
_SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
_ALLOCATED = (1, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """How the stored values of one frame are laid out (Image Pixel module, PS3.3 C.7.6.3).

    Attributes:
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        photometric: Photometric Interpretation (0028,0004).
        samples: Samples per Pixel (0028,0002), 1 or 3.
        planar: Whether the samples stand in planes, not pixel by pixel (0028,0006).
        bits_allocated: Bits Allocated (0028,0100): 1, 8, 16 or 32.
        bits_stored: Bits Stored (0028,0101).
        unused_below: Bits below the stored ones, 0 but in old files whose High Bit (0028,0102) is higher.
        signed: Pixel Representation (0028,0103) is 1.
    """

    rows: int
    columns: int
    photometric: str
    samples: int
    planar: bool
    bits_allocated: int
    bits_stored: int
    unused_below: int
    signed: bool

    @property
    def lowest(self) -> int:
        """The lowest value that can be stored."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The highest value that can be stored."""
        return (1 << (self.bits_stored - self.signed)) - 1

    @property
    def dtype(self) -> np.dtype:
        """Little-endian integers of the allocated size; single bits are unpacked to bytes."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{max(self.bits_allocated // 8, 1)}")

    @property
    def native_bits(self) -> int:
        """Bits of one uncompressed frame; two pixels of YBR_FULL_422 share their chrominance."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated


def refuse_unsupported(header: InstanceHeader, frame: int | None = None) -> None:
    """Refuses, from the header alone, an image whose meaning would have to be guessed or that is too large.

    Args:
        header: What the header says.
        frame: Which frame is asked for, from 0; None for the only one.

    Raises:
        UnsupportedImageError: Several frames and none named, a modality or a photometric interpretation whose values are no
            grey, or more than 256 MiB.
        DecodeError: It has no pixels, or does not say what is black.
        ConfigError: There is no such frame.
    """
    path, photometric = header.path, header.photometric
    if header.modality in _NOT_PICTURES:
        raise UnsupportedImageError(f"{path}: Modality {header.modality} is {_NOT_PICTURES[header.modality]}. Leave it out.")
    if header.frames < 1:
        raise DecodeError(f"{path}: {tag_name(tags.NUMBER_OF_FRAMES)} is {header.frames}. Export it again.")
    if header.frames != 1 and frame is None:
        raise UnsupportedImageError(
            f"{path}: {header.frames} frames (0028,0008); one is read at a time. "
            f"Name it, frame=0 to frame={header.frames - 1}, or split the file into single-frame instances."
        )
    if frame is not None and not 0 <= frame < header.frames:
        raise ConfigError(f"{path}: frame must be 0 to {header.frames - 1}, received {frame}.")
    if not photometric:
        raise DecodeError(f"{path}: no {tag_name(tags.PHOTOMETRIC_INTERPRETATION)}, so black and white cannot be told apart.")
    if photometric not in _SAMPLES:
        raise UnsupportedImageError(
            f"{path}: {tag_name(tags.PHOTOMETRIC_INTERPRETATION)} {photometric[:16]!r}, and how it becomes grey is "
            "not known. Export the greyscale original, or leave it out."
        )
    if header.rows < 1 or header.columns < 1:
        raise DecodeError(f"{path}: the image is {header.rows} × {header.columns} pixels. Export it again.")
    bits = header.bits_stored
    _refuse_large(path, header.rows, header.columns, 4 if bits > 16 else 2 if bits > 8 else 1)


def _refuse_large(path: str, rows: int, columns: int, pixel_bytes: int) -> None:
    claimed = rows * columns * pixel_bytes
    if claimed > MAX_IMAGE_BYTES:
        raise UnsupportedImageError(
            f"{path}: claims {rows} × {columns} pixels, {claimed >> 20} MiB; at most "
            f"{MAX_IMAGE_BYTES >> 20} MiB are read. Leave it out, or shrink it first."
        )


def pixel_facts(parsed: Parsed, header: InstanceHeader) -> PixelFacts:
    """Reads the layout of the stored values.

    Raises:
        UnsupportedImageError: Float pixels, values of an unknown size, or more than 256 MiB.
        DecodeError: The attributes contradict each other.
    """
    path = parsed.path
    if parsed.pixel_tag in (tags.FLOAT_PIXEL_DATA, tags.DOUBLE_FLOAT_PIXEL_DATA):
        raise UnsupportedImageError(f"{path}: {tag_name(parsed.pixel_tag)} instead of Pixel Data (7FE0,0010). Leave it out.")
    if not parsed.pixel_tag:
        raise NotAnImageError(f"{path}: no pixel data (7FE0,0010). Leave it out, or export the series again.")
    samples, expected = parsed.integer(tags.SAMPLES_PER_PIXEL, default=1), _SAMPLES[header.photometric]
    if samples != expected:
        raise DecodeError(f"{path}: {tag_name(tags.SAMPLES_PER_PIXEL)} is {samples}; {header.photometric} has {expected}.")
    allocated, stored = parsed.integer(tags.BITS_ALLOCATED), parsed.integer(tags.BITS_STORED)
    if allocated not in _ALLOCATED or (allocated, samples) == (1, 3):
        raise UnsupportedImageError(
            f"{path}: {tag_name(tags.BITS_ALLOCATED)} is {allocated} for {header.photometric}; "
            "1, 8, 16 and 32 are read, in colour from 8 on. Convert it."
        )
    if not 1 <= stored <= allocated:
        raise DecodeError(f"{path}: {tag_name(tags.BITS_STORED)} is {stored}, but {allocated} bits are allocated.")
    if not stored - 1 <= (high_bit := parsed.integer(tags.HIGH_BIT, default=stored - 1)) < allocated:
        raise DecodeError(f"{path}: {tag_name(tags.HIGH_BIT)} is {high_bit}, expected {stored - 1}.")
    if (representation := parsed.integer(tags.PIXEL_REPRESENTATION, default=0)) not in (0, 1):
        raise DecodeError(f"{path}: {tag_name(tags.PIXEL_REPRESENTATION)} is {representation}, expected 0 or 1.")
    if (planar := parsed.integer(tags.PLANAR_CONFIGURATION, default=0)) not in (0, 1):
        raise DecodeError(f"{path}: {tag_name(tags.PLANAR_CONFIGURATION)} is {planar}, expected 0 or 1.")
    _refuse_large(path, header.rows, header.columns, samples * max(allocated // 8, 1))
    below = high_bit + 1 - stored
    return PixelFacts(
        header.rows, header.columns, header.photometric, samples, bool(planar), allocated, stored, below, bool(representation)
    )
