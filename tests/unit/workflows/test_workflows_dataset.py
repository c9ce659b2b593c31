from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from medclassify.config import Config, DataConfig
from medclassify.errors import LeakageError
from medclassify.records import Preprocessing
from medclassify.workflows.dataset import Dataset, make_dataset
from medclassify.workflows.index import index_data

PREPROCESSING = Preprocessing(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic", "voi")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Forty patients with a picture each; p1 shows p0's picture unchanged, p3 shows p2's a little darker."""
    monkeypatch.setenv("MEDCLASSIFY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", str(tmp_path / "key"))
    generator = np.random.default_rng(0)
    pictures = np.kron(generator.integers(20, 240, (40, 16, 16)), np.ones((6, 6))).astype(np.uint8)
    pictures[1], pictures[3] = pictures[0], pictures[2] - 5
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    rows = [{"path": f"{n}.png", "patient_id": f"p{n}", "effusion": n % 2} for n in range(40)]
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def made(folder: Path, seed: int) -> Dataset:
    config = Config(seed_everything=seed, data=DataConfig(source=str(folder), labels="labels.csv", attributes=()))
    return make_dataset(index_data(config.data), config, PREPROCESSING)


def test_a_drawn_split_keeps_patients_who_share_a_picture_together(folder: Path) -> None:
    redrawn = 0
    for seed in range(4):
        dataset = made(folder, seed)
        split = {Path(path).stem: split for path, split in dataset.manifest.frame[["path", "split"]].to_numpy()}
        assert split["0"] == split["1"]
        assert split["2"] == split["3"]
        assert dataset.leakage.clean
        redrawn += any("kept in one split" in note for note in dataset.leakage.notes)
    assert redrawn  # with four seeds, chance alone would hardly have kept both pairs together each time


def test_a_published_split_that_parts_them_is_refused(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    labels["split"] = ["train", "test", "tune", "calibrate"] * 10
    labels.to_csv(folder / "labels.csv", index=False)
    with pytest.raises(LeakageError, match="Remove the repeated images"):
        made(folder, 0)


def test_a_second_time_says_that_images_are_in_the_cache(folder: Path, capsys) -> None:
    made(folder, 0)
    assert "done before" not in capsys.readouterr().out
    made(folder, 0)
    assert "preparing images: done before, 40 are in the cache" in capsys.readouterr().out
