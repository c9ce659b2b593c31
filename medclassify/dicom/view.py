"""An image for a viewer that sets its window itself: values after the modality LUT, and what ``read_image`` does next."""

from pathlib import Path

import numpy as np

from medclassify.dicom import tags
from medclassify.dicom.elements import Parsed
from medclassify.dicom.functional import read_groups
from medclassify.dicom.grey import Values, linear_range, to_grey
from medclassify.dicom.image import describe
from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import parse, read_head
from medclassify.dicom.picture import read_picture
from medclassify.dicom.pixels import decode_pixels
from medclassify.dicom.sniff import Kind
from medclassify.dicom.values import finish, modality_values
from medclassify.dicom.voi import linear_ends, percentile_range
from medclassify.records import InstanceHeader, ViewImage, ViewWindow

CURVE_POINTS = 4096
"""Points at which a transformation that is no straight line is sampled."""


def read_view(path: Path | str, *, frame: int | None = None) -> ViewImage:
    """Reads an image as far as the modality LUT, with everything that makes grey of it: nothing is left to a viewer's guess.

    Args:
        path: A DICOM, PNG or JPEG file.
        frame: Which frame of a multi-frame file, from 0; None for a file that holds one.

    Returns:
        The values, whether low ones are bright, where the padding is, and the windows that fit.

    Raises:
        DicomError: As in ``read_image``.
        ConfigError: There is no such frame.
    """
    with open_image(path) as handle:
        kind, head = read_head(handle, str(path))
        if kind in (Kind.PNG, Kind.JPEG):
            parsed, header, facts, stored = read_picture(handle, str(path), kind, head, frame)
        else:
            parsed = parse(handle, str(path), kind, head)
            parsed, header, facts = describe(parsed, read_groups(handle, parsed), frame)
            stored = decode_pixels(handle, parsed, facts, frame or 0, header.frames)
        values = modality_values(stored, parsed, header, facts)
    percentiles = percentile_range(values.pixels, values.padding)
    windows = _windows(values, parsed, header, percentiles)
    if values.inverted:
        values.applied.append(f"inverted ({values.reason})")
    image = finish(values, parsed, header, "none")
    return ViewImage(
        image.pixels, image.units, header, values.inverted, values.padding, windows, image.applied, tuple(values.warnings)
    )


def _windows(
    values: Values, parsed: Parsed, header: InstanceHeader, percentiles: tuple[float, float]
) -> tuple[ViewWindow, ...]:
    """The file's own first, where it has one that can be used."""
    found = [] if header.modality == "MR" else _own(values, parsed, header)
    return (
        *found,
        ViewWindow("0.5–99.5 percentile", *percentiles),
        ViewWindow("all values", float(values.pixels.min()), float(values.pixels.max())),
    )


def _own(values: Values, parsed: Parsed, header: InstanceHeader) -> list[ViewWindow]:
    line = linear_range(parsed, "voi", values.limits, modality=header.modality)
    if line == "percentiles":
        return []
    if line is None:  # a table, a curve or a threshold: the same code as for the network, over the values that occur
        low, high = float(values.pixels.min()), float(values.pixels.max())
        ramp = np.linspace(low, high, CURVE_POINTS, dtype=np.float32)[np.newaxis]
        curve = Values(ramp, None, values.limits, values.units, False, [], values.warnings)
        to_grey(curve, parsed, "voi", modality=header.modality)
        return [ViewWindow("the file's own", low, high, curve.pixels[0])]
    pairs = list(zip(parsed.numbers(tags.WINDOW_CENTER) or (), parsed.numbers(tags.WINDOW_WIDTH) or (), strict=False))
    further = [linear_ends(center, width) for center, width in pairs[1:] if 1 < width <= 1e9 and abs(center) <= 1e9]
    return [
        ViewWindow("the file's own", *line),
        *(ViewWindow(f"the file's own ({number})", *ends) for number, ends in enumerate(further, start=2)),
    ]
