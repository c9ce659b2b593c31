"""Stored pixel values out of a parsed file: what must not be guessed is refused, and sizes are checked before decoding."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.config import IGNORE
from pydicom.pixels.decoders.base import get_decoder

from medclassify.dicom import tags
from medclassify.dicom.codecs import DECODER_DEPENDENCIES, PLUGIN
from medclassify.dicom.codestream import StreamError, frame_bytes
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.dicom.parse import MAX_IMAGE_BYTES, read_pixel_bytes
from medclassify.errors import DecodeError, NotAnImageError, UnsupportedImageError
from medclassify.records import InstanceHeader

_NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
_NOT_PICTURES = {"SEG": "a segmentation", "RTDOSE": "a dose grid"}
_GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """How stored values are laid out (Image Pixel module, PS3.3 C.7.6.3)."""

    bits_allocated: int
    bits_stored: int
    signed: bool

    @property
    def lowest(self) -> int:
        """The lowest value that can be stored."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The highest value that can be stored."""
        return (1 << (self.bits_stored - self.signed)) - 1


def refuse_unsupported(header: InstanceHeader) -> None:
    """Refuses, from the header alone, an image whose meaning would have to be guessed or that is too large.

    Raises:
        UnsupportedImageError: Several frames, colour, a modality whose values are no grey, or more than 256 MiB.
        DecodeError: It has no pixels, or does not say what is black.
    """
    path, photometric = header.path, header.photometric
    if header.modality in _NOT_PICTURES:
        raise UnsupportedImageError(f"{path}: Modality {header.modality} is {_NOT_PICTURES[header.modality]}. Leave it out.")
    if header.frames != 1:
        raise UnsupportedImageError(
            f"{path}: {header.frames} frames (0028,0008); one is read. Split the frames into single-frame instances first."
        )
    if not photometric:
        raise DecodeError(f"{path}: no {tag_name(tags.PHOTOMETRIC_INTERPRETATION)}, so black and white cannot be told apart.")
    if photometric not in _GREY and header.transfer_syntax:  # a picture in colour may hold three equal channels: see there
        raise UnsupportedImageError(
            f"{path}: {tag_name(tags.PHOTOMETRIC_INTERPRETATION)} {photometric[:16]!r} is colour, and how it becomes grey is "
            "not known. Export the greyscale original, or leave it out."
        )
    if header.rows < 1 or header.columns < 1:
        raise DecodeError(f"{path}: the image is {header.rows} × {header.columns} pixels. Export it again.")
    claimed = header.rows * header.columns * header.frames * (2 if header.bits_stored > 8 else 1)
    if claimed > MAX_IMAGE_BYTES:
        raise UnsupportedImageError(
            f"{path}: claims {header.rows} × {header.columns} pixels, {claimed >> 20} MiB; at most "
            f"{MAX_IMAGE_BYTES >> 20} MiB are read. Leave it out, or shrink it first."
        )


def pixel_facts(parsed: Parsed) -> PixelFacts:
    """Reads the layout of the stored values.

    Raises:
        UnsupportedImageError: Colour samples, float or bit-packed pixels, values of more than 16 bits, groups of frames.
        DecodeError: The attributes contradict each other.
    """
    path = parsed.path
    if parsed.pixel_tag in (tags.FLOAT_PIXEL_DATA, tags.DOUBLE_FLOAT_PIXEL_DATA):
        raise UnsupportedImageError(f"{path}: {tag_name(parsed.pixel_tag)} instead of Pixel Data (7FE0,0010). Leave it out.")
    if not parsed.pixel_tag:
        raise NotAnImageError(f"{path}: no pixel data (7FE0,0010). Leave it out, or export the series again.")
    if parsed.sequences.get(tags.SHARED_FUNCTIONAL_GROUPS):
        raise UnsupportedImageError(f"{path}: an enhanced multi-frame object. Split it into classic single-frame instances.")
    if (samples := parsed.integer(tags.SAMPLES_PER_PIXEL, default=1)) != 1:
        raise UnsupportedImageError(f"{path}: {tag_name(tags.SAMPLES_PER_PIXEL)} is {samples}; greyscale has 1. Leave it out.")
    allocated, stored = parsed.integer(tags.BITS_ALLOCATED), parsed.integer(tags.BITS_STORED)
    if allocated not in (8, 16):
        raise UnsupportedImageError(f"{path}: {tag_name(tags.BITS_ALLOCATED)} is {allocated}; 8 and 16 are read.")
    if not 1 <= stored <= allocated:
        raise DecodeError(f"{path}: {tag_name(tags.BITS_STORED)} is {stored}, but {allocated} bits are allocated.")
    if (high_bit := parsed.integer(tags.HIGH_BIT, default=stored - 1)) != stored - 1:
        raise UnsupportedImageError(f"{path}: {tag_name(tags.HIGH_BIT)} is {high_bit}, expected {stored - 1}. Convert it.")
    if (representation := parsed.integer(tags.PIXEL_REPRESENTATION, default=0)) not in (0, 1):
        raise DecodeError(f"{path}: {tag_name(tags.PIXEL_REPRESENTATION)} is {representation}, expected 0 or 1.")
    return PixelFacts(allocated, stored, bool(representation))


