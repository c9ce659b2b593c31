"""Saliency maps as DICOM in the study of the image they explain: Secondary Capture, presentation state, parametric map.

They belong to the patient's study, so they carry what ties them to it: the Patient, General Study and Patient Study modules of
the source (name and identifiers among them), and nothing more of its text. highdicom (MIT) writes them: Secondary Capture
(PS3.3 A.8), Grayscale Softcopy Presentation State (A.33.1), and for CT a Parametric Map (A.75) with the raw values.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

import medclassify
from medclassify.dicom.opening import open_image
from medclassify.dicom.quiet import pydicom_warnings
from medclassify.dicom.sniff import SNIFF_BYTES, Kind, sniff
from medclassify.errors import DecodeError, UnsupportedImageError
from medclassify.runs import atomic_path

_MAKER, _PRODUCT = "medclassify", "medclassify explain"
_SERIES = {"sc": 9001, "pr": 9002, "pm": 9003}
_PLANE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID")
_MOST_POINTS = 400  # of one contour
_MOST_CONTOURS = 30


@dataclass(frozen=True, slots=True, eq=False)
class SaliencyPicture:
    """One map and what is said of it.

    Attributes:
        finding: The finding.
        method: The saliency method.
        raw: float32 (rows, columns) of the source, signed.
        limit: The reference limit; contours are drawn at half of it.
        overlay: uint8 (h, w, 3), the image with the map over it.
        text: One line that goes with the contours: call and sanity verdict. Never a name.
        model: SHA-256 of the model's weights.
    """

    finding: str
    method: str
    raw: NDArray[np.float32]
    limit: float
    overlay: NDArray[np.uint8]
    text: str
    model: str


def write_saliency(source: Path | str, stem: Path, picture: SaliencyPicture) -> list[Path]:
    """Writes a map as DICOM objects in its source's study; each file is whole or not there.

    Args:
        source: The DICOM file that the map explains.
        stem: Where to; ``.sc.dcm`` (Secondary Capture), ``.pr.dcm`` (presentation state with contours) and, for CT slices that
            say where they lie, ``.pm.dcm`` (Parametric Map) are added.
        picture: The map.

    Returns:
        The files.

    Raises:
        UnsupportedImageError: The source is no DICOM, and so has no study; or it lacks what ties an object to one.
        DecodeError: The source is damaged.
        StorageError: The disk is full, read-only or not there.
    """
    reference = _read(source)
    with pydicom_warnings("ignore"):
        objects = {"sc": _capture(reference, picture), "pr": _presentation(reference, picture)}
        if reference.Modality == "CT" and all(name in reference for name in _PLANE):
            objects["pm"] = _parametric_map(reference, picture)
    written = []
    for kind, made in objects.items():
        path = stem.with_name(f"{stem.name}.{kind}.dcm")
        with atomic_path(path) as temporary, pydicom_warnings("ignore"):
            made.save_as(temporary, enforce_file_format=True)
        written.append(path)
    return written


def _read(source: Path | str) -> Dataset:
    with open_image(source) as handle:
        kind = sniff(handle.read(SNIFF_BYTES))
        if kind not in (Kind.DICOM, Kind.HEADERLESS):
            raise UnsupportedImageError(f"{source}: not DICOM, so there is no study that a map could join. Leave out --dicom.")
        handle.seek(0)
        try:
            with pydicom_warnings("ignore"):
                dataset = dcmread(handle, stop_before_pixels=True, force=True)
                dataset.decode()
        except Exception as error:
            raise DecodeError(f"{source}: the header cannot be read ({error}). Export the image again.") from error
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality", "Rows", "Columns"):
        if not dataset.get(name):
            raise UnsupportedImageError(f"{source}: no {name}, so a map cannot join its study. Leave out --dicom.")
    # Type 2 in the source's own modules: highdicom takes them for granted.
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"):
        if name not in dataset:
            setattr(dataset, name, "")
    for name in ("StudyTime", "ReferringPhysicianName"):
        if name not in dataset:
            setattr(dataset, name, "")
    return dataset


def _series(kind: str, reference: Dataset) -> dict[str, Any]:
    """What places an object: a series of its own for each image and kind."""
    return {
        "series_instance_uid": uid.generate_uid(prefix=None),
        "series_number": _SERIES[kind],
        "sop_instance_uid": uid.generate_uid(prefix=None),
        "instance_number": 1,
        "manufacturer": _MAKER,
    }


def _capture(reference: Dataset, picture: SaliencyPicture) -> Dataset:
    from highdicom.sc import SCImage

    orientation = tuple(reference.get("PatientOrientation") or ())
    made = SCImage.from_ref_dataset(
        reference,
        pixel_array=np.ascontiguousarray(picture.overlay),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=orientation if len(orientation) == 2 and all(orientation) else ("L", "F"),
        transfer_syntax_uid=uid.ExplicitVRLittleEndian,
        **_series("sc", reference),
    )
    made.BurnedInAnnotation = "NO"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.DerivationDescription = f"{picture.method} of {picture.finding}, colour at half cover over the image"[:1024]
    made.SourceImageSequence = [_source(reference)]
    _describe(made, reference, picture, "overlay")
    return made


def _presentation(reference: Dataset, picture: SaliencyPicture) -> Dataset:
    from highdicom.pr import (
        AnnotationUnitsValues,
        GraphicAnnotation,
        GraphicLayer,
        GraphicObject,
        GraphicTypeValues,
        GrayscaleSoftcopyPresentationState,
        TextObject,
    )

    layer = GraphicLayer("SALIENCY", order=1, description=f"{picture.method} of {picture.finding}"[:64])
    contours = [
        GraphicObject(graphic_type=GraphicTypeValues.POLYLINE, graphic_data=points, units=AnnotationUnitsValues.PIXEL)
        for points in _contours(picture)
    ]
    box = (0.0, 0.0, float(reference.Columns), max(1.0, 0.06 * reference.Rows))
    text = TextObject(text_value=picture.text[:1024], units=AnnotationUnitsValues.PIXEL, bounding_box=box)
    made = GrayscaleSoftcopyPresentationState(
        referenced_images=[reference],
        manufacturer_model_name=_PRODUCT,
        software_versions=medclassify.__version__,
        device_serial_number=picture.model[:16],
        content_label="SALIENCY",
        content_description=f"{picture.method} of {picture.finding}"[:64],
        graphic_annotations=[GraphicAnnotation([reference], layer, graphic_objects=contours or None, text_objects=[text])],
        graphic_layers=[layer],
        **_series("pr", reference),
    )
    _describe(made, reference, picture, "contours")
    return made


def _parametric_map(reference: Dataset, picture: SaliencyPicture) -> Dataset:
    from highdicom.pm import ParametricMap, RealWorldValueMapping

    low, high = float(picture.raw.min()), float(picture.raw.max())
    mapping = RealWorldValueMapping(
        lut_label="SALIENCY",
        lut_explanation=f"{picture.method} of {picture.finding}"[:64],
        unit=codes.UCUM.NoUnits,
        value_range=(low, max(high, np.nextafter(low, np.inf))),
        slope=1.0,
        intercept=0.0,
    )
    made = ParametricMap(
        source_images=[reference],
        pixel_array=picture.raw[None].astype(np.float32),
        manufacturer_model_name=_PRODUCT,
        software_versions=medclassify.__version__,
        device_serial_number=picture.model[:16],
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        window_center=picture.limit / 2,
        window_width=max(abs(picture.limit), 1e-6),
        **_series("pm", reference),
    )
    _describe(made, reference, picture, "raw values")
    return made


def _describe(made: Dataset, reference: Dataset, picture: SaliencyPicture, what: str) -> None:
    made.SeriesDescription = f"NOT FOR DIAGNOSIS: saliency {what}, {picture.finding}, {picture.method}"[:64]
    made.SoftwareVersions = medclassify.__version__
    made.BodyPartExamined = reference.get("BodyPartExamined") or "CHEST"  # without it Laterality (type 2C) would be asked for
    if reference.get("Laterality"):
        made.Laterality = reference.Laterality


def _source(reference: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.SOPClassUID, reference.SOPInstanceUID
    return item


def _contours(picture: SaliencyPicture) -> list[NDArray[np.float64]]:
    """Closed outlines (n, 2) of column and row, from the corner of the first pixel (PS3.3 C.10.5.1.2), the largest first."""
    if picture.limit <= 0:
        return []
    hot = (picture.raw >= picture.limit / 2).astype(np.uint8)
    found, _ = cv2.findContours(hot, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outlines = []
    for contour in sorted(found, key=cv2.contourArea, reverse=True)[:_MOST_CONTOURS]:
        points = contour[:: max(1, -(-len(contour) // _MOST_POINTS)), 0].astype(np.float64) + 0.5
        if len(points) >= 3:
            outlines.append(np.concatenate([points, points[:1]]))
    return outlines
