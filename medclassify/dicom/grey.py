"""Which VOI transformation an image gets, and in what words that is recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medclassify.dicom import tags
from medclassify.dicom.elements import Parsed
from medclassify.dicom.lut import read_table
from medclassify.dicom.polarity import invert
from medclassify.dicom.voi import linear_ends, percentile_range, stretch, window_linear, window_linear_exact, window_sigmoid
from medclassify.records import Units

_FUNCTIONS = {"LINEAR": window_linear, "LINEAR_EXACT": window_linear_exact, "SIGMOID": window_sigmoid}


@dataclass(slots=True, eq=False)
class Values:
    """An image on its way: the values after the modality LUT and what is known of them.

    Attributes:
        pixels: float32 (H, W); changed in place.
        padding: bool (H, W), True where a pixel is padding; or None.
        limits: The lowest and highest value that could occur.
        units: ``Units.HU`` or ``Units.STORED``.
        inverted: Whether low values are bright.
        applied: What was done, in order.
        warnings: What a person should know.
        reason: Why it is inverted, in words.
        extremes: Their lowest and highest value, where ``pixels`` have been shrunk since; or None.
        varied: Whether two of them are known to differ, so that nobody need look for it.
        span: The percentiles, where ``pixels`` have been shrunk and no longer hold them; or None.
    """

    pixels: NDArray[np.float32]
    padding: NDArray[np.bool_] | None
    limits: tuple[float, float]
    units: Units
    inverted: bool
    applied: list[str]
    warnings: list[str]
    reason: str = ""
    extremes: Callable[[], tuple[float, float]] | None = None
    varied: bool = False
    span: tuple[float, float] | None = None


def to_grey(values: Values, parsed: Parsed, window: Literal["voi", "percentile", "full"], *, modality: str = "") -> None:
    """Turns values into grey in [0, 1], dense bright, in place: VOI first, then the polarity, once.

    Args:
        values: The image; ``pixels``, ``applied`` and ``warnings`` are changed.
        parsed: The file, for its VOI attributes.
        window: Which transformation.
        modality: Modality (0008,0060). The values of an MR have no scale that two scanners share, so a window in the file says
            little about the next one: they become grey by percentile.
    """
    if window == "full":
        low, high = values.limits
        values.pixels = stretch(values.pixels, low, high)
        values.applied.append(f"full range {low:g} to {high:g}")
    elif window == "voi" and modality == "MR":
        _apply_percentiles(values)
        values.applied[-1] += " (MR: its values have no scale, a window in the file is passed over)"
    elif window == "percentile" or not (_apply_table(values, parsed) or _apply_window(values, parsed)):
        _apply_percentiles(values)
    if values.inverted:
        values.pixels = invert(values.pixels)
        values.applied.append(f"inverted ({values.reason})")
    if values.padding is not None:
        values.pixels[values.padding] = 0  # black, whatever a window makes of the darkest valid value


def _apply_percentiles(values: Values) -> None:
    low, high = values.span or percentile_range(values.pixels, values.padding)
    if high > low:
        values.pixels = stretch(values.pixels, low, high)
    else:
        values.pixels.fill(0)
    values.applied.append(f"percentiles 0.5 to 99.5: {low:g} to {high:g}")


def _apply_table(values: Values, parsed: Parsed) -> bool:
    table = read_table(parsed, tags.VOI_LUT_SEQUENCE, signed_input=values.limits[0] < 0)
    if table is None:
        return False
    highest = max(table.highest, (1 << int(table.entries.max()).bit_length()) - 1)
    if highest != table.highest:
        values.warnings.append(f"the VOI LUT's entries need more than the {table.bits} bits it claims: scaled by {highest}")
    values.pixels = stretch(table.apply(values.pixels), 0, highest)
    values.applied.append(f"VOI LUT of {len(table.entries)} entries")
    return True


def _apply_window(values: Values, parsed: Parsed) -> bool:
    chosen = _first_window(parsed, values.warnings)
    if chosen is None:
        return False
    function, center, width, count = chosen
    values.pixels = _FUNCTIONS[function](values.pixels, center, width)
    values.applied.append(f"window {center:g}/{width:g} {function}" + (f" (first of {count})" if count > 1 else ""))
    return True


def _first_window(parsed: Parsed, warnings: list[str]) -> tuple[str, float, float, int] | None:
    """Function, center and width of the first window, and how many there are; None, with a warning, where none is usable."""
    centers = parsed.numbers(tags.WINDOW_CENTER)
    widths = parsed.numbers(tags.WINDOW_WIDTH)
    if not centers or not widths:
        warnings.append("no window in the file: the 0.5th to 99.5th percentile are black and white")
        return None
    center, width = centers[0], widths[0]
    function = parsed.text(tags.VOI_LUT_FUNCTION) or "LINEAR"
    if function not in _FUNCTIONS or not 1e-6 <= width <= 1e9 or abs(center) > 1e9:
        warnings.append(
            f"window {center:g}/{width:g} {function[:16]} is not one that DICOM defines: percentiles 0.5 to 99.5 are used"
        )
        return None
    if function == "LINEAR" and width < 1:
        warnings.append(f"window width {width:g} is below 1, which LINEAR does not allow: taken as LINEAR_EXACT")
        function = "LINEAR_EXACT"
    return function, center, width, len(centers)


def linear_range(
    parsed: Parsed, window: Literal["voi", "percentile", "full"], limits: tuple[float, float], *, modality: str = ""
) -> tuple[float, float] | Literal["percentiles"] | None:
    """The values that become black and white in ``to_grey`` where everything between them is a straight line.

    Args:
        parsed: The file.
        window: Which transformation.
        limits: The lowest and highest value that could occur.
        modality: Modality (0008,0060).

    Returns:
        (low, high); ``percentiles`` where the image's own percentiles do; None where a table, a curve or a threshold does.
    """
    if window == "full":
        return limits
    if window == "percentile" or modality == "MR":
        return "percentiles"
    if parsed.sequences.get(tags.VOI_LUT_SEQUENCE):
        return None
    chosen = _first_window(parsed, [])
    if chosen is None:
        return "percentiles"
    function, center, width, _ = chosen
    if function == "SIGMOID" or (function == "LINEAR" and width == 1):
        return None
    return linear_ends(center, width) if function == "LINEAR" else (center - width / 2, center + width / 2)
