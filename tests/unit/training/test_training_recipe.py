"""Which weights move when: stages, groups, the order in which stages open, BatchNorm that stands still."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medclassify.config import Config, OptimizerConfig, TrainerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.models import create_network
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout
from medclassify.training import Classifier, fine_tune, settle_recipe
from medclassify.training.freezing import batch_norms
from medclassify.training.parameters import opening_epochs, opening_line, parameter_groups, stages_of


def data(images: int = 24, batch_size: int = 4) -> PreparedDataModule:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (2 * images, 1, 32, 32), dtype=np.uint8)
    targets, known = (np.arange(2 * images) % 2)[:, None].astype(float), np.ones((2 * images, 1), bool)
    train, tune = (PreparedDataset(pixels, rows, targets[rows], known[rows]) for rows in np.split(np.arange(2 * images), 2))
    preprocessing = Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
    return PreparedDataModule(train, tune, preprocessing, batch_size=batch_size, num_workers=0, augment=0.0, seed=0)


def trained(
    settings: OptimizerConfig, folder: Path, *, epochs: int = 1, seen: dict | None = None, **network: Any
) -> Classifier:
    """A classifier after a real training; ``seen`` gets a copy of the weights as each epoch begins and ends."""
    torch.manual_seed(0)
    classifier = Classifier(create_network("test_efficientnet", 1, **network), ("a",), "multilabel", settings, torch.ones(1))
    if seen is not None:
        seen["start"] = snapshot(classifier)
        end = classifier.on_validation_epoch_end

        def note() -> None:
            seen[classifier.current_epoch] = snapshot(classifier)
            end()

        classifier.on_validation_epoch_end = note  # type: ignore[method-assign]
    config = Config(
        trainer=TrainerConfig(max_epochs=epochs, accelerator="cpu", devices=1, enable_progress_bar=False), optimizer=settings
    )
    fine_tune(classifier, data(), config, RunLayout(folder), monitor="tune_loss", say=lambda _: None)
    return classifier


def snapshot(classifier: Classifier) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in classifier.network.state_dict().items()}


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """The stages any of whose weights or statistics changed."""
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    short = {name: name.split(".")[0] if not name.startswith("blocks.") else ".".join(name.split(".")[:2]) for name in changed}
    names = {"classifier": "head", "bn2": "conv_head", "conv_stem": "stem", "bn1": "stem"}
    return {names.get(part, part) for part in short.values()}


@pytest.mark.parametrize("backbone", ["test_efficientnet", "efficientnet_b0", "tf_efficientnetv2_b0"])
def test_stages_hold_every_weight_once_from_the_head_to_the_stem(backbone: str) -> None:
    network = create_network(backbone, 2)
    stages = stages_of(network)
    held = [id(parameter) for stage in stages for parameter in stage.parameters()]
    assert len(held) == len(set(held)) and set(held) == {id(parameter) for parameter in network.parameters()}
    names = [f"blocks.{number}" for number in reversed(range(len(network.blocks)))]
    assert [stage.name for stage in stages] == ["head", "conv_head", *names, "stem"]


def test_each_stage_learns_slower_than_the_one_above() -> None:
    network = create_network("test_efficientnet", 2)
    settings = OptimizerConfig(lr=0.1, head_lr=0.7, layer_decay=0.5, weight_decay=0.02)
    found = {id(p): group for group in parameter_groups(network, settings) for p in group["params"]}
    assert len(found) == len(list(network.parameters()))
    for distance, stage in enumerate(stages_of(network)):
        for parameter in stage.parameters():
            group = found[id(parameter)]
            assert group["lr"] == pytest.approx(0.1 * 0.5**distance if distance else 0.7), stage.name
            assert group["weight_decay"] == (0.02 if parameter.ndim > 1 else 0.0)
    plain = parameter_groups(network, replace(settings, layer_decay=1.0))
    assert sorted((group["lr"], group["weight_decay"]) for group in plain) == [(0.1, 0.0), (0.1, 0.02), (0.7, 0.0), (0.7, 0.02)]


def test_the_schedule_keeps_the_rates_of_stages_in_proportion(tmp_path: Path) -> None:
    settings = OptimizerConfig(lr=0.01, head_lr=0.02, layer_decay=0.5, recipe="full")
    classifier = trained(settings, tmp_path)
    first = {id(p): group["lr"] for group in parameter_groups(classifier.network, settings) for p in group["params"]}
    groups = classifier.optimizers().param_groups  # type: ignore[union-attr]
    shares = {group["lr"] / first[id(group["params"][0])] for group in groups}
    assert len({round(share, 9) for share in shares}) == 1 and 0 <= shares.pop() < 0.2  # near the end of the cosine


def test_stages_open_one_an_epoch_or_faster_where_there_are_few_epochs() -> None:
    assert opening_epochs(9, 20) == (0, 0, 1, 2, 3, 4, 5, 6, 7)
    assert opening_epochs(9, 8) == (0, 0, 0, 1, 1, 2, 2, 3, 3)
    assert opening_epochs(9, 1) == (0,) * 9
    assert opening_line(create_network("test_efficientnet", 1), 20).startswith("head 1, conv_head 1, blocks.4 2, ")


def test_gradual_moves_a_stage_only_when_it_is_open(tmp_path: Path) -> None:
    seen: dict = {}
    epochs = 6
    settings = OptimizerConfig(recipe="gradual", lr=0.01, head_lr=0.01, patience=99)
    classifier = trained(settings, tmp_path, epochs=epochs, seen=seen)
    stages = stages_of(classifier.network)
    opening = opening_epochs(len(stages), epochs)
    assert 0 < opening[-1] < epochs
    before = seen["start"]
    for epoch in range(epochs):
        expected = {stage.name for stage, opens in zip(stages, opening, strict=True) if opens <= epoch}
        assert moved(before, seen[epoch]) == expected, epoch  # weights and running statistics alike
        before = seen[epoch]


def test_gradual_goes_on_after_a_stop_as_if_there_had_been_none(tmp_path: Path) -> None:
    settings = OptimizerConfig(recipe="gradual", layer_decay=0.8, lr=0.01, ema_decay=0.5, patience=99)
    whole = trained(settings, tmp_path / "whole", epochs=4)
    torch.manual_seed(0)
    part = Classifier(create_network("test_efficientnet", 1), ("a",), "multilabel", settings, torch.ones(1))
    config = Config(
        trainer=TrainerConfig(max_epochs=4, accelerator="cpu", devices=1, enable_progress_bar=False), optimizer=settings
    )
    run = RunLayout(tmp_path / "part")

    def stop() -> None:
        if part.current_epoch == 2:
            raise KeyboardInterrupt

    part.on_train_epoch_start = _then(part.on_train_epoch_start, stop)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        fine_tune(part, data(), config, run, monitor="tune_loss", say=lambda _: None)
    resumed = Classifier(create_network("test_efficientnet", 1), ("a",), "multilabel", settings, torch.ones(1))
    fine_tune(resumed, data(), config, run, monitor="tune_loss", resume=run.last_checkpoint, say=lambda _: None)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], value, msg=name)


def _then(first, second):
    def both() -> None:
        first()
        second()

    return both


@pytest.mark.parametrize("recipe", ["full", "gradual"])
@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_frozen_batch_norm_is_bit_identical_after_training_and_trained_one_is_not(
    tmp_path: Path, recipe, ema_decay: float
) -> None:
    for setting in ("frozen", "train"):
        seen: dict = {}
        settings = OptimizerConfig(recipe=recipe, batch_norm=setting, lr=0.01, ema_decay=ema_decay)  # type: ignore[arg-type]
        classifier = trained(settings, tmp_path / setting, epochs=2, seen=seen)
        norms = [name for name, module in classifier.network.named_modules() if module in set(batch_norms(classifier.network))]
        after, state = snapshot(classifier), seen["start"]
        names = [name for name in state if name.rpartition(".")[0] in norms]
        assert len(names) == 5 * len(norms) > 0
        same = [torch.equal(state[name], after[name]) for name in names]
        assert all(same) if setting == "frozen" else not any(same), setting
        assert not torch.equal(state["conv_stem.weight"], after["conv_stem.weight"])


@pytest.mark.parametrize(("recipe", "batch_norm"), [("full", "frozen"), ("gradual", "train")])
def test_checkpointing_changes_nothing_but_memory(tmp_path: Path, recipe, batch_norm) -> None:
    """Stages that stand still, BatchNorm, drop path, dropout and the moving average's copy of the network included."""
    settings = OptimizerConfig(recipe=recipe, batch_norm=batch_norm, lr=0.01, ema_decay=0.5)
    plain, checkpointed = (
        trained(settings, tmp_path / str(on), epochs=2, grad_checkpointing=on, drop_path_rate=0.3) for on in (False, True)
    )
    for name, value in plain.network.state_dict().items():
        torch.testing.assert_close(checkpointed.network.state_dict()[name], value, rtol=0, atol=1e-6, msg=name)


