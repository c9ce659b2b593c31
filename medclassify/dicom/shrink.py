"""An image at the size that a network needs, much faster than reading it whole and shrinking the result.

Where everything from the stored values to grey is a straight line between two ends, the stored values are clipped to the
ends, shrunk, and only then given their meaning: the order of operations is kept (clip, then average), and nearly all
arithmetic is done on a small image. Where it is not (tables, SIGMOID, colour), the image is finished in full size first.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from medclassify.dicom import tags
from medclassify.dicom.area import Ready, halvings, shrink_by_area
from medclassify.dicom.elements import Parsed
from medclassify.dicom.fingerprint import Fingerprint, fingerprint
from medclassify.dicom.functional import read_groups
from medclassify.dicom.grey import linear_range
from medclassify.dicom.image import describe, require_window
from medclassify.dicom.layout import PixelFacts
from medclassify.dicom.modality import rescaled_range
from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import parse, read_head
from medclassify.dicom.picture import read_picture
from medclassify.dicom.pixels import Stored, decode_pixels, extremes_of, type_range
from medclassify.dicom.polarity import is_inverted
from medclassify.dicom.sniff import Kind
from medclassify.dicom.values import Window, finish, modality_values, padding_of, padding_range, rescale_of
from medclassify.dicom.voi import percentile_range
from medclassify.records import DicomImage, InstanceHeader

_FINE = {1: 192, 2: 2048}
"""Bytes a value → how many stored values at least lie between black and white where a mean may be rounded to one of them. It
moves grey by less than a sixteenth of a level of 255 in 16 bits, and in 8 by less than two thirds of one, an eighth on average:
less than the step between two stored values, and than what a lossy codec changes."""


class Shrunk(NamedTuple):
    """A small image.

    Attributes:
        image: float32 (h, w); its header keeps the size of the original.
        fingerprint: Equal for two files that hold the same stored values, whatever compresses them.
    """

    image: DicomImage
    fingerprint: str


class _Line(NamedTuple):
    """The straight line from stored values to grey."""

    slope: float
    intercept: float
    dark_is_high: bool
    ends: tuple[float, float] | Literal["percentiles"] | None

    def values(self, ends: tuple[float, float]) -> tuple[float, float]:
        low, high = sorted(end * self.slope + self.intercept for end in ends)
        return low, high

    def stored(self) -> tuple[float, float] | None:
        """Which stored values are black and white, where that is known before they are looked at."""
        if self.ends is None or self.ends == "percentiles":
            return None
        low, high = sorted((end - self.intercept) / self.slope for end in self.ends)
        return low, high


def read_shrunk(path: Path | str, *, window: Window = "voi", longest_side: int, frame: int | None = None) -> Shrunk:
    """Decodes one image and shrinks it by area until its longer side is ``longest_side``.

    The result is that of ``read_image`` shrunk by area, but for rounding; JPEG 2000 and 8-bit JPEG are decoded at a reduced
    resolution while that is at least twice as large as the result, and ``applied`` says so.

    Args:
        path: A DICOM, PNG or JPEG file.
        window: As in ``read_image``.
        longest_side: Pixels; an image that is not larger keeps its size.
        frame: Which frame of a multi-frame file, from 0; None for a file that holds one.

    Raises:
        DicomError: As in ``read_image``.
        ConfigError: ``window`` is none of the four, or there is no such frame.
    """
    require_window(window)
    with open_image(path) as handle:
        kind, head = read_head(handle, str(path))
        if kind in (Kind.PNG, Kind.JPEG):
            parsed, header, facts, stored = read_picture(handle, str(path), kind, head, frame)
            line = _line(parsed, header, facts, window)
        else:
            parsed = parse(handle, str(path), kind, head)
            parsed, header, facts = describe(parsed, read_groups(handle, parsed), frame)
            line = _line(parsed, header, facts, window)
            most = _most_reductions(parsed, facts, longest_side, line) if line else 0
            stored = decode_pixels(handle, parsed, facts, frame or 0, header.frames, most_reductions=most)
    size = shrunk_size(facts.rows, facts.columns, longest_side)
    if line is not None and size != (facts.rows, facts.columns):
        return _along(line, stored, parsed, header, facts, size, window)
    name = fingerprint(stored.pixels, stored.reduction)
    image = finish(modality_values(stored, parsed, header, facts), parsed, header, window)
    if size != (facts.rows, facts.columns):
        small = shrink_by_area(image.pixels, *size)
        image = DicomImage(small, image.units, header, image.applied, image.warnings)
    return Shrunk(image, name)


def shrunk_size(rows: int, columns: int, longest_side: int) -> tuple[int, int]:
    """Height and width of an image that is shrunk until its longer side is ``longest_side``; never less than one pixel."""
    scale = min(1.0, longest_side / max(rows, columns))
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def _line(parsed: Parsed, header: InstanceHeader, facts: PixelFacts, window: Window) -> _Line | None:
    straight = facts.samples == 1 and facts.photometric != "PALETTE COLOR" and facts.bits_allocated <= 16
    if not straight or parsed.sequences.get(tags.MODALITY_LUT_SEQUENCE):
        return None
    slope, intercept, _ = rescale_of(parsed)
    inverted, _, _ = is_inverted(facts.photometric, parsed.text(tags.PRESENTATION_LUT_SHAPE))
    ends = None
    if window != "none":
        limits = rescaled_range(facts.lowest, facts.highest, slope, intercept)
        ends = linear_range(parsed, window, limits, modality=header.modality)
        if ends is None:
            return None
    return _Line(slope, intercept, inverted != (slope < 0), ends)


def _most_reductions(parsed: Parsed, facts: PixelFacts, longest_side: int, line: _Line) -> int:
    if parsed.elements.get(tags.PIXEL_PADDING_VALUE):  # what is padding can only be told in full resolution
        return 0
    if parsed.transfer_syntax == uid.JPEGBaseline8Bit and not _is_fine(1, line.stored()):
        return 0  # its reduced resolutions are rounded to whole values
    height, width = shrunk_size(facts.rows, facts.columns, longest_side)
    return halvings(facts.rows / height, facts.columns / width)


def _along(
    line: _Line,
    stored: Stored,
    parsed: Parsed,
    header: InstanceHeader,
    facts: PixelFacts,
    size: tuple[int, int],
    window: Window,
) -> Shrunk:
    """Goes through the stored values once, band by band: fingerprint, clip, shrink; what is left gets its meaning then."""
    warnings: list[str] = []
    pixels, padding = stored.pixels, padding_range(parsed, facts)
    mask = padding_of(pixels, padding, warnings)
    span = None
    if line.ends == "percentiles":
        ends = percentile_range(pixels, mask)
        span = line.values(ends)
    else:
        ends = line.stored()

    def extremes() -> tuple[int, int]:
        if mask is not None:
            return extremes_of(pixels, ~mask)
        return stored.extremes or extremes_of(pixels)

    clip, whole = _clipping(stored, ends, extremes, mask, padding, line.dark_is_high)
    name = Fingerprint(pixels)

    def ready(rows: NDArray[Any], place: slice) -> NDArray[Any]:
        name.add(rows)
        return clip(rows, place) if clip else rows

    small = shrink_by_area(
        pixels,
        *size,
        ready=ready,
        rounding=_rounding(pixels.itemsize, ends) if whole else 0,
        decoded_at=stored.reduction,
        before=stored.before,
        original=(facts.rows, facts.columns),
    )
    applied = list(stored.applied)
    if mask is not None:
        applied.append(f"padding ({np.count_nonzero(mask) / mask.size:.1%} of the pixels) set to the darkest value")
    shrunk = Stored(small, luminance=False, applied=tuple(applied), ready=True)
    values = modality_values(shrunk, parsed, header, facts)
    values.warnings += warnings
    values.span, values.varied = span, _varies(pixels, mask)
    values.extremes = lambda: line.values(extremes())
    return Shrunk(finish(values, parsed, header, window), name.name(stored.reduction))


def _varies(pixels: NDArray[Any], mask: NDArray[np.bool_] | None) -> bool:
    """Whether a look at one row shows already that the image is not constant."""
    middle = len(pixels) // 2
    if mask is None and pixels[middle, 0] != pixels[middle, -1]:
        return True
    row = pixels[middle] if mask is None else pixels[middle][~mask[middle]]
    return bool((row != row[:1]).any())


def _is_fine(bytes_each: int, ends: tuple[float, float] | None) -> bool:
    """Whether stored values between black and white are so many that a mean may be rounded to one of them."""
    return ends is not None and ends[1] - ends[0] >= _FINE[bytes_each]


def _rounding(bytes_each: int, ends: tuple[float, float] | None) -> float:
    if _is_fine(bytes_each, ends):
        return 1 / 2
    return 1 / 128 if bytes_each == 1 else 0


def _clipping(
    stored: Stored,
    ends: tuple[float, float] | None,
    extremes: Callable[[], tuple[int, int]],
    mask: NDArray[np.bool_] | None,
    padding: tuple[int, int] | None,
    dark_is_high: bool,
) -> tuple[Ready | None, bool]:
    """Makes padding dark, and leaves nothing beyond black and white: what is beyond would outshine its neighbours in a mean.

    Returns:
        What does that to some rows, or None where there is nothing to do; and whether integers stay integers under it.
    """
    if ends is None and mask is None:
        return None, True
    ends = ends or extremes()
    dtype, filled = stored.pixels.dtype, mask
    if padding and mask is not None and (min(padding) >= ends[1] if dark_is_high else max(padding) <= ends[0]):
        filled = None  # clipping makes it dark, in a third of the time
    lowest, highest = type_range(dtype)
    low, high = (min(max(end, lowest), highest) for end in ends)  # no pixel is beyond these
    whole = float(low).is_integer() and float(high).is_integer() and (filled is None or (low, high) == ends)
    if mask is None and (_within((lowest, highest), ends) or ((stored.extremes or not whole) and _within(extremes(), ends))):
        return None, True
    dtype = dtype if whole else np.dtype(np.float32)
    black, white = (dtype.type(end) for end in ((low, high) if whole else ends))

    def clip(rows: NDArray[Any], place: slice) -> NDArray[Any]:
        if mask is None and whole and _within(extremes_of(rows), ends):
            return rows
        clipped = np.clip(rows.astype(dtype, copy=False), black, white)
        if filled is not None:
            np.copyto(clipped, white if dark_is_high else black, where=filled[place])
        return clipped

    return clip, whole


def _within(extremes: tuple[int, int], ends: tuple[float, float]) -> bool:
    return ends[0] <= extremes[0] and extremes[1] <= ends[1]
