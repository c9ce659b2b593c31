"""Writes CT slices as DICOM: for the demonstration data and for tests (PS3.3 A.3, CT Image; C.7.6.2, Image Plane; C.8.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

from medclassify.dicom.encode import encode_pixels
from medclassify.errors import UnsupportedImageError
from medclassify.runs import atomic_path

_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSlice:
    """What to write into the header of a new CT slice.

    Attributes:
        sop_uid: SOP Instance UID (0008,0018).
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        frame_of_reference_uid: Frame of Reference UID (0020,0052).
        instance_number: Instance Number (0020,0013).
        image_type: Third value of Image Type (0008,0008): ``AXIAL`` or ``LOCALIZER``.
        position: Image Position (Patient) (0020,0032): centre of the first pixel, mm, LPS.
        orientation: Image Orientation (Patient) (0020,0037).
        spacing_mm: (row, column) Pixel Spacing (0028,0030).
        thickness_mm: Slice Thickness (0018,0050).
        tilt_degrees: Gantry/Detector Tilt (0018,1120).
        intercept: Rescale Intercept (0028,1052); the slope is 1.
        padding: Pixel Padding Value (0028,0120), or None.
        window: Window Center and Width (0028,1050), (0028,1051), HU.
        bits_stored: Bits of a stored value, 12 or 16.
        transfer_syntax: How the pixels are encoded, exactly.
        patient_id: Patient ID (0010,0020).
        patient_name: Patient's Name (0010,0010).
        birth_date: ``YYYYMMDD``.
        accession: Accession Number (0008,0050).
        sex: ``F``, ``M``, ``O`` or empty.
        age_years: Whole years.
        study_date: ``YYYYMMDD``.
        site: Institution Name (0008,0080).
        manufacturer: Manufacturer (0008,0070).
        model_name: Manufacturer's Model Name (0008,1090).
        kernel: Convolution Kernel (0018,1210).
        body_part: Body Part Examined (0018,0015).
        series_description: Series Description (0008,103E).
    """

    sop_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    instance_number: int
    position: tuple[float, float, float]
    spacing_mm: tuple[float, float]
    thickness_mm: float
    image_type: Literal["AXIAL", "LOCALIZER"] = "AXIAL"
    orientation: Sequence[float] = _AXIAL
    tilt_degrees: float = 0.0
    intercept: int = -1024
    padding: int | None = None
    window: tuple[float, float] = (40.0, 80.0)
    bits_stored: Literal[12, 16] = 16
    transfer_syntax: Literal["explicit", "implicit", "rle", "jpeg-ls"] = "explicit"
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    accession: str = ""
    sex: str = ""
    age_years: int = 0
    study_date: str = ""
    site: str = ""
    manufacturer: str = ""
    model_name: str = ""
    kernel: str = ""
    body_part: str = "HEAD"
    series_description: str = ""


def write_slice(path: Path | str, pixels: NDArray[np.int16], facts: NewSlice) -> None:
    """Writes one slice as a CT Image; the file is whole or not there.

    Args:
        path: The file to write; its folder is made.
        pixels: int16 (H, W), stored values: HU minus the intercept. Signed, whatever the bits.
        facts: The header.

    Raises:
        UnsupportedImageError: The pixels are not int16 (H, W), or do not fit the bits.
        StorageError: The disk is full, read-only or not there.
    """
    low, high = -(1 << (facts.bits_stored - 1)), (1 << (facts.bits_stored - 1)) - 1
    if pixels.ndim != 2 or pixels.dtype != np.int16 or not pixels.size:
        raise UnsupportedImageError(f"pixels must be int16 (H, W), received {pixels.dtype} {pixels.shape}.")
    if pixels.min() < low or pixels.max() > high:
        raise UnsupportedImageError(
            f"pixels reach {int(pixels.min())} to {int(pixels.max())}, which {facts.bits_stored} signed bits cannot hold: clip "
            "them, or raise bits_stored."
        )
    # two's complement of the bits that are stored; what lies above them is 0 (PS3.5 section 8.1.1)
    stored = pixels.view(np.uint16) & np.uint16((1 << facts.bits_stored) - 1)
    syntax, data, compressed = encode_pixels(stored, facts.bits_stored, facts.transfer_syntax)
    header = _header(facts, syntax)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = pixels.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, facts.bits_stored, facts.bits_stored - 1
    header.PixelRepresentation = 1
    if facts.padding is not None:
        header.add_new("PixelPaddingValue", "SS", facts.padding)
    header.PixelData = encapsulate([data]) if compressed else data
    header["PixelData"].VR = "OB" if compressed else "OW"
    header["PixelData"].is_undefined_length = compressed
    with atomic_path(path) as temporary:
        header.save_as(temporary, enforce_file_format=True)


def _header(facts: NewSlice, syntax: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = uid.CTImageStorage, uid.UID(facts.sop_uid)
    meta.TransferSyntaxUID = uid.UID(syntax)
    header = FileDataset("", {}, file_meta=meta, preamble=b"\x00" * 128)
    header.SpecificCharacterSet = "ISO_IR 192"
    header.ImageType = ["ORIGINAL", "PRIMARY", facts.image_type]
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.StudyDate, header.StudyTime, header.AccessionNumber = facts.study_date, "", facts.accession
    header.Modality, header.Manufacturer, header.InstitutionName = "CT", facts.manufacturer, facts.site
    header.ReferringPhysicianName, header.SeriesDescription = "", facts.series_description
    header.ManufacturerModelName = facts.model_name
    header.PatientName, header.PatientID, header.PatientBirthDate = facts.patient_name, facts.patient_id, facts.birth_date
    header.PatientSex, header.PatientAge = facts.sex, f"{facts.age_years:03d}Y"
    header.BodyPartExamined, header.KVP = facts.body_part, "120"
    header.SliceThickness, header.GantryDetectorTilt = f"{facts.thickness_mm:.6g}", f"{facts.tilt_degrees:.6g}"
    header.ConvolutionKernel, header.PatientPosition = facts.kernel, "HFS"
    header.StudyInstanceUID, header.SeriesInstanceUID = facts.study_uid, facts.series_uid
    header.StudyID, header.SeriesNumber, header.AcquisitionNumber = "", 2, 1
    header.InstanceNumber, header.FrameOfReferenceUID = facts.instance_number, facts.frame_of_reference_uid
    header.ImagePositionPatient = [f"{value:.6f}" for value in facts.position]
    header.ImageOrientationPatient = [f"{value:.8f}" for value in facts.orientation]
    header.PixelSpacing = [f"{value:.8g}" for value in facts.spacing_mm]
    header.PositionReferenceIndicator = ""
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = f"{facts.intercept}", "1", "HU"
    header.WindowCenter, header.WindowWidth = (f"{value:.6g}" for value in facts.window)
    header.BurnedInAnnotation = "NO"
    return header
