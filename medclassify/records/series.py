"""Slices in space, and the stacks they make."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medclassify.records.image import Units

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SliceGeometry:
    """Where one slice lies in the patient. It stays in memory: it names the patient.

    Positions and directions are patient coordinates as DICOM has them: x to the patient's left, y to the back, z to the
    head (LPS), in mm.

    Attributes:
        path: The file, as given.
        frame: Its place in a file of several frames, from 0; None where the file is one image.
        sop_uid: SOP Instance UID (0008,0018).
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        frame_of_reference_uid: Frame of Reference UID (0020,0052), or "".
        patient_key: Patient ID (0010,0020) as written; never stored.
        modality: Modality (0008,0060).
        image_type: Image Type (0008,0008), in an enhanced object the frame's own, Frame Type (0008,9007).
        kernel: Convolution Kernel (0018,1210), or "".
        acquisition: Acquisition Number (0020,0012); in an enhanced object Stack ID (0020,9056), Temporal Position Index
            (0020,9128) and the frame's acquisition number, separated by ``/``. Empty where absent.
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        spacing_mm: (row, column) Pixel Spacing (0028,0030).
        position: Image Position (Patient) (0020,0032): the centre of the first pixel.
        row_direction: Where the column index grows, a unit vector: the first half of Image Orientation (Patient) (0020,0037).
        column_direction: Where the row index grows, a unit vector: the other half.
        thickness_mm: Slice Thickness (0018,0050), or None.
        tilt_degrees: Gantry/Detector Tilt (0018,1120), or None.
    """

    path: str
    frame: int | None
    sop_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    patient_key: str = field(repr=False)
    modality: str
    image_type: tuple[str, ...]
    kernel: str
    acquisition: str
    rows: int
    columns: int
    spacing_mm: tuple[float, float]
    position: Vector
    row_direction: Vector
    column_direction: Vector
    thickness_mm: float | None
    tilt_degrees: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """Slices of one orientation, spacing and shape, in order: what becomes one volume.

    Attributes:
        series_uid: Series Instance UID (0020,000E).
        part: Which of the stacks that share this UID, from 0, the largest first.
        parts: How many stacks share this UID.
        slices: In ascending position along the normal (row direction × column direction).
        spacing_mm: (slice, row, column); between slices the usual distance along the normal.
        step_mm: From a slice to the next in patient coordinates; not along the normal where the gantry was tilted.
        tilt_degrees: The angle between step and normal.
        missing: How many slices seem to be missing in gaps.
        even: Whether each slice lies one ``step_mm`` after the one before it, within rounding.
        warnings: What a person should know about this stack.
    """

    series_uid: str
    part: int
    parts: int
    slices: tuple[SliceGeometry, ...]
    spacing_mm: Vector
    step_mm: Vector
    tilt_degrees: float
    missing: int
    even: bool
    warnings: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns) of its volume."""
        return len(self.slices), self.slices[0].rows, self.slices[0].columns

    @property
    def affine(self) -> NDArray[np.float64]:
        """float64 (4, 4): (slice, row, column, 1) to patient coordinates in mm (LPS); PS3.3 C.7.6.2.1.1."""
        first = self.slices[0]
        affine = np.eye(4)
        affine[:3, 0] = self.step_mm
        affine[:3, 1] = np.multiply(first.column_direction, self.spacing_mm[1])
        affine[:3, 2] = np.multiply(first.row_direction, self.spacing_mm[2])
        affine[:3, 3] = first.position
        return affine


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Files that were kept out of every stack, together and for one reason.

    Attributes:
        series_uid: Their Series Instance UID, or "" where it cannot be read.
        paths: The files, each once.
        reason: A short fixed phrase to count by, e.g. ``localizer``, ``two images at one position``.
        detail: One line: what was found, with numbers.
    """

    series_uid: str
    paths: tuple[str, ...]
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class DicomVolume:
    """The pixels of a series.

    Attributes:
        pixels: float32 (D, H, W), in ``units``; slice by slice in the order of ``series.slices``.
        units: What the values mean; ``Units.HU`` for a CT.
        spacing_mm: (slice, row, column), in mm.
        affine: float64 (4, 4): (slice, row, column, 1) to patient coordinates in mm (LPS).
        series: Where each slice lies.
        applied: What was done to the stored values, in order.
        warnings: What a person should know: those of the series, then those of its slices.
    """

    pixels: NDArray[np.float32]
    units: Units
    spacing_mm: Vector
    affine: NDArray[np.float64]
    series: Series
    applied: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DicomDirectory:
    """What a DICOMDIR lists.

    Attributes:
        images: The images it names that are there, each once, in its order.
        missing: The images it names that are not there, as paths.
        warnings: What was passed over: records of other kinds, and names that lead out of its folder.
    """

    images: tuple[Path, ...]
    missing: tuple[Path, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SliceWeights:
    """What a model makes of the L slices of one series, for K findings.

    Attributes:
        attention: float64 (K, L), how much each slice counts; the weights of a finding add up to 1.
        logits: float64 (L, K), what each slice says.
        series: float64 (K,), the logits of the series: of each finding the sum of weight times logit.
    """

    attention: NDArray[np.float64]
    logits: NDArray[np.float64]
    series: NDArray[np.float64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of each slice its share of the series' logit, float64 (K, L); they add up to the logit."""
        return self.attention * self.logits.T
