"""One compressed frame into its stored values, by imagecodecs, whichever other decoders happen to be installed.

Reduced resolutions come from Pillow, since imagecodecs has none.
HTJ2K goes to OpenJPEG, not to imagecodecs' own HTJ2K codec: that one prints its errors and returns undefined pixels.
"""

import io
import struct
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid

from medclassify.dicom.codestream import StreamError, StreamFacts, jpeg2000_facts, jpeg_facts
from medclassify.dicom.layout import PixelFacts

_MOST_PILLOW_PIXELS = 80_000_000  # beyond 89 million Pillow warns of a bomb; sizes are checked here already
_JPEG_REDUCTIONS = 3  # blocks are of 8 × 8
_PACKBITS_RUN = 128  # padding after a segment may decode to one run more

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
COMPRESSED = frozenset({*_JPEG, *_JPEG_LS, *JPEG_2000, uid.RLELossless})
"""The transfer syntaxes that are decoded here."""


def decode_stream(source: bytes, syntax: str, facts: PixelFacts) -> tuple[NDArray[Any], bool]:
    """Decodes one frame.

    Args:
        source: The compressed frame.
        syntax: Its Transfer Syntax UID, one of ``COMPRESSED``.
        facts: What the header says of it.

    Returns:
        Stored values of ``facts.dtype``, (H, W) or (H, W, 3), and whether three samples are luminance and chrominance.

    Raises:
        StreamError: The stream is corrupt, or not what the header says.
    """
    luminance = facts.photometric in ("YBR_FULL", "YBR_FULL_422")
    if syntax == uid.RLELossless:
        return _decode_rle(source, facts), luminance
    stream = (jpeg2000_facts if syntax in JPEG_2000 else jpeg_facts)(source)
    require_match(stream, facts)
    try:
        pixels = _decode(source, syntax, stream)
    except Exception as error:  # each codec has its own exception class, without a common root
        raise StreamError(f"is corrupt ({' '.join(str(error).split())[:120]})") from error
    expected = (facts.rows, facts.columns, facts.samples)[: 2 if facts.samples == 1 else 3]
    if pixels.shape != expected:
        raise StreamError(f"decodes to {pixels.shape}, expected {expected}")
    if syntax in _JPEG and stream.luminance is not None:
        luminance = stream.luminance
    return with_sign(pixels, syntax, stream, facts), luminance


class Reduced(NamedTuple):
    """A frame at a lower resolution.

    Attributes:
        pixels: Stored values (⌈H/scale⌉, ⌈W/scale⌉) of the header's size and sign.
        scale: 2ⁿ.
        before: How many pixels of the original the first pixel covers before the image: wavelets centre theirs on every 2ⁿ-th
            pixel, cosines between them.
        codec: What decoded it, in words.
    """

    pixels: NDArray[Any]
    scale: int
    before: float
    codec: str


def decode_reduced(source: bytes, syntax: str, facts: PixelFacts, most: int) -> Reduced | None:
    """Decodes a grey frame at a lower resolution, where its codec holds one.

    JPEG 2000 decodes a quarter of the side in a twelfth of the time. JPEG reads every coefficient, but what comes after that
    works on a sixteenth of the pixels.

    Args:
        source: The compressed frame.
        syntax: Its Transfer Syntax UID.
        facts: What the header says of it.
        most: How often the side may be halved at most.

    Returns:
        None where the stream has no lower resolution or its values must not be averaged: it has to be decoded in full.

    Raises:
        StreamError: The stream is not what the header says.
    """
    if facts.samples != 1 or facts.rows * facts.columns > _MOST_PILLOW_PIXELS:
        return None
    if syntax in JPEG_2000:
        return _reduced_jpeg2000(source, facts, most)
    return _reduced_jpeg(source, facts, most) if syntax == uid.JPEGBaseline8Bit else None


def _reduced_jpeg2000(source: bytes, facts: PixelFacts, most: int) -> Reduced | None:
    stream = jpeg2000_facts(source)
    require_match(stream, facts)
    reduction = min(most, stream.levels)
    # a sign that only the header knows of, or an overlay above the stored bits, would be averaged as if it were brightness
    if reduction < 1 or stream.signed != facts.signed or not facts.bits_stored <= stream.precision <= 16:
        return None
    try:
        with Image.open(io.BytesIO(source), formats=("JPEG2000",)) as picture:
            picture.reduce = reduction  # pyright: ignore[reportAttributeAccessIssue]
            pixels = np.asarray(picture).astype(np.int32)
    except Exception:  # the full decode will tell what is wrong
        return None
    if pixels.shape != _reduced_shape(facts, reduction):
        return None
    if stream.precision > 8:  # Pillow spreads values over sixteen bits
        pixels >>= 16 - stream.precision
    if stream.signed:
        pixels -= 1 << (stream.precision - 1)
    margin = (facts.highest - facts.lowest) >> 3  # low-pass filters overshoot a little; more than that is no image value
    if pixels.min() < facts.lowest - margin or pixels.max() > facts.highest + margin:
        return None
    scale = 1 << reduction
    return Reduced(np.clip(pixels, facts.lowest, facts.highest).astype(facts.dtype), scale, (scale - 1) / 2, "JPEG 2000")


