"""Group DRO: its weights by hand, its effect on the worst group, its sum over ranks, and its place in a checkpoint."""

import math
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import two_ranks
from torch import Tensor, nn

from medclassify.config import Config, OptimizerConfig, TrainerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.data.balance import BalancedOrder
from medclassify.models import create_network
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout
from medclassify.training import Classifier, fine_tune
from medclassify.training.group_dro import STEP_SIZE, GroupDRO
from medclassify.training.loss import losses_of, mean_of_known

LEVELS = ("F", "M", "missing")


def test_a_step_by_hand_with_masked_labels_and_an_absent_group() -> None:
    dro = GroupDRO(torch.tensor([0, 0, 1, 2]), LEVELS)
    losses = torch.tensor([[1.0, 9.0], [3.0, 2.0], [0.5, 0.5]], requires_grad=True)
    known = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    loss = dro(losses, known, torch.tensor([0, 1, 2]))
    means = [2.0, 0.5, 0.0]  # F over three known labels; nobody is missing here
    grown = [math.exp(STEP_SIZE * mean) for mean in means]
    shares = [value / sum(grown) for value in grown]
    assert dro.shares.tolist() == pytest.approx(shares, rel=1e-6)
    assert loss.item() == pytest.approx(shares[0] * 2.0 + shares[1] * 0.5, rel=1e-6)
    loss.backward()
    assert losses.grad is not None
    expected = [[shares[0] / 3, 0], [shares[0] / 3, shares[0] / 3], [shares[1] / 2, shares[1] / 2]]
    np.testing.assert_allclose(losses.grad.numpy(), expected, rtol=1e-6)
    assert list(dro.weights()) == ["weight_F", "weight_M", "weight_missing"]


def toy() -> tuple[Tensor, Tensor, Tensor]:
    """One feature shows the finding in both groups; a stronger one shows it in the large group, its absence in the small."""
    generator = torch.Generator().manual_seed(0)
    group = (torch.arange(1000) >= 900).long()
    target = (torch.rand(1000, generator=generator) < 0.5).float()
    sign = 2 * target - 1
    true, spurious = 0.6 * sign, torch.where(group == 1, -1.0, 2.5) * sign
    return torch.stack([true, spurious], 1) + 0.7 * torch.randn(1000, 2, generator=generator), target[:, None], group


def worst_accuracy(*, balanced: bool, robust: bool) -> tuple[float, list[float]]:
    features, targets, group = toy()
    torch.manual_seed(0)
    model, dro = nn.Linear(2, 1), GroupDRO(group, ("large", "small"))
    order = BalancedOrder(group.numpy(), 0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(40):
        order.set_epoch(epoch)
        index = torch.tensor(list(order)) if balanced else torch.from_numpy(np.random.default_rng(epoch).permutation(1000))
        for batch in index.split(50):
            losses, known = losses_of("multilabel", "cross_entropy")(
                model(features[batch]), targets[batch], torch.ones(len(batch), 1), torch.ones(1), 0.0
            )
            loss = dro(losses, known, batch) if robust else mean_of_known(losses, known)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    right = ((model(features) > 0).float() == targets).float()[:, 0]
    return min(right[group == g].mean().item() for g in (0, 1)), dro.shares.tolist()


def test_it_raises_the_accuracy_of_the_worst_group_beyond_what_even_draws_do() -> None:
    plain, _ = worst_accuracy(balanced=False, robust=False)
    even, _ = worst_accuracy(balanced=True, robust=False)
    robust, shares = worst_accuracy(balanced=True, robust=True)
    assert plain + 0.1 < even < robust - 0.05
    assert shares[1] > 0.6


def test_two_ranks_hold_the_weights_and_the_gradient_of_one(tmp_path: Path) -> None:
    losses, alone = torch.tensor(two_ranks.LOSSES, requires_grad=True), GroupDRO(torch.tensor(two_ranks.GROUPS), LEVELS)
    alone(losses, torch.tensor(two_ranks.KNOWN), torch.arange(5)).backward()
    torch.multiprocessing.spawn(two_ranks.rank, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in (0, 1))
    assert torch.equal(first["shares"], alone.shares) and torch.equal(second["shares"], alone.shares)
    # DistributedDataParallel takes the mean of the ranks' gradients
    torch.testing.assert_close(torch.cat([first["grad"], second["grad"]]) / 2, losses.grad)


class Stopped(Classifier):
    """Is told to stop in the middle of a step."""

    stop_at: int

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        if self.global_step == self.stop_at:
            signal.raise_signal(signal.SIGTERM)  # the step is finished and saved
        return super().training_step(batch, batch_idx)


def _fit(folder: Path, *, dro: bool, stop_at: int = -1, resume: bool = False) -> tuple[Classifier, list[dict]]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (48, 1, 32, 32), dtype=np.uint8)
    targets, known = (np.arange(48) % 2)[:, None].astype(float), np.ones((48, 1), bool)
    train, tune = (PreparedDataset(images, rows, targets[rows], known[rows]) for rows in np.split(np.arange(48), [32]))
    groups = np.arange(32) % 3
    torch.manual_seed(0)
    config = Config(trainer=TrainerConfig(max_epochs=3, accelerator="cpu", enable_progress_bar=False))
    data = PreparedDataModule(
        train,
        tune,
        Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi"),
        batch_size=8,
        num_workers=0,
        augment=0.0,
        seed=0,
        order=BalancedOrder(groups, 0) if dro else None,
    )
    weights = GroupDRO(torch.from_numpy(groups), LEVELS) if dro else None
    network = create_network("test_efficientnet", 1)
    classifier = Stopped(network, ("a",), "multilabel", OptimizerConfig(), torch.ones(1), weights)
    classifier.stop_at = stop_at
    run = RunLayout(folder)
    resumed = run.last_checkpoint if resume else None
    result = fine_tune(classifier, data, config, run, monitor="tune_auroc", resume=resumed, say=lambda _: None)
    return classifier, [dict(row) for row in result.history]


def test_weights_stand_in_the_history_and_a_resumed_run_ends_with_those_of_an_unbroken_one(tmp_path: Path) -> None:
    whole, history = _fit(tmp_path / "whole", dro=True)
    assert whole.group_dro is not None
    shares = [[row[f"weight_{level}"] for level in LEVELS] for row in history]
    assert len(shares) == 3 and all(sum(row) == pytest.approx(1) for row in shares) and shares[0] != shares[2]
    assert whole.group_dro.shares.tolist() in shares  # of the epoch that was kept
    with pytest.raises(KeyboardInterrupt):
        _fit(tmp_path / "broken", dro=True, stop_at=9)
    resumed, again = _fit(tmp_path / "broken", dro=True, resume=True)
    assert resumed.group_dro is not None
    assert [[row[f"weight_{level}"] for level in LEVELS] for row in again] == shares
    assert torch.equal(resumed.group_dro.shares, whole.group_dro.shares)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_without_it_neither_checkpoint_nor_history_know_of_weights(tmp_path: Path) -> None:
    classifier, history = _fit(tmp_path, dro=False)
    assert not any("group_dro" in name for name in classifier.state_dict())
    assert not any(name.startswith("weight_") for row in history for name in row)
