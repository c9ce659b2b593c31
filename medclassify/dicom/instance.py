"""The facts that a new radiograph is written with."""

from dataclasses import dataclass
from typing import Literal

from medclassify.dicom.encode import Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """What to write into the header of a new radiograph. UIDs that are left out are drawn anew.

    Attributes:
        modality: ``CR`` or ``DX``; it chooses the SOP class.
        photometric: ``MONOCHROME2`` (the lowest value is black) or ``MONOCHROME1`` (the lowest value is white).
        bits_stored: Bits of a stored value, 1 to 8 for uint8 pixels, 9 to 16 for uint16.
        transfer_syntax: How the pixels are encoded; all but ``jpeg-baseline`` are exact.
        patient_id: Patient ID (0010,0020).
        patient_name: Patient's Name (0010,0010).
        birth_date: Patient's Birth Date (0010,0030), ``YYYYMMDD`` or empty.
        accession: Accession Number (0008,0050).
        sex: ``F``, ``M``, ``O`` or empty.
        age_years: Whole years, or None to leave the attribute out.
        study_date: ``YYYYMMDD`` or empty.
        view: View Position (0018,5101): ``PA``, ``AP``, ``LL`` or empty.
        site: Institution Name (0008,0080).
        manufacturer: Manufacturer (0008,0070).
        model_name: Manufacturer's Model Name (0008,1090).
        series_description: Series Description (0008,103E).
        body_part: Body Part Examined (0018,0015).
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        sop_uid: SOP Instance UID (0008,0018).
        instance_number: Instance Number (0020,0013).
        window_center: Window Center (0028,1050), in values after the rescale; with ``window_width``, else neither.
        window_width: Window Width (0028,1051).
        rescale_slope: Rescale Slope (0028,1053); a DX always has one, 1 where None.
        rescale_intercept: Rescale Intercept (0028,1052); a DX always has one, 0 where None.
        spacing_mm: (row, column) Imager Pixel Spacing (0018,1164) in mm, or None.
        kvp: Peak kilovoltage (0018,0060), or None.
        exposure_mas: Exposure in mAs (0018,1152 and 0018,1153), or None.
    """

    modality: Literal["CR", "DX"] = "DX"
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"
    bits_stored: int = 12
    transfer_syntax: Encoding = "explicit"
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    accession: str = ""
    sex: str = ""
    age_years: int | None = None
    study_date: str = ""
    view: str = ""
    site: str = ""
    manufacturer: str = ""
    model_name: str = ""
    series_description: str = ""
    body_part: str = "CHEST"
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""
    instance_number: int = 1
    window_center: float | None = None
    window_width: float | None = None
    rescale_slope: float | None = None
    rescale_intercept: float | None = None
    spacing_mm: tuple[float, float] | None = None
    kvp: float | None = None
    exposure_mas: float | None = None
