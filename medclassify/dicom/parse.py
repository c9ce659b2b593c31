"""One file into its elements: the fast walk where the file is ordinary, pydicom where it is not.

This is the one place where an exception of pydicom is met: whatever it raises becomes a ``DicomError`` that names the file.
"""

import os
import zlib
from struct import unpack
from typing import BinaryIO

from pydicom import dcmread, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset

from medclassify.dicom.elements import Element, Parsed, tag_name
from medclassify.dicom.quiet import pydicom_warnings
from medclassify.dicom.scan import PIXEL_VR, Walk, is_uid, meta_is_flat, walk, walk_meta
from medclassify.dicom.sniff import SNIFF_BYTES, Kind, sniff
from medclassify.dicom.tags import PIXEL_TAGS, SEQUENCES, SPECIFIC_CHARACTER_SET, WANTED
from medclassify.errors import DecodeError, DicomError, NotAnImageError, UnsupportedImageError

MAX_IMAGE_BYTES = 1 << 28
"""Largest stored image that is read: 256 MiB, 128 million pixels of 16 bits; the largest mammograms are a fifth of it."""

HEAD_BYTES = 1 << 13  # holds most headers; where it does not, more is read, and then pydicom is asked
_LONG_HEAD_BYTES = 1 << 16
_UNDEFINED = 0xFFFFFFFF


def read_head(handle: BinaryIO, path: str) -> tuple[Kind, bytes]:
    """The format and the first bytes of a file.

    Raises:
        NotAnImageError: It is none that is read.
    """
    head = handle.read(HEAD_BYTES)
    kind = sniff(head[:SNIFF_BYTES])
    if kind is None:
        if head[128:132] == b"DICM":
            raise NotAnImageError(f"{path}: a DICOMDIR, which lists images and holds none. Name the folder that it is in.")
        what = "not a DICOM, PNG or JPEG image" if head else "an empty file"
        raise NotAnImageError(f"{path}: {what}. Leave it out.")
    return kind, head


def parse(handle: BinaryIO, path: str, kind: Kind, head: bytes) -> Parsed:
    """Reads the elements up to the pixel data.

    Args:
        handle: The open file.
        path: Its name, for messages.
        kind: ``Kind.DICOM`` or ``Kind.HEADERLESS``.
        head: Its first bytes.

    Raises:
        DicomError: The file is damaged or of a kind that is not read.
    """
    size = os.fstat(handle.fileno()).st_size
    meta = walk_meta(head) if kind is Kind.DICOM else None
    if meta is not None:
        syntax, start = meta
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            return _parse_deflated(handle, path, start)
        if syntax != uid.ExplicitVRBigEndian and (found := _walk_head(handle, head, start, syntax)):
            return _from_walk(found, path, syntax, size)
    handle.seek(0)
    flat = meta_is_flat(handle.read(_LONG_HEAD_BYTES), 132 if kind is Kind.DICOM else 0)
    if not flat or uid.DeflatedExplicitVRLittleEndian.encode() in head:
        raise DecodeError(f"{path}: the file meta information is damaged. Export the image again.")
    return _ask_pydicom(handle, path, kind, size)


def _walk_head(handle: BinaryIO, head: bytes, start: int, syntax: str) -> Walk | None:
    explicit = syntax != uid.ImplicitVRLittleEndian
    found = walk(head, start, explicit=explicit)
    if found is None and len(head) == HEAD_BYTES:
        handle.seek(0)
        found = walk(handle.read(_LONG_HEAD_BYTES), start, explicit=explicit)
    return found


def _from_walk(found: Walk, path: str, syntax: str, size: int, inflated: bytes | None = None) -> Parsed:
    return Parsed(
        path=path,
        elements=found.elements,
        sequences={},
        transfer_syntax=syntax,
        little_endian=True,
        pixel_tag=found.pixel_tag,
        pixel_vr=found.pixel_vr,
        pixel_offset=found.pixel_offset,
        pixel_length=found.pixel_length,
        size=size,
        inflated=inflated,
    )


def _parse_deflated(handle: BinaryIO, path: str, start: int) -> Parsed:
    """PS3.5 annex A.5: the whole dataset is one raw deflate stream; it is inflated up to a bound."""
    handle.seek(start)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    limit = MAX_IMAGE_BYTES + (1 << 24)
    try:
        data = inflater.decompress(handle.read(limit), limit)
    except zlib.error as error:
        raise DecodeError(f"{path}: the deflated dataset is corrupt ({error}). Export the image again.") from error
    if inflater.unconsumed_tail:
        raise UnsupportedImageError(f"{path}: the deflated dataset grows beyond {limit >> 20} MiB. Leave it out.")
    found = walk(data, 0, explicit=True)
    if found is None:
        raise DecodeError(f"{path}: the deflated dataset is damaged or holds no pixel data. Export it without deflation.")
    return _from_walk(found, path, uid.ExplicitVRLittleEndian, len(data), data)


