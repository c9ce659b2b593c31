"""The pixels of a series: slice by slice, or all at once."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from medclassify.dicom.image import read_frames, read_image
from medclassify.errors import DecodeError, UnsupportedImageError
from medclassify.records import DicomImage, DicomVolume, Series, Units

MAX_VOLUME_BYTES = 1 << 32
"""Largest volume that is read at once: 4 GiB, 4,096 slices of 512 × 512; more is for ``read_slices``."""

_NUMBER = re.compile(r"[-−+]?\d[\d.]*(?:e[-+]?\d+)?%?")


def read_slices(series: Series) -> Iterator[DicomImage]:
    """Yields the slices of a series in its order, without window: a CT in Hounsfield units.

    Only one slice is in memory at a time: H·W·4 bytes and what its decoding takes.

    Args:
        series: From ``assemble_series``.

    Yields:
        One image a slice, in the order of ``series.slices``.

    Raises:
        DicomError: A slice is damaged, or is not what its header said when the series was assembled; the message names its
            file. What was yielded before it is right.
    """
    shape = series.shape[1:]
    for path, pieces in groupby(series.slices, lambda piece: piece.path):
        frames = [piece.frame for piece in pieces]
        numbers = [frame for frame in frames if frame is not None]
        images = read_frames(path, window="none", frames=numbers) if numbers else iter([read_image(path, window="none")])
        for image in images:
            if image.pixels.shape != shape:
                raise DecodeError(
                    f"{path}: {image.pixels.shape[0]} × {image.pixels.shape[1]} pixels, but {shape[0]} × {shape[1]} when the "
                    "series was assembled. Assemble it again."
                )
            yield image


def read_volume(series: Series) -> DicomVolume:
    """Reads a series into one array. It takes D·H·W·4 bytes and one slice more: 1 GiB for 1,000 slices of 512 × 512.

    Nothing is interpolated: slice k of the array is ``series.slices[k]``, evenly spaced or not.

    Args:
        series: From ``assemble_series``.

    Returns:
        The volume, in Hounsfield units for a CT.

    Raises:
        UnsupportedImageError: It would take more than 4 GiB, or its slices are in different units.
        DicomError: A slice cannot be read; the message names its file.
    """
    needed = 4 * int(np.prod(series.shape, dtype=np.int64))
    if needed > MAX_VOLUME_BYTES:
        raise UnsupportedImageError(
            f"{series.slices[0].path}: its series of {' × '.join(map(str, series.shape))} pixels takes {needed >> 20} MiB; at "
            f"most {MAX_VOLUME_BYTES >> 20} MiB are read at once. Use read_slices, one slice at a time."
        )
    pixels = np.empty(series.shape, np.float32)
    units: set[Units] = set()
    applied, warnings = _Remarks(len(pixels)), _Remarks(len(pixels))
    for index, image in enumerate(read_slices(series)):
        pixels[index] = image.pixels
        units.add(image.units)
        applied.add(image.applied)
        warnings.add(image.warnings)
    if len(units) > 1:
        raise UnsupportedImageError(
            f"{series.slices[0].path}: some slices of its series are in Hounsfield units, others are not. Leave the series out."
        )
    told = (*series.warnings, *warnings.in_words())
    return DicomVolume(pixels, units.pop(), series.spacing_mm, series.affine, series, tuple(applied.in_words()), told)


class _Remarks:
    """What was said of many slices, each thing once: remarks that differ in their numbers alone are one."""

    def __init__(self, slices: int) -> None:
        self.slices = slices
        self.counts: dict[str, int] = {}
        self.first: dict[str, str] = {}
        self.differing: set[str] = set()

    def add(self, remarks: Iterable[str]) -> None:
        for remark in remarks:
            kind = _NUMBER.sub("…", remark)
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if self.first.setdefault(kind, remark) != remark:
                self.differing.add(kind)

    def in_words(self) -> Iterator[str]:
        for kind, count in self.counts.items():
            share = "" if count == self.slices else f" ({count} of {self.slices} slices)"
            yield (f"{kind} (…: differs by slice)" if kind in self.differing else self.first[kind]) + share
