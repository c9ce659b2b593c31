"""imagecodecs as a decoder plug-in of pydicom: pydicom keeps the meaning of the values, imagecodecs does the work.

It is registered for every compressed greyscale syntax and always asked for by name, since pydicom would otherwise take
whichever plug-in happens to be installed. HTJ2K goes to OpenJPEG, not to imagecodecs' own HTJ2K codec: that one prints its
errors and returns undefined pixels.
"""

import logging
import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

from medclassify.dicom.codestream import StreamError, StreamFacts, jpeg2000_facts, jpeg_facts

PLUGIN = "imagecodecs"
_PACKBITS_RUN = 128  # padding after a segment may decode to one run more

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
DECODER_DEPENDENCIES = dict.fromkeys((*_JPEG, *_JPEG_LS, *_JPEG_2000, uid.RLELossless), ("imagecodecs",))
"""Which syntaxes the plug-in decodes; the name is pydicom's."""


def is_available(syntax: str) -> bool:
    """Whether the plug-in decodes a transfer syntax; the name and form are pydicom's."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """Decodes one greyscale frame; the form is pydicom's.

    Args:
        source: The compressed frame.
        runner: pydicom's description of the frame.

    Returns:
        Little-endian values of ``runner.pixel_dtype``'s size.

    Raises:
        StreamError: The stream is corrupt, or not of the size that the header says.
    """
    if runner.samples_per_pixel != 1:
        raise StreamError("greyscale only")
    try:
        pixels = _decode(source, runner)
    except StreamError:
        raise
    except Exception as error:  # each codec has its own exception class, without a common root
        raise StreamError(f"is corrupt ({error})") from error
    if pixels.shape != (runner.rows, runner.columns):
        raise StreamError(f"decodes to {pixels.shape}, expected ({runner.rows}, {runner.columns})")
    # A stream of 8 bits may stand for 16 allocated ones. Widening keeps the sign that the codec knows of.
    width = runner.pixel_dtype.itemsize
    return pixels.astype(f"<{pixels.dtype.kind}{width}", copy=False).tobytes()


def _decode(source: bytes, runner: DecodeRunner) -> NDArray[Any]:
    syntax = runner.transfer_syntax
    if syntax == uid.RLELossless:
        return _decode_rle(source, runner)
    facts: Callable[[bytes], StreamFacts]
    decode: Callable[[bytes], NDArray[Any]]
    if syntax in _JPEG_2000:
        facts, decode = jpeg2000_facts, imagecodecs.jpeg2k_decode
    else:
        facts, decode = jpeg_facts, imagecodecs.jpegls_decode if syntax in _JPEG_LS else imagecodecs.jpeg8_decode
    stream = facts(source)
    if (stream.rows, stream.columns, stream.components) != (runner.rows, runner.columns, 1):
        raise StreamError(
            f"is {stream.rows} × {stream.columns} with {stream.components} components, "
            f"the header says {runner.rows} × {runner.columns} with 1"
        )
    if stream.precision > runner.bits_allocated:
        raise StreamError(f"has {stream.precision} bits a value, the header allocates {runner.bits_allocated}")
    return decode(source)


def _decode_rle(source: bytes, runner: DecodeRunner) -> NDArray[Any]:
    """PS3.5 annex G: one PackBits segment a byte of a value, most significant first, behind a table of sixteen numbers.

    The table is read here: imagecodecs' own reader of it leaves the buffer when the table is corrupt.
    """
    planes = runner.bits_allocated // 8
    if len(source) < 64:
        raise StreamError("is cut off: no RLE header")
    count, *offsets = struct.unpack_from("<16L", source)
    bounds = [*offsets[:planes], len(source)]
    if count != planes or bounds[0] < 64 or bounds != sorted(bounds):
        raise StreamError(f"has a corrupt RLE header: {count} segments at {bounds[:-1]}, expected {planes}")
    pixels = np.empty((runner.rows, runner.columns, planes), np.uint8)
    size = runner.rows * runner.columns
    for index in range(planes):
        segment = imagecodecs.packbits_decode(source[bounds[index] : bounds[index + 1]], out=size + _PACKBITS_RUN)
        if len(segment) < size:
            raise StreamError(f"is cut off: RLE segment {index} holds {len(segment)} of {size} values")
        pixels[..., planes - 1 - index] = np.frombuffer(segment, np.uint8, size).reshape(runner.rows, runner.columns)
    return pixels.view(f"<u{planes}")[..., 0]


class _OwnErrorsAreRaised(logging.Filter):
    """pydicom logs a traceback for every frame that a plug-in refuses; ours reach the caller as one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not isinstance(record.msg, StreamError)


def _register() -> None:
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
    logging.getLogger("pydicom.pixels.decoders.base").addFilter(_OwnErrorsAreRaised())


_register()
