"""Opening an image file, with the refusals of the file system told as any other fault of one file."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

from medclassify.errors import NotAnImageError


@contextmanager
def open_image(path: Path | str) -> Iterator[BinaryIO]:
    """Opens a file for reading.

    Raises:
        NotAnImageError: It is not there, may not be read, or is not a regular file (a pipe would be waited for without end).
    """
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a zero byte within the name
        raise NotAnImageError(f"{path}: no such file. Check the path.") from error
    except OSError as error:
        raise _refused(path, error) from error
    if not regular:
        raise NotAnImageError(f"{path}: not a regular file. Check the path.")
    try:
        with BufferedReader(FileIO(path)) as handle:  # what open(path, "rb") makes, in half of its time
            yield handle
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path | str, error: OSError) -> NotAnImageError:
    return NotAnImageError(f"{path}: cannot be read ({error.strerror or error}). Check its permissions.")
