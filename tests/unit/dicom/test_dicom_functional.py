"""Enhanced multi-frame objects: rescale, window and spacing of each frame stand in its functional groups."""

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from medclassify.dicom import read_frames, read_image
from medclassify.errors import DecodeError
from medclassify.records import Units

PIXELS = np.arange(24, dtype=np.int16).reshape(2, 3, 4) * 50


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def rescale(slope: str, intercept: str) -> list[Dataset]:
    return [item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU")]


def voi(center: str, width: str) -> list[Dataset]:
    return [item(WindowCenter=center, WindowWidth=width, VOILUTFunction="LINEAR_EXACT")]


SHARED = item(
    PixelMeasuresSequence=[item(PixelSpacing=["0.5", "0.6"], SliceThickness="2")],
    PixelValueTransformationSequence=rescale("1", "-1024"),
    FrameVOILUTSequence=voi("-500", "1000"),
)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_shared_groups_hold_for_every_frame(build, syntax) -> None:
    path = build(PIXELS, syntax=syntax, Modality="CT", SharedFunctionalGroupsSequence=[SHARED])
    for number, image in enumerate(read_frames(path, window="none")):
        np.testing.assert_array_equal(image.pixels, PIXELS[number] - 1024.0)
        assert image.units is Units.HU and image.warnings == ()
        assert image.header.spacing_mm == (0.5, 0.6) and image.header.spacing_source == "PixelSpacing"
    shown = read_image(path, frame=1)
    np.testing.assert_allclose(shown.pixels, np.clip((PIXELS[1] - 1024 + 1000) / 1000, 0, 1), atol=1e-6)
    assert shown.applied == ("rescale slope=1 intercept=-1024", "window -500/1000 LINEAR_EXACT")


def test_a_frame_s_own_groups_go_before_the_shared_ones(build) -> None:
    own = [item(PixelValueTransformationSequence=rescale("2", str(-100 * number))) for number in range(2)]
    path = build(PIXELS, Modality="CT", SharedFunctionalGroupsSequence=[SHARED], PerFrameFunctionalGroupsSequence=own)
    np.testing.assert_array_equal(read_image(path, window="none", frame=0).pixels, PIXELS[0] * 2.0)
    np.testing.assert_array_equal(read_image(path, window="none", frame=1).pixels, PIXELS[1] * 2.0 - 100)


def test_an_enhanced_object_of_one_frame_needs_no_name(build) -> None:
    path = build(PIXELS[:1], Modality="CT", SharedFunctionalGroupsSequence=[SHARED])
    np.testing.assert_array_equal(read_image(path, window="none").pixels, PIXELS[0] - 1024.0)


def test_a_frame_without_its_group_is_refused(build) -> None:
    own = [item(PixelValueTransformationSequence=rescale("2", "0"))]
    path = build(PIXELS, SharedFunctionalGroupsSequence=[], PerFrameFunctionalGroupsSequence=own)
    assert read_image(path, frame=0).applied[0] == "rescale slope=2 intercept=0"
    with pytest.raises(DecodeError, match=r"Per-Frame Functional Groups Sequence \(5200,9230\) describes 1 frames, frame 1 is"):
        read_image(path, frame=1)


def test_damaged_groups_are_told_in_one_line(build) -> None:
    path = build(PIXELS, Modality="CT", SharedFunctionalGroupsSequence=[SHARED])
    data = bytearray(path.read_bytes())
    inner = data.index(b"\x28\x00\x45\x91SQ")  # Pixel Value Transformation Sequence
    data[inner + 4 : inner + 6] = b"XX"  # no VR at all
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"made\.dcm: the (header is|functional groups are) damaged"):
        read_image(path, frame=0)
