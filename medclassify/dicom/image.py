"""The pixel path: one image file into float32 in known units, with a record of everything that was done to it.

Order of operations, PS3.3 C.11 and PS3.4 N.2: stored values → padding → modality LUT → VOI → polarity.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from medclassify.dicom.elements import Parsed
from medclassify.dicom.functional import FunctionalGroups, read_groups
from medclassify.dicom.header import parsed_header
from medclassify.dicom.layout import PixelFacts, pixel_facts, refuse_unsupported
from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import parse, read_head
from medclassify.dicom.picture import read_picture
from medclassify.dicom.pixels import decode_pixels
from medclassify.dicom.sniff import Kind
from medclassify.dicom.values import Window, finish, modality_values
from medclassify.errors import ConfigError
from medclassify.records import DicomImage, InstanceHeader

_WINDOWS = ("voi", "percentile", "full", "none")


def read_image(path: Path | str, *, window: Window = "voi", frame: int | None = None) -> DicomImage:
    """Decodes one image into float32 with known units.

    Args:
        path: A DICOM, PNG or JPEG file.
        window: How values become grey: ``voi`` (the file's own VOI LUT or first window, percentiles where it has none and
            for MR), ``percentile`` (0.5th to 99.5th), ``full`` (the whole range that can be stored), or ``none``: no grey, but
            Hounsfield units of a CT and the values after the modality LUT of anything else.
        frame: Which frame of a multi-frame file, from 0; None for a file that holds one.

    Returns:
        The image, its header, what was applied, and what a person should know about it.

    Raises:
        DicomError: The file is not an image, is damaged, or must not be guessed about; one line that names the file.
        ConfigError: ``window`` is none of the four, or there is no such frame.
    """
    require_window(window)
    with open_image(path) as handle:
        kind, head = read_head(handle, str(path))
        if kind in (Kind.PNG, Kind.JPEG):
            parsed, header, facts, stored = read_picture(handle, str(path), kind, head, frame)
            return finish(modality_values(stored, parsed, header, facts), parsed, header, window)
        parsed = parse(handle, str(path), kind, head)
        return _read_frame(handle, parsed, read_groups(handle, parsed), window, frame)


def read_frames(path: Path | str, *, window: Window = "voi", frames: Sequence[int] | None = None) -> Iterator[DicomImage]:
    """Yields frames of a DICOM file; the header is read once.

    Args:
        path: A DICOM, PNG or JPEG file; one with a single frame yields one image.
        window: As in ``read_image``.
        frames: Which, from 0, in this order; None for all in stored order.

    Raises:
        DicomError: As in ``read_image``.
        ConfigError: ``window`` is none of the four, or there is no such frame.
    """
    if frames is not None and not frames:
        return
    first = read_image(path, window=window, frame=frames[0] if frames else 0)
    yield first
    rest = range(1, first.header.frames) if frames is None else frames[1:]
    if not rest:
        return
    with open_image(path) as handle:
        kind, head = read_head(handle, str(path))
        parsed = parse(handle, str(path), kind, head)
        groups = read_groups(handle, parsed)
        for frame in rest:
            yield _read_frame(handle, parsed, groups, window, frame)


def _read_frame(
    handle: BinaryIO, parsed: Parsed, groups: FunctionalGroups | None, window: Window, frame: int | None
) -> DicomImage:
    parsed, header, facts = describe(parsed, groups, frame)
    stored = decode_pixels(handle, parsed, facts, frame or 0, header.frames)
    return finish(modality_values(stored, parsed, header, facts), parsed, header, window)


def describe(parsed: Parsed, groups: FunctionalGroups | None, frame: int | None) -> tuple[Parsed, InstanceHeader, PixelFacts]:
    """One frame's elements, header and layout; what must not be guessed about is refused.

    Raises:
        DicomError: As in ``read_image``.
        ConfigError: There is no such frame.
    """
    if groups is not None:
        parsed = groups.over(parsed, frame or 0)
    header = parsed_header(parsed)
    refuse_unsupported(header, frame)
    return parsed, header, pixel_facts(parsed, header)


def require_window(window: str) -> None:
    """Refuses a name that is no window.

    Raises:
        ConfigError: ``window`` is none of the four.
    """
    if window not in _WINDOWS:
        raise ConfigError(f"window must be one of {', '.join(_WINDOWS)}; received {window!r}.")
