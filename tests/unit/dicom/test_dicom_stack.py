"""Faults of a stack, planted one at a time: each is found, with its numbers, and nothing else is."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from medclassify.dicom.stack import Stack, stack_facts
from medclassify.records import SliceGeometry

ONE = SliceGeometry(
    path="a.dcm",
    frame=None,
    sop_uid="1",
    study_uid="2",
    series_uid="3",
    frame_of_reference_uid="4",
    patient_key="CANARY",
    modality="CT",
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    kernel="",
    acquisition="",
    rows=512,
    columns=512,
    spacing_mm=(0.5, 0.5),
    position=(0, 0, 0),
    row_direction=(1, 0, 0),
    column_direction=(0, 1, 0),
    thickness_mm=5,
    tilt_degrees=0,
)


def measured(heights: Iterable[float], shift: float = 0, **changes) -> Stack:
    return stack_facts([replace(ONE, position=(3.0, shift * z, z), **changes) for z in heights])


@pytest.mark.parametrize("spacing", [0.2, 0.625, 1, 5, 10])
@pytest.mark.parametrize("decimals", [1, 2, 6])
def test_an_even_stack_is_quiet_however_its_positions_are_rounded(spacing: float, decimals: int) -> None:
    if spacing == 0.2 and decimals == 1:
        spacing = 0.3
    facts = measured(round(-150 + spacing * index, decimals) for index in range(40))
    assert facts.warnings == ()
    assert facts.even and facts.missing == 0 and facts.tilt_degrees == 0
    assert facts.spacing_mm == pytest.approx(spacing, rel=0.01)
    assert facts.step_mm == pytest.approx((0, 0, spacing), rel=0.01, abs=1e-6)


@pytest.mark.parametrize("place", [1, 10, 38])
@pytest.mark.parametrize("spacing", [0.3, 1.25, 5])
def test_a_missing_slice_is_counted(place: int, spacing: float) -> None:
    facts = measured(spacing * index for index in range(40) if index != place)
    assert (facts.missing, facts.even) == (1, False)
    assert facts.spacing_mm == pytest.approx(spacing)
    assert facts.warnings[0] == (
        f"missing slices: 1, in 1 of 38 steps; the widest is {2 * spacing:.4g} mm, {spacing:.4g} mm is usual"
    )
    assert len(facts.warnings) == 2
    assert facts.warnings[1].startswith(f"the affine takes {spacing:.4g} mm for all steps and is off by up to {spacing:.4g} mm")


def test_gaps_add_up() -> None:
    facts = measured(5.0 * index for index in range(40) if index not in (3, 20, 21, 22, 30))
    assert facts.missing == 5
    assert facts.warnings[0] == "missing slices: 5, in 3 of 34 steps; the widest is 20 mm, 5 mm is usual"


def test_three_slices_with_one_missing_between() -> None:
    assert measured([0, 5, 15]).missing == 1
    assert measured([0, 10, 15]).missing == 1


def test_two_spacings_are_not_taken_for_missing_slices() -> None:
    facts = measured([*np.arange(0, 50, 2.5), *np.arange(50, 151, 5)])
    assert facts.missing == 0 and not facts.even
    assert facts.warnings[0] == "2 spacings in one stack: 2.5 mm (20 times), 5 mm (20 times)"
    assert not any("uneven" in warning for warning in facts.warnings)


def test_a_gap_within_two_spacings_is_measured_by_its_neighbours() -> None:
    facts = measured([*np.arange(0, 50, 2.5), *np.arange(50, 100, 5), *np.arange(105, 151, 5)])
    assert facts.missing == 1
    assert facts.warnings[0] == "missing slices: 1, in 1 of 39 steps; the widest is 10 mm, 5 mm is usual"


def test_uneven_steps_are_told_with_their_range() -> None:
    facts = measured([0, 5, 10, 15, 22, 25.5, 30.5, 35.5, 40.5])
    assert facts.missing == 0 and not facts.even
    assert facts.warnings[0] == "uneven spacing: 2 of 8 steps are 3.5 to 7 mm, 5 mm is usual"


@pytest.mark.parametrize("degrees", [0.5, 15, 25])
def test_tilt_is_measured_and_sheared_into_the_step(degrees: float) -> None:
    facts = measured([5.0 * index for index in range(30)], shift=math.tan(math.radians(degrees)))
    assert facts.tilt_degrees == pytest.approx(degrees)
    assert facts.spacing_mm == pytest.approx(5)
    assert facts.step_mm == pytest.approx((0, 5 * math.tan(math.radians(degrees)), 5))
    assert len(facts.warnings) == 1
    assert facts.warnings[0].startswith(f"gantry tilt of {degrees:.1f}°: the slices drift in plane by ")


def test_tilt_as_scanners_write_it() -> None:
    """The table moves along z, the slices are turned about x: position drifts against the slices' own plane."""
    radians = math.radians(20)
    turned = (0, math.cos(radians), math.sin(radians))
    facts = measured([5.0 * index for index in range(30)], column_direction=turned, tilt_degrees=20)
    assert facts.tilt_degrees == pytest.approx(20)
    assert facts.step_mm == pytest.approx((0, 0, 5), abs=1e-9)
    assert facts.spacing_mm == pytest.approx(5 * math.cos(radians))


