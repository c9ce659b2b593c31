"""What happens to a file on its way into a dataset."""

from dataclasses import dataclass
from enum import StrEnum


class Split(StrEnum):
    """Which part of the work a sample may be used for.

    ``tune`` chooses the epoch, ``calibrate`` fits calibrators and operating points, ``test`` is read once at the end.
    """

    TRAIN = "train"
    TUNE = "tune"
    CALIBRATE = "calibrate"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A file or a label row that did not become a sample, and why.

    Attributes:
        path: The file (or the label row's image name).
        reason: A short fixed phrase to count by, e.g. ``unreadable``, ``no label``, ``duplicate SOP Instance UID``.
        detail: The one-line message for this file.
    """

    path: str
    reason: str
    detail: str