def _ask_pydicom(handle: BinaryIO, path: str, kind: Kind, size: int) -> Parsed:
    handle.seek(0)
    try:
        with pydicom_warnings("ignore"):
            dataset = dcmread(handle, stop_before_pixels=True, force=kind is Kind.HEADERLESS, specific_tags=sorted(WANTED))
            elements = _raw_elements(dataset)
            sequences = {tag: tuple(_raw_elements(item) for item in dataset[tag].value) for tag in SEQUENCES if tag in dataset}
            syntax, little_endian, note = _encoding(dataset, path)
            pixel_tag, vr, offset, length = _pixel_element(handle, dataset.original_encoding)
    except DicomError:
        raise
    except Exception as error:  # pydicom raises nearly everything on damaged files, RecursionError and MemoryError too
        # Its message may quote the header, a patient's name included: the kind of fault has to do.
        raise DecodeError(f"{path}: the header is damaged ({type(error).__name__}). Export the image again.") from error
    return Parsed(
        path=path,
        elements=elements,
        sequences=sequences,
        transfer_syntax=syntax,
        little_endian=little_endian,
        pixel_tag=pixel_tag,
        pixel_vr=vr,
        pixel_offset=offset,
        pixel_length=length,
        size=size,
        note=note,
    )


def _raw_elements(dataset: Dataset) -> dict[int, Element]:
    elements = {}
    for tag in dataset.keys():  # noqa: SIM118 — iterating a Dataset would convert every element
        raw = dataset.get_item(tag)
        if isinstance(raw, RawDataElement):
            elements[int(tag)] = Element(raw.VR or "", bytes(raw.value or b""))
        elif int(tag) == SPECIFIC_CHARACTER_SET:  # the one element that pydicom has looked at already
            names = [raw.value] if isinstance(raw.value, str) else raw.value or [""]
            elements[int(tag)] = Element("CS", "\\".join(names).encode("latin-1"))
    return elements


def _encoding(dataset: FileDataset, path: str) -> tuple[str, bool, str]:
    implicit, little_endian = dataset.original_encoding
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax and is_uid(str(syntax)):
        return str(syntax), bool(little_endian), ""
    if syntax:
        raise DecodeError(f"{path}: Transfer Syntax UID (0002,0010) is not a UID. Export the image again.")
    if len(dataset.file_meta):
        raise DecodeError(f"{path}: no Transfer Syntax UID (0002,0010), so the pixels could be anything. Export it again.")
    guessed = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
    guessed = guessed if little_endian else uid.ExplicitVRBigEndian
    return guessed, bool(little_endian), f"no file meta information: read as {guessed.name}"


def _pixel_element(handle: BinaryIO, encoding: tuple[bool | None, bool | None]) -> tuple[int, str, int, int | None]:
    """Where the pixel data stands; pydicom has stopped right before it."""
    implicit, little_endian = encoding
    order = "<" if little_endian else ">"
    start, head = handle.tell(), handle.read(12)
    if len(head) < 12:
        return 0, "", 0, 0
    group, number = unpack(f"{order}HH", head[:4])
    tag = group << 16 | number
    if tag not in PIXEL_TAGS:
        return 0, "", 0, 0
    vr = head[4:6].decode("latin-1")
    implicit = implicit or not (vr.isalpha() and vr.isascii())  # some writers leave VRs out whatever the syntax says
    if not implicit and vr not in PIXEL_VR:
        raise ValueError(f"{tag_name(tag)} has VR {vr!r}")
    length = unpack(f"{order}I", head[4:8] if implicit else head[8:])[0]
    return tag, "" if implicit else vr, start + (8 if implicit else 12), None if length == _UNDEFINED else length


def require_whole(parsed: Parsed) -> None:
    """Compares what Pixel Data claims with what the file has.

    Raises:
        DecodeError: The file ends before its pixel data does.
    """
    available = parsed.size - parsed.pixel_offset
    if parsed.pixel_length is not None and parsed.pixel_length > available:
        raise DecodeError(
            f"{parsed.path}: the file is cut off: Pixel Data (7FE0,0010) claims {parsed.pixel_length} bytes, "
            f"{max(available, 0)} are there. Copy or export it again."
        )
