"""What a copying process does: one image to its de-identified copy; see ``deidentify`` for the other side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medclassify.dicom.deidentify import deidentify_image
from medclassify.errors import DicomError, StorageError, UnsupportedImageError
from medclassify.manifest import PatientHasher
from medclassify.runs.serving import Answer, fault_of_file, serve

MAY_SHOW_TEXT = "not copied: may show or hold text"
UNREADABLE = "not copied: unreadable"


def main() -> int:
    """Answers pairs of path and hashed patient until there are no more."""
    return serve(_prepare)


def _prepare(order: dict[str, Any]) -> Callable[[list[str]], Answer]:
    folder, new_uid = Path(order["folder"]), PatientHasher(order["key_file"]).new_uid
    return lambda task: (_answer(task[0], task[1], folder, new_uid), b"")


def _answer(path: str, patient: str, folder: Path, new_uid: Callable[[str], str]) -> dict[str, Any]:
    try:
        copy = deidentify_image(path, folder, patient, new_uid)
    except DicomError as error:
        reason = MAY_SHOW_TEXT if isinstance(error, UnsupportedImageError) else UNREADABLE
        return {"reason": reason, "detail": str(error)}
    except StorageError as error:
        return {"storage": str(error)}
    except Exception as error:
        return {"reason": UNREADABLE, "detail": fault_of_file(path, error)[1]}
    return {
        "copy": copy.path.relative_to(folder).as_posix(),
        "study_uid": copy.study_uid,
        "series_uid": copy.series_uid,
        "sop_uid": copy.sop_uid,
        "burned_in_denied": copy.burned_in_denied,
    }
