"""Series assembled from files: each fault planted on its own, and what becomes of every file."""

import math
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from ct_files import AXIAL, COLUMNS, CORONAL, ROWS, write_enhanced, write_slice, write_stack

from medclassify.dicom import assemble_series, read_slice_geometry
from medclassify.dicom.series import AssembledSeries
from medclassify.records import Quarantine

HEIGHTS = [5.0 * index for index in range(8)]


def assembled(paths: list[Path]) -> AssembledSeries:
    """Assembles, and checks that no file is lost and nothing names the patient."""
    result = assemble_series(paths)
    known = [{piece.path for piece in series.slices} for series in result.series]
    known += [set(item.paths) for item in result.quarantined]
    assert set().union(*known) == {str(path) for path in paths}
    assert sum(map(len, known)) == len(set(paths))
    assert "CANARY" not in repr(result)
    return result


def the_one(quarantined: list[Quarantine]) -> Quarantine:
    (item,) = quarantined
    assert "\n" not in item.detail
    return item


def test_a_faultless_series_is_one_stack_without_a_word(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    (series,), quarantined = assembled(paths)
    assert quarantined == []
    assert series.shape == (8, ROWS, COLUMNS)
    assert series.spacing_mm == (5, 0.5, 0.75)
    assert (series.part, series.parts, series.missing, series.even, series.tilt_degrees) == (0, 1, 0, True, 0)
    assert series.warnings == ()
    assert [piece.path for piece in series.slices] == list(map(str, paths))


def test_the_affine_takes_indices_to_the_patient(tmp_path: Path) -> None:
    """PS3.3 C.7.6.2.1.1 by hand: the row index moves along the second half of the orientation, by the first spacing."""
    (series,), _ = assembled(write_stack(tmp_path, HEIGHTS))
    np.testing.assert_allclose(series.affine @ [0, 0, 0, 1], [-100, -80, 0, 1])
    np.testing.assert_allclose(series.affine @ [2, 3, 4, 1], [-100 + 4 * 0.75, -80 + 3 * 0.5, 10, 1])
    folder = tmp_path / "coronal"
    paths = [
        write_slice(folder / f"{k}.dcm", (-50, 40 - 2 * k, 90), ImageOrientationPatient=list(CORONAL), series="2.25.6")
        for k in range(4)
    ]
    (series,), _ = assembled(paths)  # row × column of this orientation is +y, to the back
    np.testing.assert_allclose(series.affine @ [0, 0, 0, 1], [-50, 34, 90, 1])
    np.testing.assert_allclose(series.affine @ [1, 3, 4, 1], [-50 + 4 * 0.75, 36, 90 - 3 * 0.5, 1])


def test_order_of_files_names_and_instance_numbers_play_no_part(tmp_path: Path) -> None:
    forward = write_stack(tmp_path / "a", HEIGHTS)
    backward = write_stack(tmp_path / "b", HEIGHTS[::-1])
    shuffled = random.Random(0).sample(forward, len(forward))
    expected = assembled(forward).series[0]
    assert assembled(forward[::-1]).series == assembled(shuffled).series == [expected]
    reversed_names = assembled(backward).series[0]
    np.testing.assert_array_equal(reversed_names.affine, expected.affine)
    assert [piece.position for piece in reversed_names.slices] == [piece.position for piece in expected.slices]


def test_a_file_that_is_named_twice_is_one(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    pieces = [piece for path in paths for piece in read_slice_geometry(path)]
    assert assembled(paths * 2) == assembled(paths)
    assert assemble_series(pieces * 2) == assemble_series(paths)


def test_geometry_read_before_gives_the_same_series(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    pieces = [piece for path in paths for piece in read_slice_geometry(path)]
    assert assemble_series(pieces) == assemble_series(paths)


def test_several_series_keep_apart(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS) + write_stack(tmp_path, HEIGHTS, name="t", series="2.25.5")
    series, quarantined = assembled(paths)
    assert [one.series_uid for one in series] == ["2.25.3", "2.25.5"] and quarantined == []
    assert all(one.parts == 1 and one.warnings == () for one in series)


def test_a_missing_slice_is_told_and_the_series_kept(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    (series,), quarantined = assembled(paths[:3] + paths[4:])
    assert (series.missing, series.even, len(series.slices)) == (1, False, 7) and quarantined == []
    assert series.warnings[0].startswith("missing slices: 1, in 1 of 6 steps; the widest is 10 mm, 5 mm is usual")


def test_a_series_of_which_most_is_missing_is_quarantined(tmp_path: Path) -> None:
    series, quarantined = assembled(write_stack(tmp_path, [0, 5, 10, 200]))
    assert series == []
    assert the_one(quarantined).reason == "incomplete"
    assert quarantined[0].detail == "37 slices seem to be missing, 4 are there. Export the series again."


def test_two_slice_spacings_are_told(tmp_path: Path) -> None:
    (series,), _ = assembled(write_stack(tmp_path, [0, 2.5, 5, 7.5, 10, 15, 20, 25, 30]))
    assert series.missing == 0 and not series.even
    assert series.warnings[0] == "2 spacings in one stack: 2.5 mm (4 times), 5 mm (4 times)"


def test_tilt_is_told_and_sheared_into_the_affine(tmp_path: Path) -> None:
    slope = math.tan(math.radians(12))
    (series,), quarantined = assembled(write_stack(tmp_path, HEIGHTS, shear=(0, slope), GantryDetectorTilt=12))
    assert quarantined == [] and series.even
    assert series.tilt_degrees == pytest.approx(12, abs=0.01)
    assert len(series.warnings) == 1 and series.warnings[0].startswith("gantry tilt of 12.0°")
    last = series.affine @ [7, 0, 0, 1]
    np.testing.assert_allclose(last[:3], series.slices[7].position, atol=1e-3)


def test_localizers_are_left_out(tmp_path: Path) -> None:
    scout = write_slice(
        tmp_path / "scout.dcm",
        (-100, 0, 50),
        hu=np.zeros((20, 8)),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=list(CORONAL),
    )
    (series,), quarantined = assembled([*write_stack(tmp_path, HEIGHTS), scout])
    assert len(series.slices) == 8 and series.warnings == ()
    assert the_one(quarantined) == Quarantine(
        "2.25.3", (str(scout),), "localizer", "1 slice of Image Type (0008,0008) LOCALIZER."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ImageOrientationPatient": list(CORONAL)}, "1 slice turned by 90° beside a stack of 8."),
        ({"hu": np.zeros((20, 8))}, f"1 slice of 20 × 8 pixels, not {ROWS} × {COLUMNS}, beside a stack of 8."),
        ({"PixelSpacing": [0.9, 0.9]}, "1 slice with pixels of 0.9 × 0.9 mm beside a stack of 8."),
        ({"ConvolutionKernel": "BONE"}, "1 slice of another reconstruction kernel beside a stack of 8."),
        ({"FrameOfReferenceUID": "2.25.99"}, "1 slice of another frame of reference or modality beside a stack of 8."),
    ],
)
def test_a_lone_slice_that_differs_is_left_out(tmp_path: Path, changes: dict, words: str) -> None:
    stray = write_slice(tmp_path / "z.dcm", (-100, -80, 100), **changes)
    (series,), quarantined = assembled([*write_stack(tmp_path, HEIGHTS), stray])
    assert the_one(quarantined) == Quarantine("2.25.3", (str(stray),), "stray slice", words)
    assert series.warnings == (f"left out: {words}",)


def test_a_pair_of_scouts_in_one_plane_is_left_out_but_a_pair_of_slices_is_kept(tmp_path: Path) -> None:
    stack = write_stack(tmp_path, HEIGHTS)
    scouts = [
        write_slice(tmp_path / f"scout{k}.dcm", (-100, 20.0 * k, 50), ImageOrientationPatient=list(CORONAL)) for k in range(2)
    ]
    _, quarantined = assembled([*stack, *scouts])
    assert the_one(quarantined).detail == "2 slices turned by 90° beside a stack of 8."
    pair = write_stack(tmp_path, [0, 5], name="p", PixelSpacing=[1, 1])
    series, quarantined = assembled([*stack, *pair])
    assert [len(one.slices) for one in series] == [8, 2] and quarantined == []


@pytest.mark.parametrize(
    "changes",
    [
        {"PixelSpacing": [0.9, 0.9]},
        {"hu": np.zeros((20, 8))},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0.9, math.sqrt(1 - 0.81)]},
        {"ConvolutionKernel": "BONE"},
        {"FrameOfReferenceUID": "2.25.99"},
    ],
)
def test_stacks_that_share_a_uid_are_told_apart(tmp_path: Path, changes: dict) -> None:
    mixed = write_stack(tmp_path, HEIGHTS) + write_stack(tmp_path, HEIGHTS[:5], name="t", **changes)
    series, quarantined = assembled(mixed)
    assert [len(one.slices) for one in series] == [8, 5] and quarantined == []
    assert [(one.part, one.parts) for one in series] == [(0, 2), (1, 2)]
    assert series[0].warnings == ("2 stacks share this Series Instance UID (0020,000E); this is number 1",)
    assert all(Path(piece.path).name.startswith("t") for piece in series[1].slices)


def test_rounding_of_directions_and_spacings_tells_nothing_apart(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS[:4], ImageOrientationPatient=[0.99999, 0.0001, 0, -0.0001, 0.99999, 0])
    paths += write_stack(tmp_path, HEIGHTS[4:], name="t", PixelSpacing=[0.50001, 0.75001])
    (series,), quarantined = assembled(paths)
    assert len(series.slices) == 8 and quarantined == []
    for piece in series.slices:
        assert np.dot(piece.row_direction, piece.column_direction) == pytest.approx(0, abs=1e-12)
        assert np.linalg.norm(piece.row_direction) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "changes", [{"AcquisitionNumber": 2}, {"SliceThickness": 2}, {"ImageType": ["DERIVED", "SECONDARY", "MIP"]}]
)
def test_two_passes_over_one_range_are_told_apart(tmp_path: Path, changes: dict) -> None:
    paths = write_stack(tmp_path, HEIGHTS, AcquisitionNumber=1) + write_stack(
        tmp_path, HEIGHTS[:6], name="t", **({"AcquisitionNumber": 1} | changes)
    )
    series, quarantined = assembled(paths)
    assert [len(one.slices) for one in series] == [8, 6] and quarantined == []
    assert all(one.even for one in series)


