"""From stored values to a finished image, in the order that DICOM defines (PS3.3 C.11, PS3.4 N.2).

Padding → modality LUT → VOI → polarity, with a record of everything that was done.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medclassify.dicom import tags
from medclassify.dicom.colour import EQUAL, MADE_GREY, WARNING, palette_luma, rgb_luma, ybr_luma
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.dicom.grey import Values, to_grey
from medclassify.dicom.layout import PixelFacts
from medclassify.dicom.lut import read_table
from medclassify.dicom.modality import apply_rescale, rescaled_range
from medclassify.dicom.padding import fill_padding, padding_mask
from medclassify.dicom.pixels import Stored
from medclassify.dicom.polarity import is_inverted
from medclassify.errors import DecodeError
from medclassify.records import DicomImage, InstanceHeader, Units

Window = Literal["voi", "percentile", "full", "none"]
_HOUNSFIELD = ("HU", "HOUN")  # the term is HU; scanners also write "Hounsfield Unit", in more than one spelling


def _luma(stored: NDArray[Any], applied: list[str], warnings: list[str], neutral: int | None = None) -> NDArray[np.float32]:
    """Three samples into one; ``neutral`` is the chrominance of grey, None where they are red, green and blue."""
    pixels, coloured = rgb_luma(stored) if neutral is None else ybr_luma(stored, neutral)
    applied.append(MADE_GREY if coloured else EQUAL)
    if coloured:
        warnings.append(WARNING)
    return pixels


def modality_values(stored: Stored, parsed: Parsed, header: InstanceHeader, facts: PixelFacts) -> Values:
    """Padding, colour and modality LUT; the padding is found before the LUT and filled after it.

    Args:
        stored: What was decoded.
        parsed: The file.
        header: Its header.
        facts: The layout of its stored values.

    Raises:
        DecodeError: A table, a palette or a rescale that leaves no image.
    """
    inverted, reason, contradiction = is_inverted(facts.photometric, parsed.text(tags.PRESENTATION_LUT_SHAPE))
    done = [part for part in (parsed.note, *stored.applied) if part]
    warnings = [contradiction] if contradiction else []
    if facts.samples == 3 or facts.photometric == "PALETTE COLOR":
        return _colour_values(stored, parsed, facts, done, warnings)
    mask = None if stored.ready else padding_of(stored.pixels, padding_range(parsed, facts), warnings)
    table = read_table(parsed, tags.MODALITY_LUT_SEQUENCE, signed_input=facts.signed)
    if table is not None:
        values, limits = table.apply(stored.pixels), (0.0, float(table.highest))
        unit = parsed.within(parsed.sequences[tags.MODALITY_LUT_SEQUENCE][0]).text(tags.MODALITY_LUT_TYPE)
        done.append(f"modality LUT of {len(table.entries)} entries")
    else:
        slope, intercept, rescaled = rescale_of(parsed)
        values = apply_rescale(stored.pixels, slope, intercept)
        limits = rescaled_range(facts.lowest, facts.highest, slope, intercept)
        unit = (parsed.text(tags.RESCALE_TYPE) or "HU") if rescaled else ""
        if rescaled:
            done.append(f"rescale slope={slope:g} intercept={intercept:g}")
    if mask is not None:
        filled = fill_padding(values, mask, bright_is_low=inverted)
        done.append(
            f"padding ({np.count_nonzero(mask) / mask.size:.1%} of the pixels) set to {filled:g}, the darkest valid value"
        )
    hounsfield = header.modality == "CT" and unit.upper().startswith(_HOUNSFIELD)
    if header.modality == "CT" and not hounsfield:
        warnings.append(f"a CT whose values are {unit[:16] or 'not rescaled'}: not Hounsfield units")
    return Values(values, mask, limits, Units.HU if hounsfield else Units.STORED, inverted, done, warnings, reason)


def _colour_values(stored: Stored, parsed: Parsed, facts: PixelFacts, done: list[str], warnings: list[str]) -> Values:
    highest = facts.highest
    if facts.samples == 1:
        pixels, coloured, highest = palette_luma(stored.pixels, parsed)
        done.append(f"palette; {MADE_GREY if coloured else EQUAL}")
        if coloured:
            warnings.append(WARNING)
    else:
        neutral = (highest + 1) // 2 if stored.luminance else None
        pixels = _luma(stored.pixels, done, warnings, neutral)
    return Values(pixels, None, (0.0, float(highest)), Units.STORED, False, done, warnings)


def padding_range(parsed: Parsed, facts: PixelFacts) -> tuple[int, int] | None:
    """Pixel Padding Value and the other end of the range, on either side of it; None where the file names none."""
    value = _stored_value(parsed, tags.PIXEL_PADDING_VALUE, facts)
    limit = _stored_value(parsed, tags.PIXEL_PADDING_RANGE_LIMIT, facts)
    return None if value is None else (value, value if limit is None else limit)


def padding_of(stored: NDArray[Any], padding: tuple[int, int] | None, warnings: list[str]) -> NDArray[np.bool_] | None:
    """Where stored values are padding: bool (H, W), or None where nothing is, or all is."""
    if padding is None:
        return None
    mask = padding_mask(stored, *padding)
    filled = np.count_nonzero(mask)
    if not filled:
        return None
    if filled == mask.size:
        warnings.append(f"every pixel is Pixel Padding Value (0028,0120) {padding[0]}: taken as image")
        return None
    return mask


def _stored_value(parsed: Parsed, tag: int, facts: PixelFacts) -> int | None:
    """A value written like a pixel; writers of signed images often leave the sign to the reader."""
    found = parsed.integers(tag, signed=facts.signed)
    if not found:
        return None
    value = found[0]
    return value - (1 << facts.bits_allocated) if facts.signed and value >= 1 << (facts.bits_allocated - 1) else value


def rescale_of(parsed: Parsed) -> tuple[float, float, bool]:
    """Slope and intercept, and whether the file states them.

    Raises:
        DecodeError: They leave no image.
    """
    slopes, intercepts = parsed.numbers(tags.RESCALE_SLOPE), parsed.numbers(tags.RESCALE_INTERCEPT)
    slope, intercept = (slopes or [1.0])[0], (intercepts or [0.0])[0]
    if not 1e-12 <= abs(slope) <= 1e6 or abs(intercept) > 1e9:
        raise DecodeError(
            f"{parsed.path}: {tag_name(tags.RESCALE_SLOPE)} {slope:g} and intercept {intercept:g} leave no image."
        )
    return slope, intercept, bool(slopes or intercepts)


def finish(values: Values, parsed: Parsed, header: InstanceHeader, window: Window) -> DicomImage:
    """VOI and polarity, and the warnings that only the finished pixels give."""
    extremes = None if values.varied else _extremes(values)
    constant = extremes is not None and extremes[0] == extremes[1]
    if extremes and constant:
        values.warnings.append(f"constant image: every pixel is {extremes[0]:g}")
    if header.burned_in:
        values.warnings.append("Burned In Annotation (0028,0301) is YES: the pixels may name the patient")
    units = values.units
    if window != "none":
        to_grey(values, parsed, window, modality=header.modality)
        units = Units.DISPLAY
        if not constant and _is_flat(values.pixels):
            low, high = extremes or _extremes(values)
            values.warnings.append(f"the window shows one grey only: the values lie in {low:g} to {high:g}")
    return DicomImage(values.pixels, units, header, tuple(values.applied), tuple(values.warnings))


def _extremes(values: Values) -> tuple[float, float]:
    return values.extremes() if values.extremes else (float(values.pixels.min()), float(values.pixels.max()))


def _is_flat(pixels: NDArray[np.float32]) -> bool:
    first = pixels[0, 0]  # two pixels tell nearly always
    return bool(pixels[len(pixels) // 2, pixels.shape[1] // 2] == first) and bool((pixels == first).all())
