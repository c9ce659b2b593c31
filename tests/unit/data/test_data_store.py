"""Prepared images: geometry, the store's names and failures, batches, augmentation."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import LoadImage

from medclassify.data import (
    DicomReader,
    EpochShuffle,
    PreparedDataset,
    RandAffineBatch,
    augmentation,
    prepare_image,
    prepare_store,
    to_network_input,
)
from medclassify.dicom import NewInstance, read_image, write_image
from medclassify.errors import ManifestError, NotAnImageError
from medclassify.records import Preprocessing

SMALL = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5), interpolation="bicubic", window="voi")


def write(folder: Path, name: str, shape: tuple[int, int], seed: int) -> tuple[str, str]:
    pixels = np.random.default_rng(seed).integers(0, 4096, shape, dtype=np.uint16)
    instance = NewInstance(patient_id="p", sop_uid=f"2.25.{seed + 1}", window_center=2048, window_width=4096)
    write_image(folder / name, pixels, instance)
    return name, str(folder / name)


def test_prepared_pixels_are_the_readers_pixels(tmp_path: Path) -> None:
    _, path = write(tmp_path, "a.dcm", (64, 64), 1)
    prepared = prepare_image(path, SMALL)
    expected = np.rint(read_image(path, window="voi").pixels * 255)
    assert prepared.pixels.shape == (1, 64, 64) and prepared.pixels.dtype == np.uint8
    np.testing.assert_array_equal(prepared.pixels[0], expected)


def test_a_store_is_made_once_and_again_only_for_other_files_or_settings(tmp_path: Path) -> None:
    samples = [write(tmp_path, f"{i}.dcm", (80, 60), i) for i in range(5)]
    told: list[tuple[int, int]] = []
    first, excluded = prepare_store(samples, SMALL, cache=tmp_path / "cache", progress=lambda *at: told.append(at))
    assert first.images.shape == (5, 1, 64, 64) and excluded == [] and told[-1] == (5, 5)
    again, _ = prepare_store(samples, SMALL, cache=tmp_path / "cache", progress=lambda *at: told.append(at))
    assert len(told) == 5 and np.array_equal(first.images, again.images)
    for i, (name, path) in enumerate(samples):
        np.testing.assert_array_equal(first.images[first.rows([name])[0]], prepare_image(path, SMALL).pixels, err_msg=str(i))
    write(tmp_path, "0.dcm", (80, 60), 99)
    os.utime(tmp_path / "0.dcm", ns=(1, 1))
    changed, _ = prepare_store(samples, SMALL, cache=tmp_path / "cache")
    assert not np.array_equal(changed.images[0], first.images[0])
    assert first.geometry(0).width == 48


def test_a_broken_file_is_listed_also_by_a_cached_store(tmp_path: Path) -> None:
    samples = [write(tmp_path, f"{i}.dcm", (80, 60), i) for i in range(3)]
    (tmp_path / "1.dcm").write_text("no image at all")
    for _ in range(2):
        store, excluded = prepare_store(samples, SMALL, cache=tmp_path / "cache")
        assert store.index["sample_id"].tolist() == ["0.dcm", "2.dcm"]
        assert [(Path(e.path).name, e.reason) for e in excluded] == [("1.dcm", NotAnImageError.reason)]
    with pytest.raises(ManifestError, match="1 samples are not in the prepared store"):
        store.rows(["0.dcm", "1.dcm"])


def test_nothing_readable_is_an_error_and_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("no image")
    with pytest.raises(ManifestError, match="none of the 1 images could be read"):
        prepare_store([("a", str(tmp_path / "a.dcm"))], SMALL, cache=tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_an_interrupted_build_leaves_nothing_and_is_not_taken_for_whole(tmp_path: Path) -> None:
    samples = [write(tmp_path, f"{i}.dcm", (80, 60), i) for i in range(4)]

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_store(samples, SMALL, cache=tmp_path / "cache", progress=stop)
    assert list((tmp_path / "cache" / "prepared").iterdir()) == []
    store, _ = prepare_store(samples, SMALL, cache=tmp_path / "cache")
    incomplete = next((tmp_path / "cache" / "prepared").iterdir())
    (incomplete / "complete.json").unlink()
    again, _ = prepare_store(samples, SMALL, cache=tmp_path / "cache")
    assert np.array_equal(store.images, again.images)
    shutil.rmtree(tmp_path / "cache")


def dataset(n: int = 10) -> PreparedDataset:
    images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1) * np.ones((1, 1, 8, 8), np.uint8)
    targets = np.stack([np.arange(n) % 2, np.full(n, np.nan)], axis=1)
    return PreparedDataset(images, np.arange(n)[::-1].copy(), targets, ~np.isnan(targets))


def test_batches_follow_the_indices_and_masked_targets_are_zero() -> None:
    batch = dataset().__getitems__([0, 3, 9])
    assert batch["image"][:, 0, 0, 0].tolist() == [9, 6, 0] and batch["index"].tolist() == [0, 3, 9]
    assert batch["target"].tolist() == [[0, 0], [1, 0], [1, 0]] and batch["mask"].tolist() == [[1, 0]] * 3
    assert dataset()[3]["image"][0, 0, 0] == 6


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    sampler = EpochShuffle(50, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    resumed = EpochShuffle(50, seed=1)
    resumed.set_epoch(1)
    assert first != second == list(resumed) and sorted(first) == list(range(50))


def test_augmentation_is_repeatable_and_of_its_own_for_every_sample() -> None:
    images = torch.rand(1, 1, 32, 32).repeat(6, 1, 1, 1)
    transform = augmentation(0.5)
    torch.manual_seed(0)
    first = transform.set_random_state(seed=3)(images)
    torch.manual_seed(0)
    again = transform.set_random_state(seed=3)(images)
    assert torch.equal(first, again)  # type: ignore[arg-type]
    assert all(not torch.allclose(first[0], first[i]) for i in range(1, 6))  # type: ignore[index]
    assert torch.equal(augmentation(0)(images), images)  # type: ignore[arg-type]


def test_the_affine_grid_is_torchs_own() -> None:
    images = torch.rand(4, 1, 24, 40)
    transform = RandAffineBatch(rotate=0.5, scale=0.3, shift=0.2)
    transform.set_random_state(seed=1)
    transform.randomize(4)
    expected = torch.nn.functional.affine_grid(torch.from_numpy(transform.matrices), [4, 1, 24, 40], align_corners=False)
    assert torch.allclose(transform._grid(images), expected, atol=1e-6)


def test_grey_reaches_three_channels_normalised_each_by_its_own_facts() -> None:
    images = torch.full((2, 1, 4, 4), 51, dtype=torch.uint8)
    prepared = to_network_input(images, SMALL)
    assert prepared.shape == (2, 3, 4, 4) and prepared.is_contiguous(memory_format=torch.channels_last)
    assert prepared[0, :, 0, 0].tolist() == pytest.approx([(0.2 - 0.5) / 0.2, (0.2 - 0.4) / 0.25, (0.2 - 0.3) / 0.5])


def test_the_reader_works_in_a_monai_pipeline(tmp_path: Path) -> None:
    _, path = write(tmp_path, "a.dcm", (40, 30), 1)
    image = LoadImage(reader=DicomReader(), image_only=True)(path)
    np.testing.assert_allclose(np.asarray(image), read_image(path).pixels)
    assert "window" in image.meta["applied"] and "patient_id" not in image.meta
    stacked = LoadImage(reader=DicomReader(), image_only=True)([path, path])
    assert stacked.shape == (2, 40, 30)
