"""An image and what is known about it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Units(StrEnum):
    """What a pixel value means."""

    HU = "HU"
    """Hounsfield units (CT after rescale)."""
    DISPLAY = "display"
    """0 (black) to 1 (white) after VOI and polarity: dense tissue is bright on a radiograph."""
    STORED = "stored"
    """Values after the modality LUT, before VOI and polarity; the unit is the detector's own."""


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What a file's header says, before any pixel is decoded. It stays in memory: it names the patient.

    Attributes:
        path: The file, as given.
        sop_uid: SOP Instance UID (0008,0018); empty for PNG and JPEG, as are the other UIDs.
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        patient_key: Patient ID (0010,0020) as written; never stored: see ``manifest.PatientHasher``.
        modality: Modality (0008,0060), e.g. ``CR``, ``DX``, ``CT``; empty where absent.
        photometric: Photometric Interpretation (0028,0004).
        rows: Rows (0028,0010), pixels.
        columns: Columns (0028,0011), pixels.
        frames: Number of Frames (0028,0008), 1 where absent.
        bits_stored: Bits Stored (0028,0101).
        transfer_syntax: Transfer Syntax UID (0002,0010).
        spacing_mm: (row, column) spacing in mm, or None.
        spacing_source: The attribute the spacing came from (``PixelSpacing`` or ``ImagerPixelSpacing``), or "".
        view: View Position (0018,5101), e.g. ``PA``; empty where absent.
        laterality: Image Laterality (0020,0062), else Laterality (0020,0060).
        site: Institution Name (0008,0080).
        manufacturer: Manufacturer (0008,0070).
        sex: Patient's Sex (0010,0040): ``F``, ``M``, ``O`` or empty.
        age_years: Patient's Age (0010,1010) in years, or None.
        burned_in: Burned In Annotation (0028,0301) is ``YES``.
    """

    path: str
    sop_uid: str
    study_uid: str
    series_uid: str
    patient_key: str
    modality: str
    photometric: str
    rows: int
    columns: int
    frames: int
    bits_stored: int
    transfer_syntax: str
    spacing_mm: tuple[float, float] | None
    spacing_source: str
    view: str
    laterality: str
    site: str
    manufacturer: str
    sex: str
    age_years: float | None
    burned_in: bool


@dataclass(frozen=True, slots=True, eq=False)
class DicomImage:
    """One decoded image.

    Attributes:
        pixels: float32 (H, W), in ``units``.
        units: What the values mean.
        header: The file's header.
        applied: What was done to the stored values, in order, in words
            (``"rescale slope=0.5 intercept=0"``, ``"window 2048/1800 LINEAR"``, ``"inverted (MONOCHROME1)"``).
        warnings: What a person should know about this image (constant, no window, burned-in annotation).
    """

    pixels: NDArray[np.float32]
    units: Units
    header: InstanceHeader
    applied: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ViewWindow:
    """One way to make an image grey, before its polarity.

    Attributes:
        name: What a reader is offered it as.
        low: The value that becomes 0.
        high: The value that becomes 1.
        curve: float32 (N,) in [0, 1]: the grey of N values evenly spaced from ``low`` to ``high``; None for a straight line.
    """

    name: str
    low: float
    high: float
    curve: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ViewImage:
    """One image before its window, with everything that makes grey of it.

    Grey is the window's, then ``1 − grey`` where ``inverted``, then 0 where there is padding: what ``read_image`` gives.

    Attributes:
        pixels: float32 (H, W), in ``units``; padding holds the darkest valid value.
        units: ``Units.HU`` or ``Units.STORED``.
        header: The file's header.
        inverted: Whether low values are bright.
        padding: bool (H, W), True where a pixel is padding; or None.
        windows: What a viewer may offer; the first is what ``window="voi"`` does.
        applied: What was done to the stored values, in words; the polarity is in it, a window is not.
        warnings: What a person should know about this image.
    """

    pixels: NDArray[np.float32]
    units: Units
    header: InstanceHeader
    inverted: bool
    padding: NDArray[np.bool_] | None
    windows: tuple[ViewWindow, ...]
    applied: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreparedGeometry:
    """Where an original image lies inside its square prepared image.

    The original (rows × columns) was scaled to (height × width) and placed with its upper left corner at (top, left) of
    a size × size square; the rest is padding. All in pixels.
    """

    rows: int
    columns: int
    size: int
    top: int
    left: int
    height: int
    width: int
