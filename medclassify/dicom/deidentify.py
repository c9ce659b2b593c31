"""A de-identified copy of one image, by the Basic Application Level Confidentiality Profile (PS3.15 annex E)."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence

import medclassify
from medclassify.dicom.codestream import StreamError
from medclassify.dicom.confidentiality import TABLE_EDITION, Confidentiality
from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import MAX_IMAGE_BYTES, read_head
from medclassify.dicom.quiet import pydicom_warnings
from medclassify.dicom.sniff import Kind
from medclassify.dicom.wipe import clear_unused_bits, wipe_jpeg, wipe_jpeg2000
from medclassify.errors import DecodeError, DicomError, UnsupportedImageError
from medclassify.runs import atomic_path

_SHOWS_TEXT = frozenset({"US", "IVUS", "SC", "ES", "GM", "XC", "ECG", "DOC", "OT", "KO", "PR", "SR"})
_CAPTURES = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3")
"""SOP classes of Secondary Capture and Ultrasound, their multi-frame and retired kinds included."""
_SCREEN = re.compile(r"SCREEN ?(SAVE|SHOT|CAPTURE)", re.IGNORECASE)
_JPEG2000 = frozenset(
    {uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
    | {uid.JPEG2000MCLossless, uid.JPEG2000MC}
)
_JPEG = frozenset({*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes})
_RLE = uid.RLELossless
_OVERLAY_BIT_POSITION = 0x0102


@dataclass(frozen=True, slots=True)
class Deidentified:
    """One copy.

    Attributes:
        path: Where it stands.
        study_uid: Its new Study Instance UID; empty where the image had none.
        series_uid: Its new Series Instance UID; likewise.
        sop_uid: Its new SOP Instance UID.
        burned_in_denied: Burned In Annotation (0028,0301) is NO; else nothing is said of text in the pixels.
    """

    path: Path
    study_uid: str
    series_uid: str
    sop_uid: str
    burned_in_denied: bool


def deidentify_image(source: Path | str, folder: Path | str, patient_id: str, new_uid: Callable[[str], str]) -> Deidentified:
    """Writes a de-identified copy of one DICOM file as ``folder/<new study UID>/<new SOP UID>.dcm``, whole or not at all.

    The pixels are the same, bit for bit. Dates and times are removed, private elements, curves and overlays too; text inside a
    compressed stream is blanked.

    Args:
        source: A DICOM file.
        folder: Where to write.
        patient_id: What stands in for Patient ID (0010,0020): a keyed hash.
        new_uid: The new UID of an old one, the same for the same; the copies of a study then belong together.

    Raises:
        UnsupportedImageError: The pixels show text, or may show it, or the image is a picture without a DICOM header: a person
            has to look at it.
        DicomError: The file is damaged.
        StorageError: The disk is full, read-only or not there.
    """
    dataset = _read(str(source))
    if reason := _may_show_text(dataset):
        raise UnsupportedImageError(f"{source}: {reason}. Look at it, and remove the text from the pixels before it is shared.")
    try:
        with pydicom_warnings("ignore"):
            _clean_pixels(dataset)
            _clean(dataset, patient_id, new_uid)
    except StreamError as error:
        raise UnsupportedImageError(f"{source}: Pixel Data (7FE0,0010) {error}, and may hold text. Export it again.") from error
    except DicomError:
        raise
    except Exception as error:  # as in parse: pydicom's own message may quote the header
        raise DecodeError(f"{source}: the header is damaged ({type(error).__name__}). Export the image again.") from error
    study, series, sop = (str(dataset.get(name, "")) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    path = Path(folder) / (study or "no-study") / f"{sop}.dcm"
    with atomic_path(path) as temporary, pydicom_warnings("ignore"):
        dataset.save_as(temporary, enforce_file_format=True)
    return Deidentified(path, study, series, sop, burned_in_denied=_word(dataset, "BurnedInAnnotation") == "NO")


def _read(source: str) -> FileDataset:
    with open_image(source) as handle:
        kind, _ = read_head(handle, source)
        if kind in (Kind.PNG, Kind.JPEG):
            raise UnsupportedImageError(
                f"{source}: a {kind} picture, whose text only a person can see. Leave it out, or remove the text yourself."
            )
        if (size := os.fstat(handle.fileno()).st_size) > 2 * MAX_IMAGE_BYTES:
            raise UnsupportedImageError(f"{source}: {size >> 20} MiB; at most {2 * MAX_IMAGE_BYTES >> 20} are read. Split it.")
        handle.seek(0)
        try:
            with pydicom_warnings("ignore"):
                dataset = dcmread(handle, force=kind is Kind.HEADERLESS)
                _set_syntax(dataset)
        except Exception as error:
            raise DecodeError(f"{source}: the header is damaged ({type(error).__name__}). Export the image again.") from error
    if "SOPInstanceUID" not in dataset or "SOPClassUID" not in dataset:
        raise DecodeError(f"{source}: no SOP Instance UID (0008,0018) or SOP Class UID (0008,0016). Export the image again.")
    return dataset


def _set_syntax(dataset: FileDataset) -> None:
    """Names the encoding of a file without file meta information."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little_endian = dataset.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _may_show_text(dataset: Dataset) -> str:
    """Why the pixels show, or may show, who the patient is; empty where nothing says so."""
    burned_in = _word(dataset, "BurnedInAnnotation")
    if burned_in == "YES":
        return "Burned In Annotation (0028,0301) is YES: the pixels may name the patient"
    if burned_in == "NO":
        return ""
    silent = "and Burned In Annotation (0028,0301) does not say that no text stands in the pixels"
    modality, sop_class = _word(dataset, "Modality"), str(dataset.get("SOPClassUID", ""))
    if modality in _SHOWS_TEXT:
        return f"Modality {modality}, {silent}"
    if any(sop_class == start or sop_class.startswith(f"{start}.") for start in _CAPTURES):
        return f"a screen capture or ultrasound image, {silent}"
    if _word(dataset, "ConversionType") or _SCREEN.search("\\".join(map(str, _many(dataset.get("ImageType", ""))))):
        return f"a converted image or screen shot, {silent}"
    return ""


