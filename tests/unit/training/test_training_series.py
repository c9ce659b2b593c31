"""Attention learns which slice counts, from labels of series alone or with those of slices."""

import numpy as np
import pytest
import torch

from medclassify.inference import weigh_slices
from medclassify.models import GatedAttention, create_network
from medclassify.training import AttentionFit, SeriesPart, fit_attention


def planted(seed: int, count: int, features: int, *, labels: bool) -> tuple[SeriesPart, list[int]]:
    """Series of 6 to 12 slices of noise; in half of them one slice has a finding's direction added."""
    rng = np.random.default_rng(seed)
    direction = np.random.default_rng(99).normal(size=features)
    embeddings, stacks, targets, places = [], [], [], []
    for number in range(count):
        length, place = int(rng.integers(6, 13)), -1
        slices = rng.normal(size=(length, features))
        if number % 2:
            place = int(rng.integers(length))
            slices[place] += 1.2 * direction
        stacks.append(np.arange(length) + sum(map(len, embeddings)))
        embeddings.append(slices)
        targets.append(place >= 0)
        places.append(place)
    shown = np.concatenate([np.arange(len(stack)) == place for stack, place in zip(stacks, places, strict=True)])
    known = np.full((len(shown), 1), labels)
    whole = np.concatenate(embeddings).astype(np.float32)
    return SeriesPart(whole, stacks, np.array(targets)[:, None], np.ones((count, 1), bool), shown[:, None], known), places


def fit(*, labels: bool, sequence: str = "none") -> tuple[AttentionFit, float, list[float]]:
    torch.manual_seed(0)
    network = create_network("test_efficientnet", 1)
    torch.nn.init.zeros_(network.get_classifier().weight)  # type: ignore[arg-type]
    features = int(network.num_features)  # type: ignore[arg-type]
    attention = GatedAttention(features, 1, sequence)  # type: ignore[arg-type]
    train, _ = planted(1, 60, features, labels=labels)
    tune, _ = planted(2, 24, features, labels=labels)
    test, places = planted(3, 40, features, labels=labels)
    found = fit_attention(network, attention, train, tune, slice_loss=0.5, seed=0)
    weights = [weigh_slices(network, attention, test.embeddings[stack]) for stack in test.stacks]
    hits = [weights[n].attention[0].argmax() == place for n, place in enumerate(places) if place >= 0]
    return found, float(np.mean(hits)), [float(each.series[0]) for each in weights]


@pytest.mark.parametrize(("labels", "sequence"), [(True, "none"), (False, "none"), (False, "gru")])
def test_it_finds_the_slice_that_was_planted(labels: bool, sequence: str) -> None:
    found, hits, logits = fit(labels=labels, sequence=sequence)
    assert hits > 0.9  # by chance one in nine
    assert found.tune_auroc is not None and found.tune_auroc > 0.95
    assert np.mean(logits[1::2]) > np.mean(logits[::2]) + 1
    if labels:
        assert fit(labels=labels, sequence=sequence)[2] == logits  # the same seed, the same model
    assert (found.slice_loss, found.sequence) == (0.5 if labels else 0.0, sequence)
