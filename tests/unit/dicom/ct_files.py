"""CT slices and enhanced CT objects written for a test: right by default, wrong where told."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

ROWS, COLUMNS = 12, 10
AXIAL = (1.0, 0, 0, 0, 1, 0)
CORONAL = (1.0, 0, 0, 0, 0, -1)


def _dataset(sop_class: str, sop: str, series: str, attributes: dict[str, Any]) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, sop
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "2.25.10", series, "2.25.11"
    ds.Modality = "CT"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.AccessionNumber = "CANARY^A", "p1", "19010101", "CANARY1"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _save(ds: Dataset, path: Path, syntax: str = uid.ExplicitVRLittleEndian) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def write_slice(
    path: Path,
    position: Sequence[float] | None,
    *,
    hu: np.ndarray | float = 0,
    series: str = "2.25.3",
    syntax: str = uid.ExplicitVRLittleEndian,
    **attributes: Any,
) -> Path:
    """Writes one slice; its stored values are HU + 1024. An attribute of None is left out."""
    stored = np.broadcast_to(np.asarray(hu) + 1024, hu.shape if isinstance(hu, np.ndarray) else (ROWS, COLUMNS)).astype("<i2")
    ds = _dataset(uid.CTImageStorage, f"2.25.{int.from_bytes(path.name.encode()[-12:], 'big')}", series, {})
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
    ds.PixelSpacing, ds.SliceThickness, ds.ImageOrientationPatient = [0.5, 0.75], 5, list(AXIAL)
    ds.Rows, ds.Columns = stored.shape
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"
    if position is not None:
        ds.ImagePositionPatient = [f"{value:.6g}" for value in position]
    for keyword, value in attributes.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return _save(ds, path, syntax)


def write_stack(
    folder: Path, heights: Iterable[float], *, name: str = "s", shear: tuple[float, float] = (0, 0), **attributes: Any
) -> list[Path]:
    """Writes axial slices at these z; HU is 10 times the place in the list, and Instance Number says the opposite order.

    ``shear`` moves a slice in plane, in mm for each mm of z.
    """
    heights = list(heights)
    return [
        write_slice(
            folder / f"{name}{index:03d}.dcm",
            (-100 + shear[0] * z, -80 + shear[1] * z, z),
            **{"hu": 10.0 * index, "InstanceNumber": len(heights) - index} | attributes,
        )
        for index, z in enumerate(heights)
    ]


def write_enhanced(
    path: Path,
    heights: Sequence[float],
    *,
    shared: dict[str, dict[str, Any]] | None = None,
    own: Sequence[dict[str, dict[str, Any]]] | None = None,
    described: int | None = None,
    **attributes: Any,
) -> Path:
    """Writes an Enhanced CT object, one frame a height; frame k holds 10·k HU at a rescale of its own.

    Args:
        path: The file.
        heights: z of each frame.
        shared: Macros (sequence keyword to attributes) over those of the shared group.
        own: The same for each frame's own.
        described: How many frames the per-frame group describes.
        attributes: Top-level attributes.
    """
    ds = _dataset(uid.EnhancedCTImageStorage, "2.25.77", "2.25.4", attributes)
    ds.NumberOfFrames, ds.Rows, ds.Columns = len(heights), ROWS, COLUMNS
    ds.SharedFunctionalGroupsSequence = [
        _group(
            {
                "PixelMeasuresSequence": {"PixelSpacing": [0.5, 0.75], "SliceThickness": 5},
                "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
                "CTImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]},
                "CTReconstructionSequence": {"ConvolutionKernel": "SOFT"},
            }
            | (shared or {})
        )
    ]
    frames = []
    for index, z in enumerate(heights[:described]):
        macros: dict[str, dict[str, Any]] = {
            "PlanePositionSequence": {"ImagePositionPatient": [-100, -80, z]},
            "PixelValueTransformationSequence": {"RescaleSlope": 1, "RescaleIntercept": -1024 - index, "RescaleType": "HU"},
            "FrameContentSequence": {"StackID": "1", "InStackPositionNumber": index + 1},
        }
        frames.append(_group(macros | (own[index] if own else {})))
    ds.PerFrameFunctionalGroupsSequence = frames
    stored = [np.full((ROWS, COLUMNS), 10 * index + 1024 + index, "<i2") for index in range(len(heights))]
    ds.PixelData = b"".join(frame.tobytes() for frame in stored)
    ds["PixelData"].VR = "OW"
    return _save(ds, path)


def _group(macros: dict[str, dict[str, Any]]) -> Dataset:
    group = Dataset()
    for macro, attributes in macros.items():
        item = Dataset()
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
        setattr(group, macro, [item] if attributes else [])
    return group
