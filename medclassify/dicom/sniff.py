"""What a file is, by its first bytes: extensions lie, and are often missing in exports."""

from enum import StrEnum
from struct import unpack_from

from medclassify.dicom.scan import LONG_VR, SHORT_VR

SNIFF_BYTES = 512
_DIRECTORY_CLASS = b"1.2.840.10008.1.3.10"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_FIRST_GROUPS = (0x0002, 0x0008)
_LARGEST_FIRST_VALUE = 256


class Kind(StrEnum):
    """A format this package reads."""

    DICOM = "DICOM"
    HEADERLESS = "DICOM without preamble"
    PNG = "PNG"
    JPEG = "JPEG"


def sniff(head: bytes) -> Kind | None:
    """Names the format of a file from its first ``SNIFF_BYTES`` bytes; None where it is not an image.

    A DICOMDIR is not an image: it is a list of files that are found by themselves.
    """
    if head[128:132] == b"DICM":
        return None if _DIRECTORY_CLASS in head else Kind.DICOM
    if head.startswith(_PNG):
        return Kind.PNG
    if head.startswith(_JPEG):
        return Kind.JPEG
    return Kind.HEADERLESS if _looks_headerless(head) else None


def _looks_headerless(head: bytes) -> bool:
    """Two plausible elements in ascending order at the very start (old exports leave the preamble out)."""
    position, previous = 0, 0
    for _ in range(2):
        if position + 12 > len(head):
            return False
        group, number, vr, length = unpack_from("<HH2sH", head, position)
        if vr in LONG_VR:
            return previous > 0  # a sequence may come second, never first
        if vr not in SHORT_VR:
            length = unpack_from("<I", head, position + 4)[0]
        tag = group << 16 | number
        if tag <= previous or length > _LARGEST_FIRST_VALUE or length % 2:
            return False
        if not previous and group not in _FIRST_GROUPS:
            return False
        previous, position = tag, position + 8 + length
    return True
