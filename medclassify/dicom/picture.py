"""PNG and JPEG pictures: they carry no window, no polarity and no patient, only values.

PNG: ISO/IEC 15948 (IHDR); JPEG: ITU-T T.81 annex B.
"""

import struct
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from medclassify.dicom.codestream import StreamError, jpeg_facts, png_facts
from medclassify.dicom.elements import Parsed
from medclassify.dicom.layout import PixelFacts, refuse_unsupported
from medclassify.dicom.parse import MAX_IMAGE_BYTES
from medclassify.dicom.pixels import Stored
from medclassify.dicom.sniff import Kind
from medclassify.errors import DecodeError, UnsupportedImageError
from medclassify.records import InstanceHeader

_OPAQUE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


def read_picture(
    handle: BinaryIO, path: str, kind: Kind, head: bytes, frame: int | None
) -> tuple[Parsed, InstanceHeader, PixelFacts, Stored]:
    """Decodes a picture into what a DICOM file without any attribute would be.

    Raises:
        DecodeError: The file is cut off or damaged.
        UnsupportedImageError: The picture is partly transparent or too large.
        ConfigError: A frame other than the first is asked for.
    """
    header = picture_header(handle, path, kind, head)
    refuse_unsupported(header, frame)
    pixels = decode_picture(handle, header, kind)
    parsed = Parsed(path, {}, {}, "", True, 0, "", 0, 0, 0)
    samples, bits = (3 if pixels.ndim == 3 else 1), 8 * pixels.itemsize
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    facts = PixelFacts(header.rows, header.columns, photometric, samples, False, bits, bits, 0, signed=False)
    return parsed, header, facts, Stored(pixels, luminance=False, applied=())


def picture_header(handle: BinaryIO, path: str, kind: Kind, head: bytes) -> InstanceHeader:
    """The size and depth of a picture; everything that a picture does not know is empty.

    Raises:
        DecodeError: The file is cut off or damaged.
    """
    data = head if kind is Kind.PNG else head + handle.read(MAX_IMAGE_BYTES)
    try:
        facts = png_facts(data) if kind is Kind.PNG else jpeg_facts(data)
    except (StreamError, struct.error) as error:
        raise _damaged(path, kind, error) from error
    return InstanceHeader(
        path=path,
        sop_uid="",
        study_uid="",
        series_uid="",
        patient_key="",
        modality="",
        photometric="MONOCHROME2" if facts.components == 1 else "RGB",
        rows=facts.rows,
        columns=facts.columns,
        frames=1,
        bits_stored=max(facts.precision, 8),
        transfer_syntax="",
        spacing_mm=None,
        spacing_source="",
        view="",
        laterality="",
        site="",
        manufacturer="",
        sex="",
        age_years=None,
        burned_in=False,
    )


def decode_picture(handle: BinaryIO, header: InstanceHeader, kind: Kind) -> NDArray[Any]:
    """Decodes a picture whose header has been read and found small enough.

    Returns:
        uint8 or uint16 (H, W), or (H, W, 3) in colour: red, green and blue.

    Raises:
        DecodeError: The file is cut off or damaged.
        UnsupportedImageError: The picture is partly transparent.
    """
    handle.seek(0)
    data = handle.read(MAX_IMAGE_BYTES)
    try:
        decoded: NDArray[Any] = imagecodecs.png_decode(data) if kind is Kind.PNG else imagecodecs.jpeg8_decode(data)
    except Exception as error:  # each codec has its own exception class, without a common root
        raise _damaged(header.path, kind, error) from error
    if decoded.shape[:2] != (header.rows, header.columns) or decoded.dtype not in _OPAQUE:
        raise _damaged(header.path, kind, StreamError(f"decodes to {decoded.dtype} {decoded.shape}"))
    return decoded if decoded.ndim == 2 else _opaque(decoded, header.path)


def _opaque(decoded: NDArray[Any], path: str) -> NDArray[Any]:
    channels = decoded.shape[2]
    if channels in (2, 4):
        if (decoded[..., -1] != _OPAQUE[decoded.dtype]).any():
            raise UnsupportedImageError(f"{path}: the picture is partly transparent. Save it in grey without transparency.")
        decoded = decoded[..., :-1]
    return decoded if decoded.shape[2] == 3 else np.ascontiguousarray(decoded[..., 0])


def _damaged(path: str, kind: Kind, error: Exception) -> DecodeError:
    return DecodeError(f"{path}: the {kind} picture {_clause(error)}. Copy or export it again.")


def _clause(error: Exception) -> str:
    text = " ".join(str(error).split())[:160]
    return text if isinstance(error, StreamError) else f"is damaged ({text})"
