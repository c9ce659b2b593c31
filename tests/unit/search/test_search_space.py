"""What may be searched, by type and bounds, and every way of writing it wrongly."""

from dataclasses import replace
from pathlib import Path

import pytest

from medclassify.config import Config, ModelConfig, OptimizerConfig
from medclassify.errors import ConfigError
from medclassify.search import Options, Range, default_space, including, parse_space, read_space, value_of, with_values

CONFIG = Config()


def test_the_default_space_suits_what_training_starts_from() -> None:
    keys = {one.key for one in default_space(CONFIG)}
    assert {"optimizer.recipe", "optimizer.layer_decay", "optimizer.lr", "model.drop_rate"} <= keys
    scratch = {one.key for one in default_space(replace(CONFIG, model=ModelConfig(weights="none")))}
    assert keys - scratch == {"optimizer.recipe", "optimizer.layer_decay"}


def test_a_space_is_read_with_its_types(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "optimizer.lr: {low: 1e-4, high: 1.0e-3, log: true}\n"  # YAML takes 1e-4 for a text
        "data.batch_size: {low: 8, high: 64, log: true}\n"
        "optimizer.recipe: [head_then_full, gradual]\n"
        "optimizer.ema_decay: [0, 0.9]\n"
    )
    assert read_space(path, CONFIG) == (
        Range("optimizer.lr", 1e-4, 1e-3, log=True),
        Range("data.batch_size", 8, 64, log=True, whole=True),
        Options("optimizer.recipe", ("head_then_full", "gradual")),
        Options("optimizer.ema_decay", (0.0, 0.9)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lrr: [1]", "optimizer.lrr cannot be searched; did you mean optimizer.lr?"),
        ("data.image_size: [64, 96]", "data.image_size cannot be searched; did you mean data.batch_size?"),
        ("seed_everything: [1, 2]", "seed_everything cannot be searched; what changes the prepared images or the splits"),
        ("optimizer.lr: {low: 1.0e-4, hihg: 1.0e-3}", "optimizer.lr.hihg is not known; did you mean high?"),
        ("optimizer.lr: {low: 1.0e-4}", "optimizer.lr.high must be a number, received None."),
        ("optimizer.lr: {low: a, high: 1}", "optimizer.lr.low must be a number, received 'a'."),
        ("optimizer.lr: {low: true, high: 1}", "optimizer.lr.low must be a number, received True."),
        ("optimizer.lr: {low: 0.1, high: 0.1}", "optimizer.lr.low must be below high, received 0.1 and 0.1."),
        ("optimizer.augment: {low: 0, high: 1, log: true}", "augment.low must be above 0 on a logarithmic scale, received 0."),
        ("optimizer.augment: {low: 0, high: 1, log: 1}", "optimizer.augment.log must be true or false, received 1."),
        ("optimizer.augment: {low: 0, high: 1.5}", "optimizer.augment must be in [0, 1], received 1.5"),
        ("data.batch_size: {low: 8.5, high: 64}", "data.batch_size takes whole numbers, received 8.5 to 64."),
        ("data.batch_size: [8, 8.5]", "data.batch_size cannot be 8.5."),
        ("optimizer.recipe: {low: 0, high: 1}", "optimizer.recipe has no range; give its values as a list such as [a, b]."),
        ("optimizer.recipe: [gradul]", "optimizer.recipe cannot be 'gradul'; did you mean gradual?"),
        ("optimizer.recipe: [full, full]", "optimizer.recipe holds a value twice: ['full', 'full']."),
        ("optimizer.recipe: full", "optimizer.recipe must be a list of values or {low: a, high: b}, received 'full'."),
        ("optimizer.lr: [true]", "optimizer.lr cannot be True."),
        ("[a, b]", "a space is a mapping such as optimizer.lr: {low: 1.0e-4, high: 1.0e-3, log: true}."),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_wrong_space_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_space(path, CONFIG)
    assert message in str(refused.value) and "space.yaml" in str(refused.value)
    with pytest.raises(ConfigError, match=r"--space nowhere\.yaml: cannot be read \(No such file"):
        read_space(Path("nowhere.yaml"), CONFIG)


def test_the_space_is_widened_to_hold_the_config_itself() -> None:
    space = parse_space({"optimizer.lr": {"low": 0.1, "high": 0.2, "log": True}, "optimizer.ema_decay": [0.5]}, CONFIG, "here")
    own = {one.key: value_of(CONFIG, one.key) for one in space}
    assert including(space, own) == (Range("optimizer.lr", 4e-4, 0.2, log=True), Options("optimizer.ema_decay", (0.5, 0.0)))
    assert including(space, {"optimizer.lr": 0.15, "optimizer.ema_decay": 0.5}) == space
    smoothing = parse_space({"optimizer.label_smoothing": {"low": 0.01, "high": 0.1, "log": True}}, CONFIG, "here")
    with pytest.raises(ConfigError, match=r"optimizer\.label_smoothing is 0 in the config, which a logarithmic range"):
        including(smoothing, {"optimizer.label_smoothing": 0.0})


def test_values_reach_the_config_and_nothing_else_changes() -> None:
    changed = with_values(CONFIG, {"optimizer.lr": 0.1, "model.drop_rate": 0.3, "optimizer.augment": 0.0})
    assert changed == replace(CONFIG, optimizer=OptimizerConfig(lr=0.1, augment=0.0), model=ModelConfig(drop_rate=0.3))