def decode_pixels(
    handle: BinaryIO, parsed: Parsed, header: InstanceHeader, facts: PixelFacts
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decodes the one frame.

    Returns:
        (u)int8 or (u)int16 (H, W), the stored values, and what was done to them.

    Raises:
        DecodeError: The pixel data is cut off, corrupt, or not what the header says.
        UnsupportedImageError: The transfer syntax is not read.
    """
    syntax = parsed.transfer_syntax
    native = syntax in _NATIVE
    if not native and syntax not in DECODER_DEPENDENCIES:
        name = uid.UID(syntax, IGNORE).name[:64]
        raise UnsupportedImageError(
            f"{parsed.path}: transfer syntax {name!r} (0002,0010) is not read. Export it as Explicit VR Little Endian."
        )
    data = read_pixel_bytes(handle, parsed)
    excess = _require_length(parsed, header, facts, data, native=native)
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "photometric_interpretation": header.photometric,
        "bits_allocated": facts.bits_allocated,
        "bits_stored": facts.bits_stored,
        "pixel_representation": int(facts.signed),
        "pixel_keyword": "PixelData",
        "pixel_vr": parsed.pixel_vr or "OW",
        "correct_unused_bits": False,
    }
    if native and parsed.little_endian:
        options["view_only"] = True
    try:
        stored, _ = get_decoder(syntax).as_array(
            data, index=0, raw=True, validate=False, decoding_plugin="" if native else PLUGIN, **options
        )
    except Exception as error:  # pydicom wraps what its plug-ins raise; the plug-in's clause is the last line
        clause = str(error).strip().split("\n")[-1].strip().removeprefix(f"{PLUGIN}: ")
        raise DecodeError(f"{parsed.path}: Pixel Data (7FE0,0010) {clause[:200]}. Copy or export it again.") from error
    stored, applied = _clean(stored, facts)
    return stored, ((f"{excess} bytes after the image left out",) if excess > 1 else ()) + applied


def _require_length(parsed: Parsed, header: InstanceHeader, facts: PixelFacts, data: bytes, *, native: bool) -> int:
    """Checks that the data is all there; returns how many bytes stand after a native image."""
    if not native:
        try:
            frame_bytes(data)
        except StreamError as error:
            raise DecodeError(f"{parsed.path}: Pixel Data (7FE0,0010) {error}. Copy or export it again.") from error
        return 0
    expected = header.rows * header.columns * facts.bits_allocated // 8
    if len(data) < expected or parsed.pixel_length is None:
        raise DecodeError(
            f"{parsed.path}: Pixel Data (7FE0,0010) holds {len(data)} bytes, {header.rows} × {header.columns} pixels of "
            f"{facts.bits_allocated} bits need {expected}. Copy or export it again."
        )
    return len(data) - expected


def _clean(stored: NDArray[Any], facts: PixelFacts) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Frees values from bits above Bits Stored: old files keep overlays there, and signs end there (PS3.5 8.1.1)."""
    unused = 8 * stored.itemsize - facts.bits_stored
    if unused <= 0 or (stored.min() >= facts.lowest and stored.max() <= facts.highest):
        return stored, ()
    cleaned = np.right_shift(np.left_shift(stored, unused), unused)
    return cleaned, (f"bits above the {facts.bits_stored} stored ones cleared",)
