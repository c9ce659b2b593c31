import os
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from medclassify.dicom import NewInstance, find_images, read_header, write_image
from medclassify.errors import NotAnImageError, StorageError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    write_image(tmp_path / "b" / "no_extension", pixels, NewInstance())
    write_image(tmp_path / "a.txt", pixels, NewInstance(transfer_syntax="implicit"))
    write_image(tmp_path / "b" / ".hidden.dcm", pixels, NewInstance())
    write_image(tmp_path / ".git" / "c.dcm", pixels, NewInstance())
    (tmp_path / "c.bin").write_bytes(imagecodecs.png_encode(pixels))
    (tmp_path / "d").write_bytes(imagecodecs.jpeg8_encode(pixels.astype(np.uint8)))
    (tmp_path / "lies.dcm").write_text("this is a text, whatever its name says, and a long one at that" * 20)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("path,finding\n")
    return tmp_path


def names(found: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_content_decides_and_hidden_files_are_passed_over(tree: Path) -> None:
    assert names(find_images([tree]), tree) == ["a.txt", "b/no_extension", "c.bin", "d"]
    for path in find_images([tree]):
        assert read_header(path).rows == 3


def test_sources_that_overlap_give_each_file_once(tree: Path) -> None:
    assert names(find_images([tree, tree / "b", str(tree / "a.txt")]), tree) == ["a.txt", "b/no_extension", "c.bin", "d"]


def test_a_named_file_is_kept_so_that_reading_it_says_what_is_wrong(tree: Path) -> None:
    assert find_images([tree / "lies.dcm"]) == [tree / "lies.dcm"]
    with pytest.raises(NotAnImageError, match=r"lies\.dcm: not a DICOM, PNG or JPEG image\. Leave it out\."):
        read_header(tree / "lies.dcm")


def test_relative_paths_stay_relative(tree: Path, monkeypatch) -> None:
    monkeypatch.chdir(tree)
    assert find_images(["b"]) == [Path("b/no_extension")]


def test_links_are_followed_and_circles_end(tree: Path) -> None:
    (tree / "b" / "circle").symlink_to(tree, target_is_directory=True)
    elsewhere = tree.parent / f"{tree.name}-elsewhere"
    write_image(elsewhere / "far.dcm", np.zeros((2, 2), np.uint16), NewInstance())
    (tree / "link").symlink_to(elsewhere, target_is_directory=True)
    assert names(find_images([tree]), tree) == ["a.txt", "b/no_extension", "c.bin", "d", "link/far.dcm"]


def test_a_broken_link_is_kept_and_told_by_reading_it(tree: Path) -> None:
    (tree / "gone.dcm").symlink_to(tree / "nowhere.dcm")
    assert tree / "gone.dcm" in find_images([tree])
    with pytest.raises(NotAnImageError, match=r"gone\.dcm: no such file"):
        read_header(tree / "gone.dcm")


def test_a_pipe_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert tree / "pipe" not in find_images([tree])
    with pytest.raises(NotAnImageError, match="pipe: not a regular file"):
        read_header(tree / "pipe")


def test_a_folder_without_images_gives_nothing(tmp_path: Path) -> None:
    assert find_images([tmp_path]) == []


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere: no such file or folder"):
        find_images([tmp_path / "nowhere"])


def test_a_dicomdir_is_no_image_and_headerless_files_are(bundled, build, tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(bundled("dicomdirtests/DICOMDIR").read_bytes())
    for syntax in (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian):
        data = build(np.zeros((2, 2), np.uint16), syntax=syntax).read_bytes()
        (tmp_path / "made.dcm").write_bytes(data[data.index(b"\x08\x00\x16\x00") :])
        assert names(find_images([tmp_path]), tmp_path) == ["made.dcm"]


def test_every_image_of_the_bundled_files_is_found_and_no_text(corpus, bundled) -> None:
    found = find_images([bundled(".")])
    assert len(found) > 100
    assert {path.suffix for path in found} <= {".dcm", ""}
    assert not [path for path in found if path.name in ("README", "DICOMDIR")]


def test_files_are_not_read_to_their_end(tmp_path: Path) -> None:
    for index in range(40):
        with open(tmp_path / f"{index}.dcm", "wb") as handle:
            handle.write(b"\0" * 128 + b"DICM")
            handle.truncate(1 << 28)  # sparse: 256 MiB each that are never there
    start = time.perf_counter()
    assert len(find_images([tmp_path])) == 40
    assert time.perf_counter() - start < 2