def test_a_drift_of_less_than_half_a_pixel_is_none() -> None:
    assert measured([1.0 * index for index in range(30)], shift=math.tan(math.radians(0.3))).warnings == ()


def test_a_tilt_that_the_positions_do_not_show_is_told() -> None:
    facts = measured([5.0 * index for index in range(30)], tilt_degrees=-15)
    assert facts.tilt_degrees == 0
    assert facts.warnings == ("Gantry/Detector Tilt (0018,1120) is 15.0°, but the positions show none: they are believed",)


def test_slices_reformatted_along_a_tilted_normal_do_not_drift() -> None:
    radians = math.radians(20)
    along = np.array([0, -math.sin(radians), math.cos(radians)])
    turned = (0, math.cos(radians), math.sin(radians))
    pieces = [replace(ONE, position=tuple(5 * k * along), column_direction=turned, tilt_degrees=20) for k in range(10)]
    assert stack_facts(pieces).warnings == ()


def test_an_unsteady_shift_is_no_tilt() -> None:
    for shifted in ((10, 11), range(15), range(3, 30)):
        pieces = [replace(ONE, position=(8.0 if k in shifted else 0.0, 0, 5.0 * k)) for k in range(30)]
        facts = stack_facts(pieces)
        (warning,) = facts.warnings
        assert facts.tilt_degrees == 0 and facts.step_mm == pytest.approx((0, 0, 5))
        assert warning.startswith("slices are shifted in plane by up to ") and warning.endswith("the affine leaves that out")


def test_tilt_is_found_beside_a_shifted_slice() -> None:
    slope = math.tan(math.radians(15))
    pieces = [replace(ONE, position=(0, slope * 5 * k + 4 * (k == 9), 5.0 * k)) for k in range(30)]
    facts = stack_facts(pieces)
    assert facts.tilt_degrees == pytest.approx(15)
    assert [warning.split(" ")[0] for warning in facts.warnings] == ["gantry", "slices"]
    assert "by up to 4 mm" in facts.warnings[1]


def test_one_slice_has_its_thickness_for_a_spacing() -> None:
    facts = measured([7])
    assert (facts.spacing_mm, facts.even) == (5, True)
    assert facts.warnings == ("one slice: the Slice Thickness (0018,0050) stands for the spacing",)


def test_one_slice_without_thickness_says_what_was_assumed() -> None:
    facts = measured([7], thickness_mm=None)
    assert facts.spacing_mm == 1
    assert facts.warnings == ("one slice without Slice Thickness (0018,0050): 1 mm stands for the spacing",)
