"""Volumes and streams of slices, against the values that were written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ct_files import COLUMNS, ROWS, write_enhanced, write_slice, write_stack

import medclassify.dicom.volume as volume_module
from medclassify.dicom import assemble_series, read_frames, read_slices, read_volume
from medclassify.errors import ConfigError, DecodeError, UnsupportedImageError
from medclassify.records import DicomVolume, Units

HEIGHTS = [5.0 * index for index in range(6)]


def volume_of(paths: list[Path]) -> DicomVolume:
    (series,), _ = assemble_series(paths)
    return read_volume(series)


def test_values_are_hounsfield_units_in_order(tmp_path: Path) -> None:
    volume = volume_of(write_stack(tmp_path, HEIGHTS))
    assert volume.pixels.shape == (6, ROWS, COLUMNS) and volume.pixels.dtype == np.float32
    assert volume.units is Units.HU and volume.spacing_mm == (5, 0.5, 0.75)
    np.testing.assert_array_equal(volume.pixels, np.broadcast_to(np.arange(0, 60, 10)[:, None, None], volume.pixels.shape))
    np.testing.assert_array_equal(volume.affine, volume.series.affine)
    assert volume.applied == ("rescale slope=1 intercept=-1024",)
    assert volume.warnings == ("constant image: every pixel is … (…: differs by slice)",)


def test_reversed_files_give_the_same_volume(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(-1000, 1000, (6, ROWS, COLUMNS)).astype(float)
    forward = [write_slice(tmp_path / f"a{k}.dcm", (0, 0, 5 * k), hu=pictures[k]) for k in range(6)]
    backward = [write_slice(tmp_path / f"b{5 - k}.dcm", (0, 0, 5 * k), hu=pictures[k]) for k in range(6)]
    one, other = volume_of(forward), volume_of(backward[::-1])
    np.testing.assert_array_equal(one.pixels, pictures)
    np.testing.assert_array_equal(other.pixels, pictures)
    np.testing.assert_array_equal(other.affine, one.affine)
    assert one.warnings == ()


@pytest.mark.parametrize("heights", [HEIGHTS, HEIGHTS[::-1], [10, 0, 25, 5, 20, 15]])
def test_enhanced_frames_are_read_with_their_own_rescale(tmp_path: Path, heights: list[float]) -> None:
    volume = volume_of([write_enhanced(tmp_path / "e.dcm", heights)])
    expected = 10 * np.argsort(heights)
    np.testing.assert_array_equal(volume.pixels[:, 0, 0], expected)
    assert volume.units is Units.HU and volume.spacing_mm == (5, 0.5, 0.75)
    assert volume.applied == ("rescale slope=… intercept=… (…: differs by slice)",)


def test_frames_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "e.dcm", HEIGHTS)

    def values(frames: list[int] | None) -> list[float]:
        return [image.pixels[0, 0].item() for image in read_frames(path, window="none", frames=frames)]

    assert values([4, 0, 0, 2]) == [40, 0, 0, 20]
    assert values(None) == [0, 10, 20, 30, 40, 50]
    assert values([3]) == [30] and values([]) == []
    for wrong in ([6], [1, -1]):
        with pytest.raises((ConfigError, DecodeError), match="frame"):
            values(wrong)


def test_two_enhanced_files_make_one_stack(tmp_path: Path) -> None:
    paths = [write_enhanced(tmp_path / f"{k}.dcm", HEIGHTS[k::2], SOPInstanceUID=f"2.25.{k + 1}") for k in range(2)]
    volume = volume_of(paths)
    np.testing.assert_array_equal(volume.pixels[:, 0, 0], [0, 0, 10, 10, 20, 20])


def test_slices_are_streamed_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (series,), _ = assemble_series(write_stack(tmp_path, HEIGHTS))
    opened: list[str] = []
    real = volume_module.read_image
    monkeypatch.setattr(volume_module, "read_image", lambda path, **options: opened.append(path) or real(path, **options))
    stream = read_slices(series)
    assert isinstance(stream, Iterator) and opened == []
    assert next(stream).pixels[0, 0] == 0 and len(opened) == 1
    assert [image.pixels[0, 0] for image in stream] == [10, 20, 30, 40, 50]
    assert opened == [piece.path for piece in series.slices]


def test_remarks_on_some_slices_say_on_how_many(tmp_path: Path) -> None:
    picture = np.linspace(-900, 900, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    paths = write_stack(tmp_path, HEIGHTS, hu=picture)
    write_slice(paths[2], (-100, -80, 10), hu=picture, BurnedInAnnotation="YES")
    write_slice(paths[4], (-100, -80, 20), hu=7)
    assert volume_of(paths).warnings == (
        "Burned In Annotation (0028,0301) is YES: the pixels may name the patient (1 of 6 slices)",
        "constant image: every pixel is 7 (1 of 6 slices)",
    )


def test_warnings_of_the_series_come_first(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    volume = volume_of(paths[:2] + paths[3:])
    assert volume.warnings[:2] == volume.series.warnings and "missing slices: 1" in volume.warnings[0]
    np.testing.assert_array_equal(volume.pixels[:, 0, 0], [0, 10, 30, 40, 50])


def test_an_mr_is_not_in_hounsfield_units(tmp_path: Path) -> None:
    assert volume_of(write_stack(tmp_path, HEIGHTS, Modality="MR")).units is Units.STORED


def test_slices_in_different_units_are_refused(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS[:3]) + write_stack(tmp_path, HEIGHTS[3:], name="t", RescaleType="US")
    with pytest.raises(UnsupportedImageError, match=r"s000\.dcm: some slices of its series are in Hounsfield units, others"):
        volume_of(paths)


def test_a_damaged_slice_names_its_file_and_spares_those_before(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    (series,), _ = assemble_series(paths)
    paths[3].write_bytes(paths[3].read_bytes()[:-40])
    with pytest.raises(DecodeError, match=r"s003\.dcm: the file is cut off"):
        read_volume(series)
    seen = []
    with pytest.raises(DecodeError):
        seen.extend(image.pixels[0, 0] for image in read_slices(series))
    assert seen == [0, 10, 20]


def test_a_slice_that_changed_since_is_refused(tmp_path: Path) -> None:
    paths = write_stack(tmp_path, HEIGHTS)
    (series,), _ = assemble_series(paths)
    write_slice(paths[1], (-100, -80, 5), hu=np.zeros((4, 4)))
    with pytest.raises(DecodeError, match=rf"s001\.dcm: 4 × 4 pixels, but {ROWS} × {COLUMNS} when the series was assembled"):
        read_volume(series)


def test_a_volume_beyond_the_bound_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    (series,), _ = assemble_series(write_stack(tmp_path, HEIGHTS))
    giant = replace(series, slices=tuple(replace(piece, rows=60000, columns=60000) for piece in series.slices))
    with pytest.raises(
        UnsupportedImageError, match=r"6 × 60000 × 60000 pixels takes 82397 MiB; at most 4096 MiB are read at once"
    ):
        read_volume(giant)


def test_real_slices_are_series_in_hounsfield_units(real_data: Path) -> None:
    """GE (intercept −1024, padding −2000) and Toshiba (intercept 0): air is about −1000, soft tissue lies in 0 to 80."""
    series, quarantined = assemble_series(sorted((real_data / "ct").glob("*.dcm")))
    assert len(series) == 20 and quarantined == []
    airs = []
    for one in series:
        volume = read_volume(one)
        assert volume.units is Units.HU and volume.pixels.shape == (1, 512, 512)
        values = volume.pixels[0]
        body = values[100:412, 100:412]
        tissue = body[(body > -50) & (body < 150)]
        assert 0 < np.median(tissue) < 80, one.slices[0].path
        airs.append(np.median(values[(values > -1200) & (values < -900)]))  # Toshiba writes −2048 beside the field of view
        assert -1030 < airs[-1] < -930, one.slices[0].path
    assert abs(np.median(airs) + 1000) < 30
