"""Which images have been copied, so that `index --deidentify` goes on after a kill where it stopped.

It names original files, so it lies beside the copies' folder and not in it, and it is gone when all is done.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import medclassify
from medclassify.dicom.confidentiality import TABLE_EDITION
from medclassify.dicom.deidentify import Deidentified
from medclassify.errors import RunError

_FORMAT = 1


def beside(folder: Path, ending: str) -> Path:
    """A file beside a folder, called after it."""
    whole = folder if folder.name not in ("", "..") else folder.resolve()
    return whole.with_name(whole.name + ending)


class CopyJournal:
    """One line a copy, behind a line that says by what the copies are made. To be used as a context.

    Args:
        folder: Of the copies: new, empty, or begun with this key and version.
        key: The fingerprint of the patient key, which the new UIDs are made with.

    Raises:
        RunError: The folder holds something else, or was begun otherwise.
        OSError: The journal cannot be read or written.
    """

    def __init__(self, folder: Path, key: str) -> None:
        require_place_for_copies(folder, key)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.path = folder, _journal_of(folder)
        begun = any(folder.iterdir())
        lines = self.path.read_bytes().splitlines(keepends=True) if begun else []
        lines = [line for line in lines if line.endswith(b"\n")]  # the last one may have been cut off by the kill
        self._entries: dict[str, dict[str, Any]] = {entry["path"]: entry for entry in map(json.loads, lines[1:])}
        self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
        self._file.truncate(sum(map(len, lines)))
        self._file.seek(0, os.SEEK_END)
        if not lines:
            self._write(_made_by(key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """What is done needs no journal; what was interrupted does."""
        self._file.close()
        if error is None:
            self.path.unlink()

    def find(self, path: str, patient: str) -> Deidentified | None:
        """The copy of an image, where it is there and the image is what it was."""
        entry = self._entries.get(path)
        if entry is None or entry["patient"] != patient or entry["stamp"] != _stamp(path):
            return None
        copy = self._copy(entry)
        return copy if copy.path.is_file() else None

    def add(self, path: str, patient: str, answer: dict[str, Any]) -> Deidentified:
        """Notes a copy that has been made."""
        self._write({"path": path, "patient": patient, "stamp": _stamp(path), **answer})
        return self._copy(answer)

    def tidy(self, copies: set[Path]) -> int:
        """Removes what a killed run left half written, and copies of images that are no longer asked for; counts the latter."""
        stray = [path for path in self.folder.glob("*/*.dcm") if path not in copies]
        for path in stray:
            path.unlink()
            with suppress(OSError):  # others lie in it
                path.parent.rmdir()
        return sum(not path.name.startswith(".") for path in stray)

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()

    def _copy(self, entry: dict[str, Any]) -> Deidentified:
        return Deidentified(
            self.folder / entry["copy"],
            entry["study_uid"],
            entry["series_uid"],
            entry["sop_uid"],
            burned_in_denied=entry["burned_in_denied"],
        )


def require_place_for_copies(folder: Path, key: str) -> None:
    """Refuses a folder that holds anything but copies that were begun alike: old files would pass for copies.

    Args:
        folder: Where the copies are to be.
        key: The fingerprint of the patient key.

    Raises:
        RunError: It does, or is no folder.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    journal = _journal_of(folder)
    if not folder.is_dir() or not journal.exists():
        raise RunError(f"{folder}: exists and is not an empty folder. Choose another one with --deidentify.")
    if _first_line(journal) != _made_by(key):
        raise RunError(
            f"{folder}: was begun by another version or with another patient key, and its copies would not fit together. "
            f"Delete it and {journal}, or choose another folder with --deidentify."
        )


def _journal_of(folder: Path) -> Path:
    return beside(folder, ".unfinished.jsonl")


def _made_by(key: str) -> dict[str, Any]:
    return {"format": _FORMAT, "medclassify": medclassify.__version__, "table": TABLE_EDITION, "key": key}


def _first_line(journal: Path) -> Any:
    with suppress(OSError, ValueError), open(journal, "rb") as file:
        return json.loads(file.readline())
    return None


def _stamp(path: str) -> list[int] | None:
    """What changes when a file is written again."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns]
