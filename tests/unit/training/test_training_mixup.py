"""Mixup blends by one share a batch, and the loss of a blend is the blend of the losses."""

import pytest
import torch

from medclassify.config import OptimizerConfig
from medclassify.models import create_network
from medclassify.training import Classifier
from medclassify.training.loss import losses_of, mean_of_known
from medclassify.training.mixup import mixed


def drawn(size: int = 6) -> dict[str, torch.Tensor]:
    images = torch.arange(size).float().view(-1, 1, 1, 1).expand(-1, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    return {"image": images, "target": torch.eye(size), "mask": torch.ones(size, size), "index": torch.arange(size)}


def test_images_and_targets_are_blended_alike_by_one_share() -> None:
    batch = drawn()
    torch.manual_seed(3)
    blend = mixed(batch, 0.4)
    torch.manual_seed(3)
    share = float(torch.distributions.Beta(0.4, 0.4).sample())
    partner = torch.randperm(6)
    assert 0 < share < 1 and not torch.equal(partner, torch.arange(6))
    torch.testing.assert_close(blend["image"], batch["image"] * share + batch["image"][partner] * (1 - share))
    torch.testing.assert_close(blend["target"], batch["target"] * share + batch["target"][partner] * (1 - share))
    torch.testing.assert_close(blend["target"].sum(dim=1), torch.ones(6))
    assert blend["image"].is_contiguous(memory_format=torch.channels_last) and torch.equal(blend["index"], batch["index"])
    assert torch.equal(batch["image"], drawn()["image"])  # the batch itself is left as it was


def test_a_label_is_known_where_it_is_known_of_both() -> None:
    batch = drawn()
    batch["mask"][2] = 0
    torch.manual_seed(3)
    blend = mixed(batch, 0.4)
    torch.manual_seed(3)
    torch.distributions.Beta(0.4, 0.4).sample()
    partner = torch.randperm(6)
    unknown = (torch.arange(6) == 2) | (partner == 2)
    assert torch.equal(blend["mask"].amin(dim=1) == 0, unknown)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_the_loss_of_a_blend_is_the_blend_of_the_losses(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, a, b = torch.randn(5, 3, generator=generator), torch.eye(3)[[0, 1, 2, 0, 1]], torch.eye(3)[[1, 1, 0, 2, 2]]
    of = losses_of("multiclass", name)

    def loss(targets: torch.Tensor) -> torch.Tensor:
        return mean_of_known(*of(logits, targets, torch.ones(5, 3), torch.tensor([1.0, 2.0, 3.0]), 0.0))

    torch.testing.assert_close(loss(a.lerp(b, 0.3)), 0.7 * loss(a) + 0.3 * loss(b))


def test_a_training_step_mixes_when_told_to_and_the_step_alone_decides_how() -> None:
    losses = {}
    for alpha in (0.0, 0.4):
        torch.manual_seed(0)
        settings = OptimizerConfig(mixup=alpha)
        classifier = Classifier(create_network("test_efficientnet", 6), tuple("abcdef"), "multiclass", settings, torch.ones(6))
        classifier.log = lambda *_, **__: None  # type: ignore[method-assign]
        batch = {**drawn(), "image": torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1))}
        seen = []
        for step in (7, 8, 7):
            torch.manual_seed(step)  # as on_train_batch_start does
            seen.append(float(classifier.eval().training_step(batch, 0).detach()))
        losses[alpha] = seen
    assert losses[0.0][0] == losses[0.0][1]
    assert losses[0.4][0] == losses[0.4][2] != losses[0.4][1]
