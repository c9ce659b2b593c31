"""Writes radiographs as DICOM CR and DX: for the demonstration data and for tests.

Composite modules of PS3.3: Patient, General Study, General Series, General Equipment, Image Pixel, CR Image (C.8.1) or
DX Image and its companions (C.8.11), VOI LUT (C.11.2).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

from medclassify.dicom.encode import encode_pixels
from medclassify.dicom.instance import NewInstance
from medclassify.errors import UnsupportedImageError
from medclassify.runs import atomic_path

_SOP_CLASS = {"CR": uid.ComputedRadiographyImageStorage, "DX": uid.DigitalXRayImageStorageForPresentation}
# SNOMED CT codes of CID 4010 (DX View) and CID 4031 (Common Anatomic Regions).
_VIEW_CODE = {
    "PA": ("272479007", "postero-anterior"),
    "AP": ("399348003", "antero-posterior"),
    "LL": ("399173006", "left lateral"),
}
_CHEST_CODE = ("51185008", "Chest")
_ORIENTATION = {"PA": ["L", "F"], "AP": ["L", "F"], "LL": ["A", "F"]}


def write_image(path: Path | str, pixels: NDArray[np.uint8] | NDArray[np.uint16], instance: NewInstance) -> None:
    """Writes one radiograph as DICOM; the file is whole or not there.

    Args:
        path: The file to write; its folder is made.
        pixels: uint8 or uint16 (H, W), the stored values. They are written as they are: with ``MONOCHROME1`` the caller
            has inverted them already.
        instance: The facts of the header.

    Raises:
        UnsupportedImageError: The pixels do not fit the facts.
        StorageError: The disk is full, read-only or not there.
    """
    _check(pixels, instance)
    syntax, data, compressed = encode_pixels(pixels, instance.bits_stored, instance.transfer_syntax)
    header = _header(instance, syntax)
    _add_pixel_facts(header, pixels, instance)
    if instance.modality == "DX":
        _add_dx_facts(header, instance)
    _add_compression_facts(header, pixels.nbytes / max(len(data), 1), lossy=instance.transfer_syntax == "jpeg-baseline")
    header.PixelData = encapsulate([data]) if compressed else data + b"\x00" * (len(data) % 2)
    header["PixelData"].VR = "OB" if compressed or pixels.itemsize == 1 else "OW"
    header["PixelData"].is_undefined_length = compressed
    with atomic_path(path) as temporary:
        header.save_as(temporary, enforce_file_format=True)


def _check(pixels: NDArray[np.generic], instance: NewInstance) -> None:
    if instance.modality not in _SOP_CLASS:
        raise UnsupportedImageError(f"modality must be CR or DX, received {instance.modality!r}.")
    if instance.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedImageError(f"photometric must be MONOCHROME1 or MONOCHROME2, received {instance.photometric!r}.")
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16) or not pixels.size or max(pixels.shape) > 65535:
        raise UnsupportedImageError(f"pixels must be uint8 or uint16 (H, W), received {pixels.dtype} {pixels.shape}.")
    lowest = 1 if pixels.dtype == np.uint8 else 9
    if not lowest <= instance.bits_stored <= 8 * pixels.itemsize:
        raise UnsupportedImageError(
            f"bits_stored must be {lowest} to {8 * pixels.itemsize} for {pixels.dtype} pixels, received {instance.bits_stored}."
        )
    highest = int(pixels.max())
    if highest >= 1 << instance.bits_stored:
        raise UnsupportedImageError(
            f"pixels reach {highest}, which {instance.bits_stored} bits cannot hold: clip them or raise bits_stored."
        )
    if (instance.window_center is None) != (instance.window_width is None):
        raise UnsupportedImageError(
            f"window_center and window_width go together, received {instance.window_center} and {instance.window_width}."
        )


def _header(instance: NewInstance, syntax: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _SOP_CLASS[instance.modality]
    meta.MediaStorageSOPInstanceUID = uid.UID(instance.sop_uid or uid.generate_uid(prefix=None))
    meta.TransferSyntaxUID = uid.UID(syntax)
    header = FileDataset("", {}, file_meta=meta, preamble=b"\x00" * 128)
    header.SpecificCharacterSet = "ISO_IR 192"
    header.ImageType = ["ORIGINAL", "PRIMARY"] if instance.modality == "CR" else ["ORIGINAL", "PRIMARY", ""]
    header.SOPClassUID = meta.MediaStorageSOPClassUID
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    header.StudyDate = instance.study_date
    header.StudyTime = ""
    header.AccessionNumber = instance.accession
    header.Modality = instance.modality
    header.Manufacturer = instance.manufacturer
    if instance.site:
        header.InstitutionName = instance.site
    header.ReferringPhysicianName = ""
    if instance.series_description:
        header.SeriesDescription = instance.series_description
    if instance.model_name:
        header.ManufacturerModelName = instance.model_name
    header.PatientName = instance.patient_name
    header.PatientID = instance.patient_id
    header.PatientBirthDate = instance.birth_date
    header.PatientSex = instance.sex
    if instance.age_years is not None:
        header.PatientAge = f"{instance.age_years:03d}Y"
    header.BodyPartExamined = instance.body_part
    header.ViewPosition = instance.view
    _add_exposure(header, instance)
    header.StudyInstanceUID = instance.study_uid or uid.generate_uid(prefix=None)
    header.SeriesInstanceUID = instance.series_uid or uid.generate_uid(prefix=None)
    header.StudyID = ""
    header.SeriesNumber = 1
    header.InstanceNumber = instance.instance_number
    header.PatientOrientation = _ORIENTATION.get(instance.view, "")
    return header


def _add_exposure(header: Dataset, instance: NewInstance) -> None:
    if instance.kvp is not None:
        header.KVP = f"{instance.kvp:.10g}"
    if instance.exposure_mas is not None:
        header.Exposure = round(instance.exposure_mas)
        header.ExposureInuAs = round(instance.exposure_mas * 1000)
    if instance.spacing_mm is not None:
        header.ImagerPixelSpacing = [f"{value:.10g}" for value in instance.spacing_mm]


def _add_pixel_facts(header: Dataset, pixels: NDArray[np.generic], instance: NewInstance) -> None:
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = instance.photometric
    header.Rows, header.Columns = pixels.shape
    header.BitsAllocated = 8 * pixels.itemsize
    header.BitsStored = instance.bits_stored
    header.HighBit = instance.bits_stored - 1
    header.PixelRepresentation = 0
    header.BurnedInAnnotation = "NO"
    if instance.window_center is not None and instance.window_width is not None:
        header.WindowCenter = f"{instance.window_center:.10g}"
        header.WindowWidth = f"{instance.window_width:.10g}"
    if instance.modality == "DX" or instance.rescale_slope is not None or instance.rescale_intercept is not None:
        header.RescaleIntercept = f"{instance.rescale_intercept or 0:.10g}"
        header.RescaleSlope = f"{1 if instance.rescale_slope is None else instance.rescale_slope:.10g}"
        header.RescaleType = "US"


def _add_dx_facts(header: Dataset, instance: NewInstance) -> None:
    inverse = instance.photometric == "MONOCHROME1"
    header.PresentationIntentType = "FOR PRESENTATION"
    header.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"  # PS3.3 C.8.11.3: one goes with the other
    header.PixelIntensityRelationship = "LOG"
    header.PixelIntensityRelationshipSign = 1 if inverse else -1
    header.ImageLaterality = "U"
    header.DetectorType = "SCINTILLATOR"
    header.PositionerType = ""
    header.AcquisitionContextSequence = []
    header.AnatomicRegionSequence = [_code(*_CHEST_CODE)]
    if instance.view in _VIEW_CODE:
        view = _code(*_VIEW_CODE[instance.view])
        view.ViewModifierCodeSequence = []
        header.ViewCodeSequence = [view]


def _add_compression_facts(header: Dataset, ratio: float, *, lossy: bool) -> None:
    header.LossyImageCompression = "01" if lossy else "00"
    if lossy:
        header.LossyImageCompressionRatio = f"{ratio:.2f}"
        header.LossyImageCompressionMethod = "ISO_10918_1"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = "SCT"
    item.CodeMeaning = meaning
    return item
