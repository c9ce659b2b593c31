"""Image files under folders, by content."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from medclassify.dicom.sniff import SNIFF_BYTES, sniff
from medclassify.errors import StorageError


def find_images(sources: Sequence[Path | str]) -> list[Path]:
    """Finds DICOM, PNG and JPEG files.

    Folders are searched with all that is in them, links included (a folder is entered once, however it is reached); there
    the first bytes of a file decide, not its name, and hidden files and folders are passed over. A file that is named as a
    source is always kept, so that reading it says what is wrong with it.

    Args:
        sources: Files and folders.

    Returns:
        Paths in the given form (relative stays relative), sorted, each once.

    Raises:
        StorageError: A source is not there, or a folder cannot be searched.
    """
    return [Path(path) for path, source in find_files(sources).items() if source is None or _is_image(path)]


def find_files(sources: Sequence[Path | str]) -> dict[str, Path | None]:
    """Finds what ``find_images`` would look into; opens no file.

    Args:
        sources: Files and folders.

    Returns:
        Path (in the given form, sorted) → the folder among the sources in which it was found, or None where it was named.

    Raises:
        StorageError: A source is not there, or a folder cannot be searched.
    """
    found: dict[str, Path | None] = {}
    entered: set[tuple[int, int]] = set()
    for source in map(Path, sources):
        if source.is_dir():
            for path in _search(source, entered):
                found.setdefault(path, source)
        elif source.exists():
            found[str(source)] = None
        else:
            raise StorageError(f"{source}: no such file or folder. Check the path.")
    return {path: found[path] for path in sorted(found, key=lambda path: path.split(os.sep))}


def _search(folder: Path, entered: set[tuple[int, int]]) -> Iterator[str]:
    pending = [str(folder)]
    while pending:
        current = pending.pop()
        try:
            status = os.stat(current)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                listed = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise StorageError(f"{current}: cannot be searched ({error.strerror}). Check its permissions.") from error
        for entry in listed:
            if entry.is_dir():
                pending.append(entry.path)
            elif entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path)):
                yield entry.path  # a broken link too: reading it says so


def _is_image(path: str) -> bool:
    try:
        with open(path, "rb", buffering=0) as handle:
            return sniff(handle.read(SNIFF_BYTES)) is not None
    except OSError:
        return True  # kept, so that reading it says why it cannot be read