def test_one_pass_of_several_acquisitions_or_thicknesses_stays_one_stack(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS[:4], AcquisitionNumber=1)
    paths += write_stack(tmp_path, HEIGHTS[4:], name="t", AcquisitionNumber=2, SliceThickness=10)
    (series,), quarantined = assembled(paths)
    assert len(series.slices) == 8 and series.even and quarantined == []


def test_two_images_at_one_position_quarantine_the_series(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    other = write_slice(tmp_path / "z.dcm", (-100, -80, 15), hu=99)
    good = write_stack(tmp_path, HEIGHTS, name="t", series="2.25.5")
    series, quarantined = assembled([*paths, other, *good])
    assert [one.series_uid for one in series] == ["2.25.5"]
    item = the_one(quarantined)
    assert item.reason == "two images at one position" and len(item.paths) == 9
    assert item.detail == (
        f"1 of 9 slices lie where another does (first: {paths[3]} and {other}), "
        "and neither acquisition, thickness nor image type tells them apart."
    )


def test_slices_that_were_sent_again_under_new_uids_are_left_out(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    again = [write_slice(tmp_path / f"z{k}.dcm", (-100, -80, 5 * k), hu=10 * k) for k in (2, 7)]
    (series,), quarantined = assembled([*paths, *again])
    assert [piece.path for piece in series.slices] == list(map(str, paths)) and series.warnings == ()
    assert [(item.reason, item.paths) for item in quarantined] == [("copy of a slice", (str(path),)) for path in again]
    assert quarantined[0].detail == f"{again[0]}: where {paths[2]} lies, with the same pixels."
    other = write_slice(tmp_path / "zz.dcm", (-100, -80, 15), hu=99)
    series, quarantined = assembled([*paths, *again, other])
    assert series == [] and the_one(quarantined).detail.startswith("3 of 11 slices lie where another does")


def test_a_repeat_that_cannot_be_read_is_no_copy(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    write_slice(tmp_path / "z.dcm", (-100, -80, 15), hu=30, BitsStored=0)
    series, quarantined = assembled([*paths, tmp_path / "z.dcm"])
    assert series == [] and the_one(quarantined).reason == "two images at one position"


def test_one_instance_in_two_files_is_one_slice(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    copy = tmp_path / "z.dcm"
    shutil.copy(paths[2], copy)
    (series,), quarantined = assembled([copy, *paths])
    assert len(series.slices) == 8 and series.warnings == ()
    assert the_one(quarantined) == Quarantine(
        "2.25.3",
        (str(copy),),
        "copy of an instance",
        f"{copy}: the same SOP Instance UID (0008,0018) as {paths[2]}, which is taken.",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": None}, "no usable Image Position (Patient) (0020,0032), so its place in the stack is not known."),
        ({"position": (0, 0)}, "no usable Image Position (Patient) (0020,0032)"),
        ({"position": (0, 0, 1e9)}, "no usable Image Position (Patient) (0020,0032)"),
        ({"ImageOrientationPatient": None}, "Image Orientation (Patient) (0020,0037) is not two unit vectors at a right angle"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "Image Orientation (Patient) (0020,0037) is not two unit vectors"),
        ({"ImageOrientationPatient": [2, 0, 0, 0, 2, 0]}, "Image Orientation (Patient) (0020,0037) is not two unit vectors"),
        ({"PixelSpacing": None}, "no usable Pixel Spacing (0028,0030), so its size is not known."),
        ({"PixelSpacing": [0, 0.5]}, "no usable Pixel Spacing (0028,0030)"),
    ],
)
def test_a_slice_that_does_not_say_where_it_lies_is_quarantined_alone(tmp_path: Path, changes: dict, words: str) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    lost = write_slice(tmp_path / "z.dcm", **({"position": (-100, -80, 40)} | changes))
    (series,), quarantined = assembled([*paths, lost])
    item = the_one(quarantined)
    assert (item.series_uid, item.paths, item.reason) == ("2.25.3", (str(lost),), "no place in the stack")
    assert item.detail.startswith(f"{lost}: {words}")
    assert len(series.slices) == 8
    assert series.warnings == ("left out: files of this series that do not say where they lie: 1",)


def test_a_series_without_positions_does_not_stop_the_others(tmp_path: Path) -> None:
    lost = [write_slice(tmp_path / f"z{k}.dcm", None, series="2.25.8") for k in range(3)]
    series, quarantined = assembled([*lost, *write_stack(tmp_path, HEIGHTS)])
    assert [one.series_uid for one in series] == ["2.25.3"]
    assert {(item.series_uid, item.reason) for item in quarantined} == {("2.25.8", "no place in the stack")}


def test_damaged_files_and_other_things_are_quarantined(tmp_path: Path, bundled) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    paths[3].write_bytes(paths[3].read_bytes()[:-40])
    (tmp_path / "notes.txt").write_text("no image")
    text, absent, report = tmp_path / "notes.txt", tmp_path / "absent.dcm", bundled("reportsi.dcm")
    (series,), quarantined = assembled([*paths, text, absent, report])
    assert series.missing == 1
    assert {item.paths[0]: item.reason for item in quarantined} == {
        str(paths[3]): "unreadable",
        str(text): "not an image",
        str(absent): "not an image",
        str(report): "not an image",
    }
    assert "cut off" in quarantined[0].detail


def test_a_picture_is_no_slice(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4), np.uint8))
    series, quarantined = assembled([tmp_path / "a.png"])
    assert series == [] and "a PNG picture does not say where it lies" in the_one(quarantined).detail


def test_a_series_of_two_patients_is_quarantined(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS) + write_stack(tmp_path, [50, 55, 60], name="t", PatientID="p2")
    series, quarantined = assembled(paths)
    assert series == [] and the_one(quarantined).reason == "mixed patients"
    assert quarantined[0].detail.startswith("one Series Instance UID (0020,000E) for 2 patients or studies")


def test_slices_without_a_series_are_quarantined(tmp_path: Path) -> None:
    series, quarantined = assembled(write_stack(tmp_path, HEIGHTS, SeriesInstanceUID=""))
    assert series == [] and the_one(quarantined).reason == "no series"


def test_a_single_slice_is_a_series(tmp_path: Path) -> None:
    (series,), quarantined = assembled(write_stack(tmp_path, [3]))
    assert series.shape == (1, ROWS, COLUMNS) and series.spacing_mm[0] == 5 and quarantined == []
    assert series.warnings == ("one slice: the Slice Thickness (0018,0050) stands for the spacing",)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"])
def test_geometry_is_read_in_every_encoding_of_the_header(tmp_path: Path, syntax: str) -> None:
    path = write_slice(tmp_path / "a.dcm", (1, 2, 3), syntax=syntax)
    (piece,) = read_slice_geometry(path)
    assert (piece.position, piece.spacing_mm, piece.thickness_mm) == ((1, 2, 3), (0.5, 0.75), 5)
    assert (*piece.row_direction, *piece.column_direction) == AXIAL
    assert piece.image_type == ("ORIGINAL", "PRIMARY", "AXIAL") and piece.frame is None


def test_enhanced_frames_are_slices(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "e.dcm", HEIGHTS)
    (series,), quarantined = assembled([path])
    assert quarantined == [] and series.warnings == () and series.spacing_mm == (5, 0.5, 0.75)
    assert [piece.frame for piece in series.slices] == list(range(8))
    assert [piece.position[2] for piece in series.slices] == HEIGHTS
    assert series.slices[0].kernel == "SOFT"
    backward = write_enhanced(tmp_path / "f.dcm", HEIGHTS[::-1])
    (other,), _ = assembled([backward])
    assert [piece.frame for piece in other.slices] == list(range(7, -1, -1))
    np.testing.assert_array_equal(other.affine, series.affine)


def test_enhanced_frames_of_two_stacks_and_times_are_told_apart(tmp_path: Path) -> None:
    own = [{"FrameContentSequence": {"StackID": "1", "TemporalPositionIndex": 1 + k // 4}} for k in range(8)]
    path = write_enhanced(tmp_path / "e.dcm", HEIGHTS[:4] * 2, own=own)
    result = assemble_series([path])
    assert [[piece.frame for piece in one.slices] for one in result.series] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    plain = assemble_series([write_enhanced(tmp_path / "f.dcm", HEIGHTS[:4] * 2)])
    assert plain.series == [] and the_one(plain.quarantined).reason == "two images at one position"
    assert f"{tmp_path / 'f.dcm'} frame 0 and {tmp_path / 'f.dcm'} frame 4" in plain.quarantined[0].detail


def test_an_enhanced_localizer_frame_is_left_out(tmp_path: Path) -> None:
    own = [
        {"CTImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]}} if k == 0 else {}
        for k in range(8)
    ]
    shared = {"CTImageFrameTypeSequence": {}}
    result = assemble_series([write_enhanced(tmp_path / "e.dcm", HEIGHTS, own=own, shared=shared)])
    assert [piece.frame for piece in result.series[0].slices] == list(range(1, 8))
    assert the_one(result.quarantined).reason == "localizer"


def test_an_enhanced_object_that_does_not_describe_its_frames_is_quarantined(tmp_path: Path) -> None:
    few = write_enhanced(tmp_path / "few.dcm", HEIGHTS, described=5)
    lost = write_enhanced(tmp_path / "lost.dcm", HEIGHTS, own=[{"PlanePositionSequence": {}}] * 8)
    series, quarantined = assembled([few, lost])
    assert series == []
    assert [item.reason for item in quarantined] == ["unreadable", "no place in the stack"]
    assert "8 frames (0028,0008), but (5200,9230) describes 5" in quarantined[0].detail
    assert f"{lost}: frame 0: no usable Image Position (Patient)" in quarantined[1].detail


def test_frames_without_a_description_have_no_place(bundled) -> None:
    item = the_one(assembled([bundled("rtdose.dcm")]).quarantined)
    assert item.reason == "no place in the stack"
    assert "15 frames without Per-frame Functional Groups (5200,9230)" in item.detail


def test_a_malformed_number_is_as_good_as_absent(tmp_path: Path) -> None:
    place = write_slice(tmp_path / "a.dcm", (1, 2, 3))
    data = place.read_bytes()
    assert data.count(b"1\\2\\3") == 1
    place.write_bytes(data.replace(b"1\\2\\3", b"1\\x\\3"))
    assert the_one(assembled([place]).quarantined).reason == "no place in the stack"
    optional = write_slice(tmp_path / "b.dcm", (1, 2, 3), SliceThickness="77")
    optional.write_bytes(optional.read_bytes().replace(b"DS\x02\x0077", b"DS\x02\x00x7"))
    (piece,) = read_slice_geometry(optional)
    assert piece.thickness_mm is None and piece.position == (1, 2, 3)


def test_damaged_groups_are_one_line(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "e.dcm", HEIGHTS)
    data = bytearray(path.read_bytes())
    inner = data.index(b"\x20\x00\x13\x91SQ")  # Plane Position Sequence
    data[inner + 4 : inner + 6] = b"XX"  # no VR at all
    path.write_bytes(data)
    item = the_one(assembled([path]).quarantined)
    assert item.reason == "unreadable" and item.detail.startswith(f"{path}: the ") and "damaged" in item.detail


def test_the_whole_corpus_is_sorted_without_an_exception(corpus: list[Path]) -> None:
    series, quarantined = assembled(corpus)
    assert len(series) > 20 and len({item.reason for item in quarantined}) > 5


@pytest.mark.parametrize("kind", ["slice", "enhanced"])
def test_mutated_headers_end_in_a_stack_or_in_quarantine(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.dcm"
    (write_slice(path, (1, 2, 3)) if kind == "slice" else write_enhanced(path, HEIGHTS))
    original, rng, ends = path.read_bytes(), np.random.default_rng(0), set()
    for _ in range(150):
        data = bytearray(original)
        for place in rng.integers(132, len(data), 1 + rng.integers(6)):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        series, quarantined = assemble_series([path])
        assert {piece.path for one in series for piece in one.slices} | {p for item in quarantined for p in item.paths} == {
            str(path)
        }
        assert all("\n" not in item.detail and "CANARY" not in item.detail for item in quarantined)
        ends.add(bool(series))
    assert ends == {True, False}


def test_bundled_exams(bundled) -> None:
    """What pydicom ships: a CT of 2.5 mm, its two scouts, and four slices out of a long series."""
    folder = bundled("dicomdirtests")
    series, quarantined = assembled(list(folder.glob("[79]*/CT*/*")))
    assert [(one.shape, round(one.spacing_mm[0], 3), one.warnings) for one in series] == [((5, 16, 16), 2.5, ())]
    assert sorted((item.reason, len(item.paths)) for item in quarantined) == [("incomplete", 4), ("localizer", 2)]
