"""Opening an image file, with the refusals of the file system told as any other fault of one file."""

import os
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
    if not os.path.isfile(path):
        what = "not a regular file" if os.path.exists(path) else "no such file"
        raise NotAnImageError(f"{path}: {what}. Check the path.")
    try:
        with BufferedReader(FileIO(path)) as handle:  # what open(path, "rb") makes, in half of its time
            yield handle
    except OSError as error:
        raise NotAnImageError(f"{path}: cannot be read ({error.strerror or error}). Check its permissions.") from error