def _word(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword, "") or "").strip().upper()


def _many(value: object) -> list[object]:
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)  # type: ignore[call-overload]


def _clean_pixels(dataset: FileDataset) -> None:
    if "PixelData" not in dataset:
        return
    element, syntax = dataset["PixelData"], dataset.file_meta.TransferSyntaxUID
    overlaid = _overlay_in_pixels(dataset)
    if not syntax.is_compressed or syntax == uid.DeflatedExplicitVRLittleEndian:
        element.value = _native(dataset, element.value, overlaid=overlaid)
        return
    if overlaid:
        raise StreamError("holds an overlay in the unused bits of compressed values")
    wipe = wipe_jpeg2000 if syntax in _JPEG2000 else wipe_jpeg if syntax in _JPEG else None
    if wipe is None and syntax != _RLE:
        raise StreamError(f"is of transfer syntax {syntax.name[:64]!r}, which is not read")
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    cleaned = [wipe(frame) if wipe else frame for frame in generate_frames(element.value, number_of_frames=frames)]
    element.value = encapsulate(cleaned)
    element.is_undefined_length = True


def _native(dataset: FileDataset, data: bytes, *, overlaid: bool) -> bytes:
    """Native pixel data without what stands after the image or in unused bits."""
    bits, samples = int(dataset.BitsAllocated), int(dataset.get("SamplesPerPixel", 1))
    if _word(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2
    pixels = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.get("NumberOfFrames", 1) or 1)
    length = (pixels * bits + 7) // 8
    if len(data) < length:
        raise DecodeError(
            f"{dataset.filename}: Pixel Data (7FE0,0010) holds {len(data)} bytes, the image needs {length}. Export it again."
        )
    data = data[:length]
    if overlaid:
        if bits not in (8, 16, 32) or int(dataset.HighBit) != int(dataset.BitsStored) - 1:
            raise StreamError(f"holds an overlay, and its High Bit (0028,0102) is {int(dataset.HighBit)}")
        data = clear_unused_bits(
            data,
            bits_allocated=bits,
            bits_stored=int(dataset.BitsStored),
            signed=bool(dataset.get("PixelRepresentation", 0)),
            little_endian=dataset.file_meta.TransferSyntaxUID != uid.ExplicitVRBigEndian,
        )
    return data + bytes(len(data) % 2)


def _overlay_in_pixels(dataset: Dataset) -> bool:
    return any(
        tag.group & 0xFF00 == 0x6000 and tag.element == _OVERLAY_BIT_POSITION and dataset[tag].value != 0
        for tag in list(dataset.keys())
    )


def _clean(dataset: FileDataset, patient_id: str, new_uid: Callable[[str], str]) -> None:
    Confidentiality(new_uid, enhanced="SharedFunctionalGroupsSequence" in dataset).apply(dataset)
    dataset.PatientID = patient_id
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [
        f"PS3.15 {TABLE_EDITION} Basic Profile",
        "Text outside table E.1-1 removed",
        f"medclassify {medclassify.__version__}",
    ]
    dataset.DeidentificationMethodCodeSequence = Sequence([_code("113100", "Basic Application Confidentiality Profile")])
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    dataset.file_meta, dataset.preamble = meta, bytes(128)


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
