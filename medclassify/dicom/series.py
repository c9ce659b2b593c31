"""Files to stacks: slices that belong together, in order, and everything else with the reason why it is not among them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medclassify.dicom.geometry import read_slice_geometry
from medclassify.dicom.header import read_header
from medclassify.dicom.repeats import repeats, told_apart, without_copies, without_equals
from medclassify.dicom.stack import normal, stack_facts
from medclassify.errors import DicomError, NotAnImageError, UnsupportedImageError
from medclassify.records import Quarantine, Series, SliceGeometry

_Slices = list[SliceGeometry]
_UNPLACED = "no place in the stack"
_REASONS = {UnsupportedImageError: _UNPLACED, NotAnImageError: "not an image", DicomError: "unreadable"}
_SAME_DIRECTION = 1e-3  # difference of direction cosines: 0.06°
_SAME_SPACING = 1e-3  # relative: half a pixel over 512
_STRAY_BESIDE = 3  # a lone slice is a stray one beside at least as many that agree
_ANOTHER_PLANE = np.cos(np.radians(30))


class AssembledSeries(NamedTuple):
    """What became of the files: each is in a stack or in quarantine."""

    series: list[Series]
    quarantined: list[Quarantine]


def assemble_series(sources: Iterable[Path | str | SliceGeometry]) -> AssembledSeries:
    """Sorts slices into stacks of one orientation, spacing and shape, ordered along their normal.

    The order of ``sources`` and Instance Number play no part. Nothing here raises for a file or a series: what cannot be
    used is quarantined with its reason, and the rest goes on.

    Args:
        sources: Files, or what ``read_slice_geometry`` said of them.

    Returns:
        ``series``, by UID, and ``quarantined``. Every file is in one of them, or, with several frames, may be in both.
    """
    slices, quarantined = _read_all(sources)
    slices, again = without_copies(slices)
    quarantined += again
    series: list[Series] = []
    by_uid: dict[str, _Slices] = defaultdict(list)
    for piece in slices:
        by_uid[piece.series_uid].append(piece)
    unplaced = Counter(item.series_uid for item in quarantined if item.reason == _UNPLACED)
    if "" in by_uid:
        quarantined.append(_quarantine(by_uid.pop(""), "no series", "no Series Instance UID (0020,000E). Export them again."))
    for uid in sorted(by_uid):
        stacks, refused = _assemble_one(by_uid[uid], unplaced[uid])
        series += stacks
        quarantined += refused
    return AssembledSeries(series, quarantined)


def _read_all(sources: Iterable[Path | str | SliceGeometry]) -> tuple[_Slices, list[Quarantine]]:
    slices: _Slices = []
    quarantined = []
    for source in dict.fromkeys(sources):  # a file that is named twice is one
        if isinstance(source, SliceGeometry):
            slices.append(source)
            continue
        try:
            slices += read_slice_geometry(source)
        except DicomError as error:
            reason = next(words for kind, words in _REASONS.items() if isinstance(error, kind))
            quarantined.append(Quarantine(_series_uid(source), (str(source),), reason, str(error)))
    return sorted(slices, key=lambda piece: (piece.path, piece.frame or 0)), quarantined


def _series_uid(path: Path | str) -> str:
    try:
        return read_header(path).series_uid
    except DicomError:
        return ""


def _assemble_one(slices: _Slices, unplaced: int) -> tuple[list[Series], list[Quarantine]]:
    """The stacks of one Series Instance UID."""
    if (patients := len({(piece.patient_key, piece.study_uid) for piece in slices})) > 1:
        detail = f"one Series Instance UID (0020,000E) for {patients} patients or studies: whose slices these are is not known."
        return [], [_quarantine(slices, "mixed patients", detail)]
    kept = [piece for piece in slices if "LOCALIZER" not in piece.image_type]
    refused = []
    if localizers := [piece for piece in slices if "LOCALIZER" in piece.image_type]:
        refused.append(_quarantine(localizers, "localizer", f"{_count(localizers)} of Image Type (0008,0008) LOCALIZER."))
    groups, strays = _without_strays(_alike(kept))
    refused += strays
    stacks: list[_Slices] = []
    for group in groups:
        parts = told_apart(sorted(group, key=_place(group)))
        for passes in parts:
            part, copies = without_equals(passes)
            refused += copies
            fault = repeats(part) or _incomplete(part)
            if fault:
                refused.append(_quarantine(part, *fault))
            else:
                stacks.append(part)
    notes = [f"left out: files of this series that do not say where they lie: {unplaced}"] if unplaced else []
    notes += [f"left out: {item.detail}" for item in refused if item.reason == "stray slice"]
    stacks.sort(key=lambda part: (-len(part), part[0].position, part[0].path))
    return [_series(part, index, len(stacks), notes) for index, part in enumerate(stacks)], refused


def _quarantine(slices: Sequence[SliceGeometry], reason: str, detail: str) -> Quarantine:
    return Quarantine(slices[0].series_uid, tuple(sorted({piece.path for piece in slices})), reason, detail)


def _count(slices: Sequence[SliceGeometry]) -> str:
    return "1 slice" if len(slices) == 1 else f"{len(slices)} slices"


def _alike(slices: _Slices) -> list[_Slices]:
    """Groups that agree in what a volume needs to agree in; the largest first."""
    groups: list[_Slices] = []
    for piece in slices:
        group = next((group for group in groups if _are_alike(group[0], piece)), None)
        if group is None:
            groups.append(group := [])
        group.append(piece)
    return sorted(groups, key=len, reverse=True)


def _are_alike(one: SliceGeometry, other: SliceGeometry) -> bool:
    return (
        (one.rows, one.columns, one.modality, one.frame_of_reference_uid, one.kernel)
        == (other.rows, other.columns, other.modality, other.frame_of_reference_uid, other.kernel)
        and _have_one_spacing(one, other)
        and _distance(one.row_direction, other.row_direction) < _SAME_DIRECTION
        and _distance(one.column_direction, other.column_direction) < _SAME_DIRECTION
    )


def _have_one_spacing(one: SliceGeometry, other: SliceGeometry) -> bool:
    return _distance(one.spacing_mm, other.spacing_mm) < _SAME_SPACING * min(one.spacing_mm)


def _distance(one: Iterable[float], other: Iterable[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _without_strays(groups: list[_Slices]) -> tuple[list[_Slices], list[Quarantine]]:
    """A lone slice (two, in another plane) beside a stack is a scout or a reference image that was not labelled as one."""
    kept, quarantined = groups[:1], []
    for group in groups[1:]:
        turned = abs(normal(group[0]) @ normal(groups[0][0])) < _ANOTHER_PLANE
        if len(groups[0]) >= _STRAY_BESIDE and len(group) <= (2 if turned else 1):
            detail = f"{_count(group)} {_difference(groups[0][0], group[0])} beside a stack of {len(groups[0])}."
            quarantined.append(_quarantine(group, "stray slice", detail))
        else:
            kept.append(group)
    return kept, quarantined


def _difference(usual: SliceGeometry, other: SliceGeometry) -> str:
    if (usual.rows, usual.columns) != (other.rows, other.columns):
        return f"of {other.rows} × {other.columns} pixels, not {usual.rows} × {usual.columns},"
    cosine = float(np.clip(normal(usual) @ normal(other), -1, 1))
    if cosine < 1 - _SAME_DIRECTION:
        return f"turned by {np.degrees(np.arccos(cosine)):.0f}°"
    if not _have_one_spacing(usual, other):
        return f"with pixels of {other.spacing_mm[0]:.4g} × {other.spacing_mm[1]:.4g} mm"
    if usual.kernel != other.kernel:
        return "of another reconstruction kernel"
    return "of another frame of reference or modality"


def _place(group: Sequence[SliceGeometry]) -> Callable[[SliceGeometry], tuple[float, str, int]]:
    """Sorts along the normal of one slice of the group; by path where two lie at one position, so that the order is fixed."""
    direction = normal(group[0])
    return lambda piece: (round(float(np.dot(piece.position, direction)), 6), piece.path, piece.frame or 0)


def _incomplete(slices: _Slices) -> tuple[str, str] | None:
    missing = stack_facts(slices).missing
    if missing <= len(slices):
        return None
    return "incomplete", f"{missing} slices seem to be missing, {len(slices)} are there. Export the series again."


def _series(slices: _Slices, part: int, parts: int, notes: Iterable[str]) -> Series:
    facts = stack_facts(slices)
    shared = [f"{parts} stacks share this Series Instance UID (0020,000E); this is number {part + 1}"] if parts > 1 else []
    return Series(
        series_uid=slices[0].series_uid,
        part=part,
        parts=parts,
        slices=tuple(slices),
        spacing_mm=(facts.spacing_mm, *slices[0].spacing_mm),
        step_mm=facts.step_mm,
        tilt_degrees=facts.tilt_degrees,
        missing=facts.missing,
        even=facts.even,
        warnings=(*shared, *notes, *facts.warnings),
    )
