"""pydicom's warnings turned off or into errors, for one thread at a time: ``warnings`` keeps one list for the process."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def pydicom_warnings(action: Literal["ignore", "error"]) -> Iterator[None]:
    """Within it, a warning of pydicom is ignored, or raised as an exception."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter(action)
        yield
