import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from medclassify.manifest import near_duplicates
from medclassify.manifest.neighbours import candidates
from medclassify.manifest.similarity import SAME_IMAGE
from medclassify.manifest.thumbnails import SIDE, thumbnails
from medclassify.records import Preprocessing

Picture = NDArray[np.float32]
SIZE = 160


def chest(seed: int) -> Picture:
    """Something like a chest, float32 (320, 280) in [0, 1]: what all have in common, and detail of its own."""
    generator = np.random.default_rng(seed)
    down, across = np.mgrid[-1:1:320j, -1:1:280j]
    shape = 0.7 - 0.5 * np.exp(-(((np.abs(across) - 0.45) / 0.3) ** 2) - (down / 0.6) ** 2) + 0.1 * np.sin(14 * down)
    own = sum(cv2.GaussianBlur(generator.normal(0, 1, (320, 280)), (0, 0), sigma) * sigma * 0.06 for sigma in (3, 6, 12))
    return np.clip(shape + own, 0.02, 1).astype(np.float32)


def square(picture: Picture) -> NDArray[np.uint8]:
    """uint8 (1, SIZE, SIZE): the longer side fills it, the rest is black, as in the prepared store."""
    scale = SIZE / max(picture.shape)
    height, width = (max(1, round(side * scale)) for side in picture.shape)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    result = np.zeros((1, SIZE, SIZE), np.uint8)
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    resized = np.clip(cv2.resize(picture, (width, height), interpolation=method), 0, 1)
    result[0, top : top + height, left : left + width] = np.rint(255 * resized)
    return result


def compressed(picture: Picture) -> Picture:
    _, code = cv2.imencode(".jpg", np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(code, 0).astype(np.float32) / 255


def windowed(picture: Picture) -> Picture:
    low, high = np.quantile(picture, (0.04, 0.96))
    return np.clip((picture - low) / (high - low), 0, 1)


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "the same": lambda picture: picture,
    "compressed": compressed,
    "half the size": lambda picture: cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "larger": lambda picture: cv2.resize(picture, None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC),
    "cropped": lambda picture: np.ascontiguousarray(picture[12:-9, 4:-11]),
    "padded with black": lambda picture: np.pad(picture, ((40, 10), (0, 30))),
    "padded with white": lambda picture: np.pad(picture, ((20, 20), (25, 5)), constant_values=1),
    "windowed": windowed,
    "brightened": lambda picture: picture**0.6,
    "inverted": lambda picture: 1 - picture,
    "inverted, padded, smaller, compressed": lambda picture: compressed(
        1 - np.pad(cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA), 15)
    ),
    "annotated": lambda picture: cv2.rectangle(picture.copy(), (14, 24), (40, 34), 1.0, -1),
}


@pytest.fixture(scope="module")
def others() -> NDArray[np.uint8]:
    return np.stack([square(chest(seed)) for seed in range(60)])


def named(images: NDArray[np.uint8]) -> list[str]:
    return [str(row) for row in range(len(images))]


def test_different_pictures_are_never_taken_for_one(others: NDArray[np.uint8]) -> None:
    assert near_duplicates(others, named(others), named(others)) == ()


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found(others: NDArray[np.uint8], name: str) -> None:
    images = np.concatenate([others, square(COPIES[name](chest(17)))[None]])
    found = near_duplicates(images, named(images), named(images))
    assert [(pair.first, pair.second) for pair in found] == [("17", "60")]
    assert SAME_IMAGE <= found[0].similarity <= 1.001


def test_images_of_one_patient_are_not_compared(others: NDArray[np.uint8]) -> None:
    images = np.concatenate([others, others[:1]])
    patients = [*named(others), "0"]
    assert near_duplicates(images, named(images), patients) == ()


def test_pairs_come_once_and_the_most_similar_first(others: NDArray[np.uint8]) -> None:
    copies = [square(COPIES[name](chest(3)))[None] for name in ("the same", "half the size")]
    images = np.concatenate([others, *copies])
    found = near_duplicates(images, named(images), named(images))
    assert (found[0].first, found[0].second) == ("3", "60")
    assert {(pair.first, pair.second) for pair in found[1:]} == {("3", "61"), ("60", "61")} and len(found) == 3
    assert [pair.similarity for pair in found] == sorted((pair.similarity for pair in found), reverse=True)


@pytest.mark.parametrize("images", [np.zeros((3, 1, 32, 32), np.uint8), np.full((1, 1, 32, 32), 7, np.uint8)])
def test_blank_images_and_a_single_one_are_no_copies(images: NDArray[np.uint8]) -> None:
    assert near_duplicates(images, named(images), named(images)) == ()


def test_progress_ends_at_the_number_of_pairs(others: NDArray[np.uint8]) -> None:
    told: list[tuple[int, int]] = []
    near_duplicates(others, named(others), named(others), progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 0


def test_thumbnails_leave_frames_and_windows_out() -> None:
    plain = square(chest(1))
    framed = square(np.pad(chest(1), 30, constant_values=1))
    small = thumbnails(np.stack([plain, framed, 255 - plain])).astype(np.int64)
    assert small.shape == (3, SIDE, SIDE)
    assert np.abs(small[0] - small[1]).mean() < 12  # of 255: a blended row of the frame is left
    assert np.abs(small[0] - (255 - small[2])).mean() < 2


def test_cells_find_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (900, SIDE, SIDE), dtype=np.uint8)
    small = np.concatenate([small, np.clip(small[:100] + generator.normal(0, 20, (100, SIDE, SIDE)), 0, 255).astype(np.uint8)])
    pairs = [candidates(small, np.arange(len(small)))]
    monkeypatch.setattr("medclassify.manifest.neighbours._ALL_AT_ONCE", 10)
    pairs.append(candidates(small, np.arange(len(small))))
    for found in pairs:
        together = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
        assert sum((row, 900 + row) in together for row in range(100)) >= 99


@pytest.mark.slow
def test_ten_times_the_images_do_not_take_a_hundred_times_as_long() -> None:
    generator = np.random.default_rng(0)
    seconds = []
    for count in (6_000, 60_000):
        small = generator.integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)
        started = time.process_time()
        candidates(small, np.arange(count))
        seconds.append(time.process_time() - started)
    assert seconds[1] < 40 * seconds[0] * max(1, os.getloadavg()[0] / 4)


@pytest.mark.slow
def test_real_radiographs_of_two_patients_are_alike_only_where_they_are_copies(real_data: Path) -> None:
    from medclassify.data.prepare import prepare_image
    from medclassify.dicom import find_images, read_header

    facts = Preprocessing(image_size=224, mean=(0.5,) * 3, std=(0.2,) * 3, interpolation="bicubic", window="voi")
    alike = {}
    for name in ("nih", "cxr"):
        paths = find_images([real_data / name])
        images = np.stack([prepare_image(path, facts).pixels for path in paths])
        patients = [read_header(path).patient_key for path in paths]
        found = near_duplicates(images, [path.stem for path in paths], patients)
        alike[name] = {tuple(sorted(sample.split("_")[0] for sample in pair[:2])) for pair in found}
        studies = near_duplicates(images, [path.stem for path in paths], [str(path) for path in paths])
        assert {pair[:2] for pair in studies} - {pair[:2] for pair in found} <= {("00002658_001", "00002658_002")}
    assert alike == {"nih": set(), "cxr": {("P067079", "P705176"), ("P095897", "P755136"), ("P500173", "P627063")}}
