"""What a file's header says, as an ``InstanceHeader``."""

import re
from pathlib import Path
from typing import BinaryIO

from medclassify.dicom import tags
from medclassify.dicom.elements import Parsed, tag_name
from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import HEAD_BYTES, parse, read_head, require_whole
from medclassify.dicom.picture import picture_header
from medclassify.dicom.sniff import SNIFF_BYTES, Kind, sniff
from medclassify.errors import DecodeError, DicomError, NotAnImageError
from medclassify.records import InstanceHeader

_AGE = re.compile(r"(\d{1,3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_SEXES = ("F", "M", "O")


def read_header(path: Path | str) -> InstanceHeader:
    """Reads the header of a DICOM file, or the size of a PNG or JPEG picture; no pixel is decoded.

    Args:
        path: The file.

    Returns:
        The header. What is optional in DICOM and absent or not readable here (age, sex, spacing, view) is empty or None.

    Raises:
        DicomError: The file is not an image, is damaged, or is cut off before its pixel data ends.
    """
    with open_image(path) as handle:
        return _header(handle, str(path), *read_head(handle, str(path)))


def read_if_image(path: str) -> InstanceHeader | None:
    """As ``read_header``, but None where the first bytes are of no image: for files that were found and not named.

    Raises:
        DicomError: The file is an image and damaged, or cannot be opened.
    """
    with open_image(path) as handle:
        head = handle.read(HEAD_BYTES)
        kind = sniff(head[:SNIFF_BYTES])
        return None if kind is None else _header(handle, path, kind, head)


def _header(handle: BinaryIO, path: str, kind: Kind, head: bytes) -> InstanceHeader:
    if kind in (Kind.PNG, Kind.JPEG):
        return picture_header(handle, path, kind, head)
    parsed = parse(handle, path, kind, head)
    require_whole(parsed)
    return parsed_header(parsed)


def parsed_header(parsed: Parsed) -> InstanceHeader:
    """Turns parsed elements into a header (shared with the pixel path, so a file is never parsed twice).

    Raises:
        DicomError: Rows, Columns, Bits Stored or Number of Frames are missing or malformed, or there is no pixel data.
    """
    if not parsed.pixel_tag and not parsed.elements.get(tags.ROWS):
        modality = parsed.text(tags.MODALITY)[:16] or "unknown"
        raise NotAnImageError(f"{parsed.path}: no pixel data (7FE0,0010), modality {modality}. Leave it out.")
    spacing, source = _spacing(parsed)
    return InstanceHeader(
        path=parsed.path,
        sop_uid=parsed.text(tags.SOP_INSTANCE_UID),
        study_uid=parsed.text(tags.STUDY_INSTANCE_UID),
        series_uid=parsed.text(tags.SERIES_INSTANCE_UID),
        patient_key=parsed.text(tags.PATIENT_ID),
        modality=parsed.text(tags.MODALITY),
        photometric=parsed.text(tags.PHOTOMETRIC_INTERPRETATION),
        rows=parsed.integer(tags.ROWS),
        columns=parsed.integer(tags.COLUMNS),
        frames=_frames(parsed),
        bits_stored=parsed.integer(tags.BITS_STORED),
        transfer_syntax=parsed.transfer_syntax,
        spacing_mm=spacing,
        spacing_source=source,
        view=parsed.text(tags.VIEW_POSITION),
        laterality=parsed.text(tags.IMAGE_LATERALITY) or parsed.text(tags.LATERALITY),
        site=parsed.text(tags.INSTITUTION_NAME),
        manufacturer=parsed.text(tags.MANUFACTURER),
        sex=_sex(parsed.text(tags.PATIENT_SEX)),
        age_years=_age(parsed.text(tags.PATIENT_AGE)),
        burned_in=parsed.text(tags.BURNED_IN_ANNOTATION) == "YES",
    )


def _frames(parsed: Parsed) -> int:
    numbers = parsed.numbers(tags.NUMBER_OF_FRAMES) or [1.0]
    if not numbers[0].is_integer():
        raise DecodeError(f"{parsed.path}: {tag_name(tags.NUMBER_OF_FRAMES)} is {numbers[0]:g}, expected a whole number.")
    return int(numbers[0])


def _sex(text: str) -> str:
    return text if text in _SEXES else ""


def _age(text: str) -> float | None:
    """An Age String (PS3.5 6.2: ``045Y``, ``018M``) in years; anything else is unknown, never guessed."""
    match = _AGE.fullmatch(text)
    return int(match[1]) * _YEARS[match[2]] if match else None


def _spacing(parsed: Parsed) -> tuple[tuple[float, float] | None, str]:
    """Pixel Spacing before Imager Pixel Spacing; the latter is at the detector, not in the patient (PS3.3 10.7.1.3)."""
    for tag, name in ((tags.PIXEL_SPACING, "PixelSpacing"), (tags.IMAGER_PIXEL_SPACING, "ImagerPixelSpacing")):
        try:
            values = parsed.numbers(tag)
        except DicomError:
            continue
        if len(values) == 2 and min(values) > 0:
            return (values[0], values[1]), name
    return None, ""
