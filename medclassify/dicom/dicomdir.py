"""The table of contents of a DICOM medium (PS3.10 chapter 8, PS3.3 annex F)."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from medclassify.dicom.opening import open_image
from medclassify.dicom.parse import MAX_IMAGE_BYTES
from medclassify.dicom.quiet import pydicom_warnings
from medclassify.errors import DecodeError, NotAnImageError, UnsupportedImageError
from medclassify.records import DicomDirectory

_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_ABOVE_IMAGES = ("PATIENT", "STUDY", "SERIES")
_INACTIVE = 0


def read_dicomdir(path: Path | str) -> DicomDirectory:
    """Reads which images a DICOMDIR names.

    Names are looked for as they are written, then without regard to case and to the version number that discs append:
    copies of discs differ in both.

    Args:
        path: The DICOMDIR file.

    Returns:
        The images that are there, those that are not, and what was passed over.

    Raises:
        NotAnImageError: The file is not there, or is not a DICOMDIR.
        DecodeError: It is damaged.
        UnsupportedImageError: It is larger than 256 MiB.
    """
    with open_image(path) as handle:
        if os.fstat(handle.fileno()).st_size > MAX_IMAGE_BYTES:
            raise UnsupportedImageError(
                f"{path}: a DICOMDIR of more than {MAX_IMAGE_BYTES >> 20} MiB. Name its folder instead."
            )
        head = handle.read(1024)
        if head[128:132] != b"DICM" or _DIRECTORY_CLASS.encode() not in head:
            raise NotAnImageError(f"{path}: not a DICOMDIR. Name the file of that name, or the folder that it is in.")
        handle.seek(0)
        try:
            with pydicom_warnings("ignore"):
                warnings.filterwarnings("error", message="End of file")  # pydicom takes what is cut off for complete
                dataset = dcmread(handle)
                _require_whole(dataset)
                named = [_record(item) for item in dataset.get("DirectoryRecordSequence") or ()]
        except Exception as error:  # pydicom raises nearly everything on damaged files; its message may quote the header
            raise DecodeError(
                f"{path}: the DICOMDIR is damaged ({type(error).__name__}). Name the folder that it is in instead."
            ) from error
    return _resolve(Path(path).parent, named)


def _require_whole(dataset: Dataset) -> None:
    sequence = dataset.get_item("DirectoryRecordSequence")
    if isinstance(sequence, RawDataElement) and len(sequence.value or b"") < sequence.length:
        raise EOFError


def _record(item: Dataset) -> tuple[str, tuple[str, ...]]:
    """A record's type and the parts of the file name it refers to; none where it is switched off."""
    if item.get("RecordInUseFlag") == _INACTIVE:
        return "", ()
    value = item.get("ReferencedFileID") or ()
    parts = (value,) if isinstance(value, str) else tuple(map(str, value))
    return str(item.get("DirectoryRecordType") or ""), parts


def _resolve(folder: Path, named: Sequence[tuple[str, tuple[str, ...]]]) -> DicomDirectory:
    images: dict[Path, None] = {}
    missing: dict[Path, None] = {}
    others: Counter[str] = Counter()
    outside = 0
    listings: dict[Path, dict[str, str]] = {}
    for kind, parts in named:
        if not parts or kind in _ABOVE_IMAGES:
            continue
        if kind != "IMAGE":
            others[kind] += 1
        elif not all(map(_is_plain, parts)):
            outside += 1
        else:
            found = _find(folder, parts, listings)
            (missing if found is None else images)[found or folder.joinpath(*parts)] = None
    remarks = []
    if others:
        listed = ", ".join(f"{count} {kind[:16] or 'without type'}" for kind, count in sorted(others.items()))
        remarks.append(f"records that are no images are passed over: {listed}")
    if outside:
        remarks.append(f"records that name files outside of the DICOMDIR's folder are passed over: {outside}")
    return DicomDirectory(tuple(images), tuple(missing), tuple(remarks))


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and not set(part) & {"/", "\\", "\0"}


def _find(folder: Path, parts: Sequence[str], listings: dict[Path, dict[str, str]]) -> Path | None:
    current = folder
    for part in parts:
        name = part
        if not os.path.exists(current / part):
            if current not in listings:
                listings[current] = _listing(current)
            name = listings[current].get(_plainly(part), "")
            if not name:
                return None
        current /= name
    return current if os.path.isfile(current) else None


def _listing(folder: Path) -> dict[str, str]:
    try:
        return {_plainly(name): name for name in sorted(os.listdir(folder))}
    except OSError:
        return {}  # not a folder, or closed to us: what should be in it is missing


def _plainly(name: str) -> str:
    """A name as ISO 9660 compares it: without version, final dot and case."""
    return name.partition(";")[0].rstrip(".").upper()
