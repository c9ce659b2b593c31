"""Gated attention: weights that add up, ends that do not count, and a bundle that keeps them without pickle."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from medclassify.inference import logits_of_series, weigh_slices
from medclassify.models import (
    GatedAttention,
    ModelBundle,
    create_network,
    load_bundle,
    preprocessing_of,
    save_bundle,
    state_fingerprint,
    whole_state,
)
from medclassify.models.attention import series_logits

both = pytest.mark.parametrize("sequence", ["none", "gru"])


@both
def test_weights_add_up_to_one_and_what_is_beyond_the_end_does_not_count(sequence) -> None:
    torch.manual_seed(0)
    attention = GatedAttention(16, 3, sequence).eval()
    features, present = torch.randn(2, 5, 16), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    logits = torch.randn(2, 5, 3)
    torch.nn.init.normal_(attention.weigh.weight)
    weights = attention(features, logits, present)
    assert weights.shape == (2, 3, 5)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 3))
    assert (weights[1, :, 2:] == 0).all()
    alone = attention(features[1:, :2], logits[1:, :2], present[1:, :2])
    torch.testing.assert_close(weights[1:, :, :2], alone)
    changed = features.clone()
    changed[1, 2:] = 99.0
    torch.testing.assert_close(attention(changed, logits, present), weights)


def test_with_a_sequence_the_order_counts_and_without_it_does_not() -> None:
    torch.manual_seed(0)
    features, logits, present = torch.randn(1, 6, 16), torch.randn(1, 6, 2), torch.ones(1, 6, dtype=torch.bool)
    for sequence, same in (("none", True), ("gru", False)):
        attention = GatedAttention(16, 2, sequence).eval()  # type: ignore[arg-type]
        torch.nn.init.normal_(attention.weigh.weight)
        backwards = attention(features.flip(1), logits.flip(1), present).flip(2)
        assert torch.allclose(attention(features, logits, present), backwards, atol=1e-6) is same


@both
def test_the_shares_of_slices_add_up_to_the_logit_and_the_bundle_gives_it_again(tmp_path: Path, sequence) -> None:
    torch.manual_seed(0)
    network = create_network("test_efficientnet", 2).eval()
    features = int(network.num_features)  # type: ignore[arg-type]
    attention = GatedAttention(features, 2, sequence).eval()
    embeddings = np.random.default_rng(0).normal(size=(7, features)).astype(np.float32)
    found = weigh_slices(network, attention, embeddings)
    assert found.attention.shape == (2, 7) and found.logits.shape == (7, 2)
    np.testing.assert_allclose(found.shares.sum(axis=1), found.series, atol=1e-6)
    bundle = ModelBundle(
        network, "test_efficientnet", ("a", "b"), "multilabel",
        preprocessing_of("test_efficientnet", image_size=32, window="voi", ct_windows=["brain"], neighbours=1),
        None, None, True, state_fingerprint(whole_state(network, attention)), attention=attention,
    )  # fmt: skip
    save_bundle(tmp_path, bundle)
    again = load_bundle(tmp_path)
    assert again.attention is not None and again.attention.sequence == sequence and again.preprocessing.neighbours == 1
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", "model.safetensors"}
    assert any(name.startswith("attention.") for name in load_file(tmp_path / "model.safetensors"))
    facts = {"sample_ids": ["s"], "findings": ["a", "b"], "fingerprint": ""}
    scored = logits_of_series(again.network, again.attention, embeddings, {"s": np.arange(7)}, **facts)
    np.testing.assert_allclose(scored.logits[0], found.series, atol=1e-6)


def test_attention_starts_where_slices_look_positive() -> None:
    logits = torch.tensor([[[0.0], [2.0], [-1.0]]])
    weights = GatedAttention(8, 1).eval()(torch.randn(1, 3, 8), logits, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(weights[0, 0], logits[0, :, 0].softmax(0))


def test_a_series_is_the_weighted_mean_of_its_slices() -> None:
    weights = torch.tensor([[[0.25, 0.75], [1.0, 0.0]]])
    slices = torch.tensor([[[4.0, -2.0], [8.0, 5.0]]])
    assert series_logits(weights, slices).tolist() == [[7.0, -2.0]]
