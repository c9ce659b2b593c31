"""How evenly and how straight slices are stacked: gaps, two spacings, tilt and shifts, each with its numbers in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.records import SliceGeometry

SAME_POSITION_MM = 0.01
"""Nearer than this, two slices lie at one position."""

_RUN = 3  # as many equal steps on end are a spacing of their own, not a gap
_TILT_DEGREES = 0.1
_DRIFT_PIXELS = 0.5  # over the whole stack; less is nothing
_STEADY_SHARE = 0.05  # of the drift; slices that stray further from their line, on average, are not tilted
_TOLD_DEGREES = 1.0


@dataclass(frozen=True, slots=True)
class Stack:
    """What the positions of slices say; the attributes are those of ``Series``."""

    spacing_mm: float
    step_mm: tuple[float, float, float]
    tilt_degrees: float
    missing: int
    even: bool
    warnings: tuple[str, ...]


def normal(piece: SliceGeometry) -> NDArray[np.float64]:
    """The normal of a slice, float64 (3,): row direction × column direction."""
    return np.cross(piece.row_direction, piece.column_direction)


def along_normal(slices: Sequence[SliceGeometry]) -> NDArray[np.float64]:
    """Positions in mm along the normal of the first slice, float64 (D,)."""
    return np.array([piece.position for piece in slices], np.float64).reshape(-1, 3) @ normal(slices[0])


def stack_facts(slices: Sequence[SliceGeometry]) -> Stack:
    """Measures a stack.

    Args:
        slices: In ascending position along the normal, no two at one position.

    Returns:
        Spacing, step and tilt, and what is wrong with them.
    """
    if len(slices) == 1:
        return _one_slice(slices[0])
    along = along_normal(slices)
    steps = np.diff(along)
    usual, missing, warnings = float(steps.mean()), 0, []
    even = _misplaced(along, usual) <= _tolerance(usual)
    if not even:
        usual = float(np.percentile(steps, 50, method="lower"))  # of two steps 5 and 10 the gap is the 10
        missing, warnings = _gaps(_runs(steps), usual)
        warnings.append(
            f"the affine takes {usual:.4g} mm for all steps and is off by up to {_misplaced(along, usual):.4g} mm; "
            "the slices' own positions are right"
        )
    slope, tilt, drift_warnings = _drift(slices, along)
    step = usual * (normal(slices[0]) + slope)
    return Stack(usual, (step[0].item(), step[1].item(), step[2].item()), tilt, missing, even, (*warnings, *drift_warnings))


def _one_slice(piece: SliceGeometry) -> Stack:
    tilt = abs(piece.tilt_degrees or 0.0)
    spacing, warning = piece.thickness_mm, "one slice: the Slice Thickness (0018,0050) stands for the spacing"
    if spacing is None:
        spacing, warning = 1.0, "one slice without Slice Thickness (0018,0050): 1 mm stands for the spacing"
    step = spacing * normal(piece)
    return Stack(spacing, (step[0].item(), step[1].item(), step[2].item()), tilt, 0, True, (warning,))


def _tolerance(step: float) -> float:
    """What may be rounding, in mm: some scanners write positions with one decimal, and slices lie 0.2 to 10 mm apart."""
    return min(max(0.05 * step, 0.1), 0.3 * step) + 1e-6


def _misplaced(along: NDArray[np.float64], step: float) -> float:
    """How far the worst slice lies from where equal steps would put it."""
    return float(np.abs(along[0] + step * np.arange(len(along)) - along).max())


@dataclass(slots=True)
class _Run:
    """Equal steps on end."""

    step: float
    count: int


def _runs(steps: NDArray[np.float64]) -> list[_Run]:
    runs: list[_Run] = []
    for step in steps.tolist():
        if runs and _equal(step, runs[-1].step):
            runs[-1].count += 1
        else:
            runs.append(_Run(step, 1))
    return runs


def _equal(step: float, other: float) -> bool:
    return abs(step - other) <= _tolerance(other)


def _gaps(runs: Sequence[_Run], usual: float) -> tuple[int, list[str]]:
    """Missing slices (steps that are whole multiples), spacings of their own (long runs), and what is neither."""
    spacings: dict[float, int] = {}
    gaps: list[tuple[int, float, float]] = []
    odd: list[float] = []
    reference = next((run.step for run in runs if run.count >= _RUN), usual)
    for run in runs:
        if run.count >= _RUN or _equal(run.step, usual):
            if run.count >= _RUN:
                reference = run.step
            name = next((step for step in spacings if _equal(run.step, step)), run.step)
            spacings[name] = spacings.get(name, 0) + run.count
        elif (times := round(run.step / reference)) > 1 and _equal(run.step / times, reference):
            gaps += [(times - 1, run.step, reference)] * run.count
        else:
            odd += [run.step] * run.count
    missing, warnings = sum(count for count, _, _ in gaps), []
    steps = sum(run.count for run in runs)
    if missing:
        _, widest, near = max(gaps)
        warnings.append(
            f"missing slices: {missing}, in {len(gaps)} of {steps} steps; the widest is {widest:.4g} mm, {near:.4g} mm is usual"
        )
    if len(spacings) > 1:
        listed = ", ".join(f"{step:.4g} mm ({count} times)" for step, count in spacings.items())
        warnings.append(f"{len(spacings)} spacings in one stack: {listed}")
    if odd:
        warnings.append(
            f"uneven spacing: {len(odd)} of {steps} steps are {min(odd):.4g} to {max(odd):.4g} mm, {usual:.4g} mm is usual"
        )
    return missing, warnings


def _drift(slices: Sequence[SliceGeometry], along: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, list[str]]:
    """The slices' shift in plane: a steady one is tilt, any other is only reported.

    Returns:
        Shift in plane for each mm along the normal, float64 (3,); the tilt in degrees; warnings.
    """
    positions = np.array([piece.position for piece in slices], np.float64)
    inside = positions - np.outer(along, normal(slices[0]))
    slope = _slope(inside, along)
    extent, pixel = float(along[-1] - along[0]), min(slices[0].spacing_mm)
    drift = float(np.linalg.norm(slope)) * extent
    tilt = math.degrees(math.atan(drift / extent))
    warnings = []
    if tilt < _TILT_DEGREES or drift < _DRIFT_PIXELS * pixel or _strays(inside, along, slope).mean() > _STEADY_SHARE * drift:
        tilt, slope = 0.0, np.zeros(3)
    else:
        warnings.append(
            f"gantry tilt of {tilt:.1f}°: the slices drift in plane by {drift:.4g} mm over {extent:.4g} mm; "
            "the affine is sheared, the pixels are as they are"
        )
    told = abs(slices[0].tilt_degrees or 0.0)
    if tilt == 0 and told > _TOLD_DEGREES and _is_level(slices[0]):
        warnings.append(f"Gantry/Detector Tilt (0018,1120) is {told:.1f}°, but the positions show none: they are believed")
    if (unsteady := float(_strays(inside, along, slope).max())) > pixel:
        warnings.append(f"slices are shifted in plane by up to {unsteady:.4g} mm, unsteadily: the affine leaves that out")
    return slope, tilt, warnings


def _slope(inside: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median slope between slices half a stack apart: a few slices that are shifted do not move it, nor does rounding."""
    half = max(len(along) // 2, 1)
    return np.median((inside[half:] - inside[:-half]) / (along[half:] - along[:-half])[:, None], axis=0)


def _strays(inside: NDArray[np.float64], along: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each slice lies from a straight line, in mm in plane, float64 (D,)."""
    line = inside - np.outer(along, slope)
    return np.linalg.norm(line - np.median(line, axis=0), axis=1)


def _is_level(piece: SliceGeometry) -> bool:
    """Whether a slice lies square to the patient's axes; one reformatted from tilted slices need not drift."""
    return float(np.abs(normal(piece)).max()) > math.cos(math.radians(_TILT_DEGREES))