def _reduced_jpeg(source: bytes, facts: PixelFacts, most: int) -> Reduced | None:
    """From the lowest cosines of each block of 8 × 8, which is the block's mean where one pixel is left of it."""
    stream = jpeg_facts(source)
    require_match(stream, facts)
    reduction = min(most, _JPEG_REDUCTIONS)
    if reduction < 1 or facts.dtype != np.uint8 or (facts.bits_stored, stream.precision) != (8, 8):
        return None
    scale = 1 << reduction
    try:
        with Image.open(io.BytesIO(source), formats=("JPEG",)) as picture:
            # the largest scale whose result is not smaller than this: rounded down, so that it is the one that is meant
            picture.draft("L", (facts.columns // scale, facts.rows // scale))
            pixels = np.asarray(picture)
    except Exception:  # the full decode will tell what is wrong
        return None
    return Reduced(pixels, scale, 0.0, "JPEG") if pixels.shape == _reduced_shape(facts, reduction) else None


def _reduced_shape(facts: PixelFacts, reduction: int) -> tuple[int, int]:
    rows, columns = (-(-side // (1 << reduction)) for side in (facts.rows, facts.columns))
    return rows, columns


def require_match(stream: StreamFacts, facts: PixelFacts) -> None:
    """Compares what the stream says with what the header says.

    Raises:
        StreamError: They do not go together.
    """
    if (stream.rows, stream.columns, stream.components) != (facts.rows, facts.columns, facts.samples):
        raise StreamError(
            f"is {stream.rows} × {stream.columns} with {stream.components} components, "
            f"the header says {facts.rows} × {facts.columns} with {facts.samples}"
        )
    if stream.precision > facts.bits_allocated:
        raise StreamError(f"has {stream.precision} bits a value, the header allocates {facts.bits_allocated}")


def with_sign(pixels: NDArray[Any], syntax: str, stream: StreamFacts, facts: PixelFacts) -> NDArray[Any]:
    """Decoded values as ``facts.dtype``; where stream and header disagree on the sign, the header is right.

    A stream of 8 bits may stand for 16 allocated ones: widening keeps the sign that the codec knows of. JPEG-LS knows none,
    and some writers of JPEG 2000 do not set it: the highest bit of the stream's precision is then the sign.
    """
    dtype = facts.dtype
    wide = pixels if pixels.dtype == dtype else pixels.astype(f"<{pixels.dtype.kind}{dtype.itemsize}", copy=False).view(dtype)
    unused = 8 * dtype.itemsize - stream.precision
    if unused > 0 and stream.signed != facts.signed and syntax in (*_JPEG_LS, *JPEG_2000):
        wide = np.right_shift(np.left_shift(wide, unused), unused)
    return wide


def _decode(source: bytes, syntax: str, stream: StreamFacts) -> NDArray[Any]:
    if syntax in JPEG_2000:
        return imagecodecs.jpeg2k_decode(source)
    if syntax in _JPEG_LS:
        return imagecodecs.jpegls_decode(source)
    if stream.components == 1:
        return imagecodecs.jpeg8_decode(source)
    # naming one space for both sides keeps the components as they are stored, whatever the decoder would guess them to be
    return imagecodecs.jpeg8_decode(source, colorspace="RGB", outcolorspace="RGB")


def _decode_rle(source: bytes, facts: PixelFacts) -> NDArray[Any]:
    """PS3.5 annex G: one PackBits segment a byte of a sample, most significant first, behind a table of sixteen numbers.

    The table is read here: imagecodecs' own reader of it leaves the buffer when the table is corrupt.
    """
    width, samples = facts.dtype.itemsize, facts.samples
    segments = width * samples
    if len(source) < 64:
        raise StreamError("is cut off: no RLE header")
    count, *offsets = struct.unpack_from("<16L", source)
    bounds = [*offsets[:segments], len(source)]
    if count != segments or bounds[0] < 64 or bounds != sorted(bounds):
        raise StreamError(f"has a corrupt RLE header: {count} segments at {bounds[:-1]}, expected {segments}")
    pixels = np.empty((facts.rows, facts.columns, samples, width), np.uint8)
    size = facts.rows * facts.columns
    for index in range(segments):
        try:
            segment = imagecodecs.packbits_decode(source[bounds[index] : bounds[index + 1]], out=size + _PACKBITS_RUN)
        except Exception as error:  # its own exception class
            raise StreamError(f"is corrupt ({' '.join(str(error).split())[:120]})") from error
        if len(segment) < size:
            raise StreamError(f"is cut off: RLE segment {index} holds {len(segment)} of {size} values")
        sample, byte = divmod(index, width)
        pixels[..., sample, width - 1 - byte] = np.frombuffer(segment, np.uint8, size).reshape(facts.rows, facts.columns)
    values = pixels.view(facts.dtype)[..., 0]
    return values if samples > 1 else values[..., 0]
