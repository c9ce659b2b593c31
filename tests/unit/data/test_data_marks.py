"""A file that kills its process is told from one that was there when a process died of something else."""

from pathlib import Path

import numpy as np

from medclassify.data.marks import KILLED_ITS_WORKER, Marks, prepare_marked
from medclassify.data.pieces import piece_size, read_piece, write_piece
from medclassify.data.prepare import PreparedImage
from medclassify.dicom import NewInstance, write_image
from medclassify.records import Exclusion, Preprocessing

SMALL = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5), interpolation="bicubic", window="voi")


def attempt(path: Path, *files: int) -> Marks:
    """One that died with the last of these files."""
    marks = Marks(path)
    for file in files:
        marks.at(file)
    return marks


def test_the_file_that_two_careful_attempts_ended_with_is_fatal_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    assert not attempt(path).careful
    assert attempt(path, 0, 1, 2).careful
    assert not Marks(path).fatal(2)  # and ends at once: no file is to blame for that
    attempt(path, 0, 1)
    attempt(path, 0, 1, 2)
    marks = Marks(path)
    assert [marks.fatal(file) for file in range(4)] == [False, False, True, False]
    marks.clear()
    assert not Marks(path).careful


def test_a_fatal_file_is_left_out_untouched_and_a_piece_keeps_all(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 4096, (40, 30 + number), dtype=np.uint16)
        write_image(tmp_path / f"{number}.dcm", pixels, NewInstance(patient_id="p", window_center=2048, window_width=4096))
        paths.append(str(tmp_path / f"{number}.dcm"))
    whole = list(prepare_marked(paths, SMALL, Marks(tmp_path / "first")))
    for _ in range(3):
        attempt(tmp_path / "marks", 0, 1, 2)
    results = list(prepare_marked(paths, SMALL, Marks(tmp_path / "marks")))
    assert results[2] == Exclusion(
        paths[2], KILLED_ITS_WORKER, f"{paths[2]}: {KILLED_ITS_WORKER}. Leave it out, or give the workers more memory."
    )
    write_piece(tmp_path / "piece.npz", results)
    for number, (read, made) in enumerate(zip(read_piece(tmp_path / "piece.npz"), whole, strict=True)):
        if number == 2:
            assert read == results[2]
            continue
        assert isinstance(read, PreparedImage) and isinstance(made, PreparedImage)
        np.testing.assert_array_equal(read.pixels, made.pixels)
        for name in ("geometry", "applied", "warnings", "pixel_sha256"):
            assert getattr(read, name) == getattr(made, name)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_piece_is_bounded_in_bytes_and_depends_on_the_work_alone() -> None:
    assert piece_size(10, SMALL) == 32 and piece_size(64 * 100, SMALL) == 100 and piece_size(10**6, SMALL) == 256
    large = Preprocessing(600, SMALL.mean, SMALL.std, "bicubic", "voi", ("lung", "bone", "brain"))
    assert piece_size(10**6, large) * 600 * 600 * 3 <= 1 << 26