def test_a_small_batch_freezes_pretrained_batch_norm_and_says_why() -> None:
    settings = OptimizerConfig()
    done, lines = settle_recipe(settings, pretrained=True, batch_size=8)
    assert done.batch_norm == "frozen" and done.recipe == "head_then_full"
    assert lines == (
        "recipe: head_then_full",
        "BatchNorm: frozen (8 images a step on a device, too few below 16 for statistics of their own, Wu & He 2018)",
    )
    done, lines = settle_recipe(settings, pretrained=True, batch_size=16)
    assert done.batch_norm == "train" and "16 images a step" in lines[1]
    assert settle_recipe(replace(settings, batch_norm="frozen"), pretrained=True, batch_size=64)[0].batch_norm == "frozen"
    assert settle_recipe(replace(settings, batch_norm="train"), pretrained=True, batch_size=2)[0].batch_norm == "train"


@pytest.mark.parametrize("recipe", ["linear_probe", "head_then_full", "gradual"])
def test_random_weights_take_another_recipe_and_that_is_said(recipe) -> None:
    done, lines = settle_recipe(OptimizerConfig(recipe=recipe, batch_norm="frozen"), pretrained=False, batch_size=8)
    assert done.recipe == "full" and lines[0].startswith(f"recipe: full instead of {recipe}: the weights are random")
    assert done.batch_norm == "train" and "though frozen was asked" in lines[1]
    auto, lines = settle_recipe(OptimizerConfig(recipe=recipe), pretrained=False, batch_size=8)
    assert auto.batch_norm == "train" and "random weights have no statistics to keep" in lines[1]
    assert settle_recipe(OptimizerConfig(recipe="full"), pretrained=False, batch_size=32)[1][0] == "recipe: full"


def test_linear_probe_says_what_is_not_used() -> None:
    done, lines = settle_recipe(OptimizerConfig(recipe="linear_probe"), pretrained=True, batch_size=2)
    assert done.recipe == "linear_probe" and "learning rates, loss and augmentation are not used" in lines[1]
