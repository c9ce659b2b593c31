"""Where the slices of a file lie in the patient (PS3.3 C.7.6.2; in enhanced objects C.7.6.16.2)."""

import math
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from medclassify.dicom.header import parsed_header
from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import parse, read_head, require_whole
from medclassify.dicom.quiet import pydicom_warnings
from medclassify.dicom.sniff import Kind
from medclassify.errors import DecodeError, UnsupportedImageError
from medclassify.records import InstanceHeader, SliceGeometry

_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_TOP_LEVEL = (
    "ImageType",
    "ConvolutionKernel",
    "AcquisitionNumber",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "GantryDetectorTilt",
    _SHARED,
    _PER_FRAME,
)
# Functional group macros and what is looked for in each: PS3.3 C.7.6.16.2 and, for CT, C.8.15.3.
_MACROS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex", "FrameAcquisitionNumber"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    "CTAcquisitionDetailsSequence": ("GantryDetectorTilt",),
}
_FARTHEST = 1e6  # mm; no scanner is a kilometre long
_SLOPPY = 0.01  # directions are often written with few digits; beyond this they are something else
_Found = dict[str, Any]


def read_slice_geometry(path: Path | str) -> tuple[SliceGeometry, ...]:
    """Reads where each slice of a file lies; no pixel is decoded.

    Args:
        path: A DICOM file: one slice, or an enhanced multi-frame object.

    Returns:
        One record a frame, in the file's order.

    Raises:
        UnsupportedImageError: The file does not say where it lies: a picture, a report page, a plain radiograph.
        DicomError: The file is not an image, or is damaged.
    """
    with open_image(path) as handle:
        kind, head = read_head(handle, str(path))
        if kind in (Kind.PNG, Kind.JPEG):
            raise UnsupportedImageError(
                f"{path}: a {kind} picture does not say where it lies. A series is made of DICOM files."
            )
        parsed = parse(handle, str(path), kind, head)
        header = parsed_header(parsed)
        require_whole(parsed)
        try:
            with pydicom_warnings("ignore"):
                dataset = _dataset(handle, parsed.inflated, headerless=kind is Kind.HEADERLESS)
                found = _frames(dataset)
        except Exception as error:  # pydicom raises nearly everything on damaged files; its message may quote the header
            raise DecodeError(f"{path}: the header is damaged ({type(error).__name__}). Export the image again.") from error
    enhanced = _PER_FRAME in dataset
    if enhanced and len(found) != header.frames:
        raise DecodeError(
            f"{path}: {header.frames} frames (0028,0008), but (5200,9230) describes {len(found)}. Export the series again."
        )
    if not enhanced and header.frames != 1:
        raise UnsupportedImageError(
            f"{path}: {header.frames} frames without Per-frame Functional Groups (5200,9230), so where each lies is not known. "
            "Export it as an enhanced object or as single slices."
        )
    return tuple(_slice(header, frame, values, enhanced=enhanced) for frame, values in enumerate(found))


def _dataset(handle: BinaryIO, inflated: bytes | None, *, headerless: bool) -> Dataset:
    if inflated is not None:
        return read_dataset(BytesIO(inflated), False, True, stop_when=lambda tag, vr, length: tag.group >= 0x7FE0)
    handle.seek(0)
    return dcmread(handle, stop_before_pixels=True, force=headerless, specific_tags=list(_TOP_LEVEL))


def _frames(dataset: Dataset) -> list[_Found]:
    """What is written of each frame: at the top, over it the shared groups, over these the frame's own."""
    top = _values(dataset, [name for name in _TOP_LEVEL if name not in (_SHARED, _PER_FRAME)])
    shared = top | _groups(dataset.get(_SHARED) or ())
    return [shared | _groups([item]) for item in dataset[_PER_FRAME].value] if _PER_FRAME in dataset else [shared]


def _groups(items: Iterable[Dataset]) -> _Found:
    found: _Found = {}
    for group in items:
        for macro, names in _MACROS.items():
            for item in group[macro].value[:1] if macro in group else ():
                found |= _values(item, names)
    return found


def _values(dataset: Dataset, names: Iterable[str]) -> _Found:
    """The values that can be read: a malformed one is as good as absent."""
    found: _Found = {}
    for name in names:
        try:
            if name in dataset:
                found[name] = dataset[name].value
        except Exception:  # pydicom raises nearly everything on a malformed value
            continue
    return found


def _slice(header: InstanceHeader, frame: int, found: _Found, *, enhanced: bool) -> SliceGeometry:
    where = f"{header.path}: frame {frame}" if enhanced else header.path
    position = _numbers(found, "ImagePositionPatient", 3)
    if position is None or max(map(abs, position)) > _FARTHEST:
        raise UnsupportedImageError(
            f"{where}: no usable Image Position (Patient) (0020,0032), so its place in the stack is not known."
        )
    row, column = _directions(_numbers(found, "ImageOrientationPatient", 6), where)
    spacing = _numbers(found, "PixelSpacing", 2)
    if spacing is None or not 0 < min(spacing) <= max(spacing) < _FARTHEST:
        raise UnsupportedImageError(f"{where}: no usable Pixel Spacing (0028,0030), so its size is not known.")
    thickness = _numbers(found, "SliceThickness", 1)
    tilt = _numbers(found, "GantryDetectorTilt", 1)
    acquisition = [_text(found, name) for name in ("StackID", "TemporalPositionIndex", "FrameAcquisitionNumber")]
    return SliceGeometry(
        path=header.path,
        frame=frame if enhanced else None,
        sop_uid=header.sop_uid,
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        frame_of_reference_uid=_text(found, "FrameOfReferenceUID"),
        patient_key=header.patient_key,
        modality=header.modality,
        image_type=tuple(_text(found, "FrameType" if "FrameType" in found else "ImageType").split("\\")),
        kernel=_text(found, "ConvolutionKernel"),
        acquisition="/".join(acquisition) if enhanced else _text(found, "AcquisitionNumber"),
        rows=header.rows,
        columns=header.columns,
        spacing_mm=(spacing[0], spacing[1]),
        position=(position[0], position[1], position[2]),
        row_direction=row,
        column_direction=column,
        thickness_mm=thickness[0] if thickness and thickness[0] > 0 else None,
        tilt_degrees=tilt[0] if tilt else None,
    )


def _directions(six: Sequence[float] | None, where: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The two halves of Image Orientation (Patient) as exact unit vectors at a right angle."""
    if six is not None:
        row, column = np.array(six[:3]), np.array(six[3:])
        lengths = np.linalg.norm(row), np.linalg.norm(column)
        if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) <= _SLOPPY:
            row = row / lengths[0]
            column = column - (column @ row) * row
            column /= np.linalg.norm(column)
            return (row[0].item(), row[1].item(), row[2].item()), (column[0].item(), column[1].item(), column[2].item())
    raise UnsupportedImageError(
        f"{where}: Image Orientation (Patient) (0020,0037) is not two unit vectors at a right angle, so its plane is not known."
    )


def _numbers(found: _Found, name: str, count: int) -> list[float] | None:
    """Exactly ``count`` finite numbers, else None."""
    value: Any = found.get(name)
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    try:
        numbers = [float(part) for part in values]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _text(found: _Found, name: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    return "\\".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
