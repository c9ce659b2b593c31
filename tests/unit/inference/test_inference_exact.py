"""Whoever asks for a number gets it in full float32, also in the middle of training."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from medclassify.explain import class_activation_maps
from medclassify.inference import embed, predict_logits
from medclassify.models import create_network
from medclassify.records import Preprocessing

FACTS = Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
IMAGES, ROWS = np.random.default_rng(0).integers(0, 255, (10, 1, 32, 32), dtype=np.uint8), np.arange(10)


def logits(network, size: int = 64) -> np.ndarray:
    options = {"sample_ids": [str(row) for row in ROWS], "findings": ("a",), "preprocessing": FACTS, "fingerprint": ""}
    return predict_logits(network, IMAGES, ROWS, batch_size=size, **options).logits


def maps(network) -> np.ndarray:
    return class_activation_maps(network.eval(), torch.zeros(2, 3, 32, 32))[0].numpy()


def embedding(network) -> np.ndarray:
    return embed(network, IMAGES, ROWS, preprocessing=FACTS)


@pytest.mark.parametrize("ask", [logits, embedding, maps])
def test_tf32_and_chosen_algorithms_are_off(ask: Callable) -> None:
    network, seen = create_network("test_efficientnet", 1), []

    def note(*_) -> None:
        cudnn = torch.backends.cudnn
        seen.append((torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic))

    network.conv_stem.register_forward_pre_hook(note)
    torch.set_float32_matmul_precision("high")
    try:
        ask(network)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen and set(seen) == {("highest", False, False, True)}


def test_progress_counts_images() -> None:
    network, told = create_network("test_efficientnet", 1), []
    embed(network, IMAGES, ROWS, preprocessing=FACTS, batch_size=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.gpu
def test_a_gpu_gives_the_logits_of_a_cpu_whatever_the_batch() -> None:
    torch.manual_seed(0)
    network = create_network("tf_efficientnetv2_b0", 1)
    expected = logits(network)
    network.cuda()
    for size in (3, 64):
        np.testing.assert_allclose(logits(network, size), expected, atol=1e-4)
    np.testing.assert_array_equal(logits(network), logits(network))
