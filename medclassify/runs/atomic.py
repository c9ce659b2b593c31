"""Files that are either whole or not there."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from medclassify.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Yields a temporary name beside ``target``; on success it is flushed to disk and renamed, else removed.

    Args:
        target: The file to write. Its folder is made.

    Yields:
        The path to write to; it keeps the target's suffix.

    Raises:
        StorageError: The disk is full, read-only or not there.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        with suppress(OSError):  # a folder that is a file, or a disk that is gone, is told above
            temporary.unlink(missing_ok=True)


def storage_error(
    error: OSError, target: Path | str, *, remedy: str = "Free some space there, or choose another place."
) -> StorageError:
    """Puts a failed write into one line that says how to mend it.

    Args:
        error: What was raised.
        target: What could not be written.
        remedy: What to do about a full disk.
    """
    while error.errno is None and isinstance(error.__context__, OSError):  # pydicom raises again without the number
        error = error.__context__
    if error.errno in _FULL:
        return StorageError(f"{target}: the disk is full. {remedy}")
    return StorageError(f"{target}: cannot be written ({error.strerror or error}). Check the folder and its permissions.")


def write_text(target: Path | str, text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path | str, value: Any) -> None:
    """Writes JSON atomically, indented, keys in the given order; NaN and infinity are refused."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
