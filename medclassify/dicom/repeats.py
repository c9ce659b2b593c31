"""Slices that are there more than once: the same file, the same picture, another pass over the same range, or a riddle."""

from collections import defaultdict
from collections.abc import Callable, Hashable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medclassify.dicom.image import read_image
from medclassify.dicom.stack import SAME_POSITION_MM, along_normal
from medclassify.errors import DicomError
from medclassify.records import Quarantine, SliceGeometry

_Slices = list[SliceGeometry]
_TOLD_APART_BY: tuple[Callable[[SliceGeometry], Hashable], ...] = (
    lambda piece: piece.acquisition,
    lambda piece: piece.thickness_mm,
    lambda piece: piece.image_type,
)


def without_copies(slices: _Slices) -> tuple[_Slices, list[Quarantine]]:
    """One instance in two files is one slice: the first path stays."""
    first: dict[Hashable, SliceGeometry] = {}
    quarantined = []
    for piece in slices:
        kept = first.setdefault((piece.sop_uid or piece.path, piece.frame), piece)
        if kept is not piece and not (quarantined and quarantined[-1].paths == (piece.path,)):
            detail = f"{piece.path}: the same SOP Instance UID (0008,0018) as {kept.path}, which is taken."
            quarantined.append(Quarantine(piece.series_uid, (piece.path,), "copy of an instance", detail))
    return list(first.values()), quarantined


def told_apart(slices: _Slices) -> list[_Slices]:
    """Splits a group whose positions are taken twice, where one attribute tells the passes apart (phases, reconstructions)."""
    if not repeats(slices):
        return [slices]
    for attribute in _TOLD_APART_BY:
        parts: dict[Hashable, _Slices] = defaultdict(list)
        for piece in slices:
            parts[attribute(piece)].append(piece)
        if len(parts) > 1 and all(len(part) > 1 and not repeats(part) for part in parts.values()):
            return list(parts.values())
    return [slices]


def without_equals(slices: _Slices) -> tuple[_Slices, list[Quarantine]]:
    """Slices that were sent again under new UIDs: one position, equal pixels. None is left out unless all repeats are such."""
    kept: _Slices = []
    quarantined = []
    for piece, is_repeat in zip(slices, [False, *_are_repeats(slices)], strict=True):
        if not is_repeat:
            kept.append(piece)
        elif _have_equal_pixels(kept[-1], piece):
            detail = f"{_name(piece)}: where {_name(kept[-1])} lies, with the same pixels."
            quarantined.append(Quarantine(piece.series_uid, (piece.path,), "copy of a slice", detail))
        else:
            return slices, []
    return kept, quarantined


def _have_equal_pixels(one: SliceGeometry, other: SliceGeometry) -> bool:
    try:
        pixels = [read_image(piece.path, window="none", frame=piece.frame).pixels for piece in (one, other)]
    except DicomError:
        return False
    return np.array_equal(pixels[0], pixels[1])


def _are_repeats(slices: _Slices) -> NDArray[np.bool_]:
    """Of each slice but the first whether it lies where the one before it does, bool (D − 1,)."""
    return np.diff(along_normal(slices)) < SAME_POSITION_MM


def repeats(slices: _Slices) -> tuple[str, str] | None:
    """Reason and detail where slices, in order along the normal, lie at one position; else None."""
    pairs = [pair for pair, is_repeat in zip(pairwise(slices), _are_repeats(slices), strict=True) if is_repeat]
    if not pairs:
        return None
    one, other = pairs[0]
    detail = (
        f"{len(pairs)} of {len(slices)} slices lie where another does (first: {_name(one)} and {_name(other)}), "
        "and neither acquisition, thickness nor image type tells them apart."
    )
    return "two images at one position", detail


def _name(piece: SliceGeometry) -> str:
    return piece.path if piece.frame is None else f"{piece.path} frame {piece.frame}"
