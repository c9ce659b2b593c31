"""Embeddings beside the store: computed once, the same as the network's own, and never trusted when damaged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medclassify.data import PreparedStore
from medclassify.inference import embed, logits_of_embeddings, predict_logits, stored_embeddings
from medclassify.models import create_network
from medclassify.records import Preprocessing

PREPROCESSING = Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
N = 70


@pytest.fixture
def store(tmp_path: Path) -> PreparedStore:
    """A store on disk, as ``prepare_store`` maps it."""
    folder = tmp_path / "prepared" / "key"
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 255, (N + 2, 1, 32, 32), dtype=np.uint8))
    index = pd.DataFrame({"sample_id": [f"s{number}" for number in range(N)]})
    return PreparedStore(np.load(folder / "images.npy", mmap_mode="r")[:N], index)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_network("test_efficientnet", 2).eval()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def stored(store: PreparedStore, network, told: list[str]) -> Callable[..., tuple[np.ndarray, int]]:
    """The embeddings, and how many images had to be computed for them."""

    def call(**changes) -> tuple[np.ndarray, int]:
        computed = [0]
        options = {"network": network, "store": store, "preprocessing": PREPROCESSING, **changes}
        found = stored_embeddings(**options, progress=lambda done, _: computed.append(done), tell=told.append)
        return found, computed[-1]

    return call


def file_of(store: PreparedStore) -> Path:
    (path,) = (Path(store.images.filename).parent.parent / "key.embeddings").glob("*.npy")  # type: ignore[attr-defined]
    return path


def test_the_second_time_nothing_is_computed(stored, store: PreparedStore, network, told: list[str]) -> None:
    first, computed = stored()
    assert computed == N and first.shape == (N, network.num_features) and first.dtype == np.float32
    np.testing.assert_array_equal(first, embed(network, store.images, np.arange(N), preprocessing=PREPROCESSING))
    again, computed = stored()
    assert computed == 0 and isinstance(again, np.memmap) and not again.flags.writeable
    np.testing.assert_array_equal(first, again)
    assert not told and not list(file_of(store).parent.glob(".*"))


def test_the_head_on_them_gives_the_networks_logits(stored, store: PreparedStore, network) -> None:
    rows = np.array([5, 3, 60])
    names = {"sample_ids": ["a", "b", "c"], "findings": ["x", "y"], "fingerprint": "f"}
    whole = predict_logits(network, store.images, rows, preprocessing=PREPROCESSING, **names)
    quick = logits_of_embeddings(network, stored()[0][rows], **names)
    np.testing.assert_allclose(quick.logits, whole.logits, atol=1e-5)
    assert quick.sample_ids == whole.sample_ids and quick.logits.dtype == np.float64


def test_other_weights_or_normalisation_are_other_embeddings_and_another_head_is_not(stored, network) -> None:
    first, _ = stored()
    network.reset_classifier(5)
    assert stored()[1] == 0
    assert stored(preprocessing=replace(PREPROCESSING, mean=(0.4,) * 3))[1] == N
    with torch.no_grad():
        network.bn2.running_mean += 0.1  # statistics are weights too
    other, computed = stored()
    assert computed == N and not np.allclose(first, other)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


def forget_the_hash(path: Path) -> None:
    path.with_suffix(".sha256").unlink()


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, forget_the_hash])
def test_a_damaged_file_is_made_again_and_that_is_said(stored, store: PreparedStore, told: list[str], damage) -> None:
    first = np.array(stored()[0])
    damage(file_of(store))
    again, computed = stored()
    assert computed == N
    np.testing.assert_array_equal(first, again)
    (line,) = told
    assert "damaged or incomplete, and are computed again" in line
    assert stored()[1] == 0


def test_a_cache_that_cannot_be_written_costs_the_time_and_says_so(stored, store: PreparedStore, told: list[str]) -> None:
    folder = Path(store.images.filename).parent  # type: ignore[attr-defined]
    (folder.parent / "key.embeddings").write_text("in the way")
    first, computed = stored()
    assert computed == N and first.shape[0] == N
    (line,) = told
    assert line.startswith("embeddings are not kept, and the next run computes them again: ")
    assert not torch.is_inference_mode_enabled()


def test_a_store_in_memory_has_no_file(stored, store: PreparedStore, told: list[str]) -> None:
    held = PreparedStore(np.array(store.images), store.index)
    assert stored(store=held)[1] == N and stored(store=held)[1] == N and not told
