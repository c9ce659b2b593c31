"""The other ways of training run, keep to their budget, and leave what the comparison reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.peers.budget import work_of
from benchmarks.accuracy.peers.images import Data, Part
from benchmarks.accuracy.peers.loop import predict, train
from benchmarks.accuracy.peers.writing import write_peer
from benchmarks.accuracy.scores import read_scores


def part(name: str, count: int = 8) -> Part:
    """Bright images have the finding; the last label is unknown."""
    drawn = np.random.default_rng(len(name))
    targets = (np.arange(count) % 2).astype(float)[:, None]
    images = [(drawn.integers(0, 60, (300, 256)) + 150 * int(truth)).astype(np.uint8) for truth in targets[:, 0]]
    mask = np.ones((count, 1), bool)
    mask[-1] = False
    ids = [f"{name}{row}" for row in range(count)]
    return Part(images, targets, mask, ids, ids)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    splits = ["test"] * 8 + ["train"] * 8
    ids = [f"{split}{row % 8}" for row, split in enumerate(splits)]
    pd.DataFrame({"sample_id": ids, "split": splits}).to_parquet(tmp_path / "manifest.parquet")
    return Data(("A",), 3, 64, part("train"), part("tune"), part("test"), tmp_path / "manifest.parquet")


@pytest.mark.parametrize("name", ["timm", "torchxrayvision"])
def test_a_peer_leaves_a_run_that_can_be_read(name: str, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip(name)
    import torch
    from safetensors.torch import save_file

    from medclassify.models import create_network

    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    if name == "timm":
        from benchmarks.accuracy.peers.timm_way import timm_way as make

        monkeypatch.setattr("benchmarks.accuracy.peers.timm_way._BACKBONE", "test_efficientnet")
        state = create_network("test_efficientnet", 1).state_dict()
        save_file({key: value.contiguous() for key, value in state.items() if not key.startswith("classifier.")}, weights)
    else:
        from benchmarks.accuracy.peers.torchxrayvision_way import torchxrayvision_way as make
    way = make(data, weights)
    before = predict(way, data.test)
    history = train(way, data, seconds=0.5)
    after = predict(way, data.test)
    assert np.isfinite(history[0]["train_loss"]) and history[-1]["seconds"] > 0.5
    assert not np.allclose(before, after)
    write_peer(tmp_path / "out", name, data, after, history, 60.0, 0.5)
    scores = read_scores(tmp_path / "out", 3, data.manifest)
    assert scores.minutes == 1 and scores.train == 8
    assert scores.table["target"].tolist() == [0, 1, 0, 1, 0, 1, 0]  # the unknown label is left out
    assert np.array_equal(scores.table["logit"], after[:7, 0])


def test_a_cosine_rises_and_ends_at_zero():
    pytest.importorskip("timm")
    from benchmarks.accuracy.peers.timm_way import rate

    assert rate(0) == 0 and rate(0.1) == 1 and rate(1) == pytest.approx(0) and rate(0.55) == pytest.approx(0.5)


def test_the_work_of_a_run_counts_epochs_scoring_and_the_head(tmp_path: Path):
    pd.DataFrame({"split": ["train"] * 60 + ["tune"] * 30 + ["test"] * 9}).to_parquet(tmp_path / "manifest.parquet")
    training = {"history": [{}] * 4, "head_alone": {"strength": 1}}
    (tmp_path / "metrics.json").write_text(json.dumps({"training": training}), encoding="utf-8")
    assert work_of(tmp_path) == pytest.approx(4 * (60 + 10) + 30)
    training["head_alone"] = None
    (tmp_path / "metrics.json").write_text(json.dumps({"training": training}), encoding="utf-8")
    assert work_of(tmp_path) == pytest.approx(4 * (60 + 10))
