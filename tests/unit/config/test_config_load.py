"""A config is read, typed, overridden and refused with one line that says how to mend it."""

from pathlib import Path

import pytest

from medclassify.config import Config, config_to_yaml, find_config, load_config
from medclassify.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    return folder / "c.yaml"


def test_an_empty_config_is_all_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")) == Config()


def test_overrides_go_over_the_file_in_both_forms(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {batch_size: 8, findings: [a]}\ntrainer: {max_epochs: 3}")
    config = load_config(path, ["--data.batch_size", "4", "--optimizer.lr=1e-5", "--data.findings", "[b, c]"])
    assert (config.data.batch_size, config.optimizer.lr, config.data.findings, config.trainer.max_epochs) == (
        4,
        1e-5,
        ("b", "c"),
        3,
    )


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "data: {phantom: {faults: [site_marker]}, exclude_patients: ['007']}"))
    assert load_config(write(tmp_path, config_to_yaml(config))) == config


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("trainer: {max_epoch: 3}", [], r"trainer\.max_epoch is not known; did you mean trainer\.max_epochs\?"),
        ("", ["--trainer.max_epoch", "3"], r"--trainer\.max_epoch is not known; did you mean --trainer\.max_epochs\?"),
        ("zzzzqqq: 1", [], r"zzzzqqq is not known. Known are: seed_everything"),
        ("data: {batch_size: many}", [], r"data\.batch_size.*must be a whole number, received 'many'"),
        ("data: {format: excel}", [], r"data\.format"),
        ("", ["--data.batch_size"], "expected one argument"),
        ("", ["stray"], "unrecognized arguments: stray"),
        ("- a", [], "mapping of keys to values, received a list"),
        ("a: [", [], "not valid YAML"),
        ("data: {fractions: {train: 0.9}}", [], r"data\.fractions must add up to 1, received 1\.3"),
        ("data: {fractions: {train: 0.7, tune: 0.0}}", [], "must all be above 0"),
        ("data: {batch_size: 1}", [], "at least 2"),
        ("data: {num_workers: -1}", [], "0 or more"),
        ("data: {image_size: 8}", [], "32–2048"),
        ("data: {phantom: {patients: 3}}", [], "at least 20"),
        ("data: {findings: [a, a]}", [], "a name twice"),
        ("data: {task: multiclass, findings: [a]}", [], "two findings or more"),
        ("data: {task: multiclass}\ncalibration: {method: platt}", [], "contradicts"),
        ("data: {task: multiclass}\ncalibration: {method: isotonic}", [], "calibration.method isotonic is per finding"),
        ("optimizer: {batch_norm: frozen}\nmodel: {weights: none}", [], "random weights have no statistics to keep; use auto"),
        ("calibration: {criterion: cost}", [], "calibration.criterion cost contradicts cost_ratio None: cost needs one"),
        ("calibration: {cost_ratio: 5}", [], "calibration.criterion sensitivity contradicts cost_ratio 5"),
        ("calibration: {criterion: cost, cost_ratio: 0}", [], "calibration.cost_ratio must be 0.001–1000, received 0"),
        ("calibration: {conformal_alpha: 1}", [], "calibration.conformal_alpha must be in"),
        ("calibration: {prevalence: {effusion: 1.5}}", [], "calibration.prevalence must lie between 0 and 1"),
        (
            "calibration: {method: none, prevalence: {effusion: 0.1}}",
            [],
            "calibration.prevalence contradicts calibration.method",
        ),
        ("data: {task: multiclass}\ncalibration: {prevalence: {effusion: 0.1}}", [], "per finding and contradicts data.task"),
        ("model: {scale: 9}", [], "0–7"),
        ("model: {drop_path_rate: -1}", [], "0 or more"),
        ("trainer: {max_epochs: 0}", [], "at least 1"),
        ("optimizer: {lr: 0}", [], "above 0"),
        (
            "optimizer: {recipe: linear_probe, mitigation: group_dro, mitigation_attribute: sex}",
            [],
            "recipe linear_probe contradicts optimizer.mitigation group_dro",
        ),
        ("data: {uncertain: {default: soft}}\noptimizer: {recipe: linear_probe}", [], "contradicts data.uncertain soft"),
        ("model: {compile: true, grad_checkpointing: true}", [], "model.compile contradicts model.grad_checkpointing"),
        (
            "model: {compile: true}\noptimizer: {recipe: linear_probe}",
            [],
            "linear_probe contradicts model.compile: it has no epochs",
        ),
        ("optimizer: {layer_decay: 0}", [], r"optimizer\.layer_decay must be in \(0, 1\], received 0"),
        ("model: {weights: none}\noptimizer: {batch_norm: frozen}", [], "batch_norm frozen contradicts model.weights none"),
        ("optimizer: {head_warmup: probe}", [], r"optimizer\.head_warmup is not known"),
        ("optimizer: {ema_decay: 1.0}", [], r"\[0, 1\)"),
        ("optimizer: {augment: 2}", [], r"\[0, 1\]"),
        ("optimizer: {label_smoothing: 0.5}", [], r"\[0, 0.5\)"),
        ("data: {task: multiclass}\noptimizer: {loss: asymmetric}", [], "optimizer.loss asymmetric .* data.task multiclass"),
        ("optimizer: {mixup: -0.1}", [], "0 or more"),
        ("optimizer: {mixup: 0.2}", [], "optimizer.mixup contradicts data.task multilabel: .* no label"),
        ("optimizer: {mitigation: group_dro}", [], "group_dro and mitigation_attribute left out: give both"),
        ("optimizer: {mitigation_attribute: sex}", [], "mitigation none and mitigation_attribute sex: give both"),
        (
            "data: {task: multiclass}\noptimizer: {mitigation: group_dro, mitigation_attribute: sex, mixup: 0.2}",
            [],
            "optimizer.mixup contradicts optimizer.mitigation group_dro",
        ),
        (
            "optimizer: {mitigation: balanced_sampling, mitigation_attribute: sex, class_weighting: balanced}",
            [],
            "optimizer.class_weighting balanced contradicts optimizer.mitigation balanced_sampling",
        ),
        ("optimizer: {start_size: 16}", [], "at least 32"),
        ("data: {image_size: 224}\noptimizer: {start_size: 224}", [], "below data.image_size, received 224"),
        ("trainer: {max_epochs: 1}\noptimizer: {start_size: 96}", [], "start_size contradicts trainer.max_epochs 1"),
        (
            "optimizer: {recipe: linear_probe, loss: focal, start_size: 96}",
            [],
            "linear_probe contradicts optimizer.loss and optimizer.start_size: it has no epochs",
        ),
        ("optimizer: {loss: hinge}", [], r"optimizer\.loss"),
        ("calibration: {target: 1.0}", [], r"\(0, 1\)"),
        ("audit: {margin: 0}", [], "above 0"),
        ("audit: {bootstrap: 5}", [], "at least 100"),
        ("review: {port: 80}", [], "1024–65535"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(write(tmp_path, text), overrides)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "b.yaml")


def test_every_trainer_key_is_an_argument_of_lightning() -> None:
    import dataclasses
    import inspect

    from pytorch_lightning import Trainer

    from medclassify.config import TrainerConfig

    known = set(inspect.signature(Trainer).parameters)
    assert {field.name for field in dataclasses.fields(TrainerConfig)} <= known


def test_a_shipped_config_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("configs/chest_xray.yaml", "chest_xray.yaml"):
        assert find_config(name).read_bytes() == (repository / "configs" / "chest_xray.yaml").read_bytes()
    mine = write(tmp_path, "").rename(tmp_path / "chest_xray.yaml")
    assert find_config("chest_xray.yaml").resolve() == mine  # one's own file goes first
    for name in ("elsewhere/chest_xray.yaml", "configs/no_such.yaml"):
        assert find_config(name) == Path(name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--optimizer.lr", "abc"], "command line: --optimizer.lr must be a number, received 'abc'."),
        (["--trainer.max_epochs=abc"], "command line: --trainer.max_epochs must be a whole number, received 'abc'."),
        (["--data.window", "foo"], "command line: --data.window must be one of voi, percentile, full, received 'foo'."),
        (["--model.scale", "x"], "command line: --model.scale must be a whole number or null, received 'x'."),
        (["--data.attributes", "foo"], "command line: --data.attributes must be a list such as [a, b], received 'foo'."),
        (["--data.image_size", "8"], "c.yaml with the command line: data.image_size must be 32–2048 pixels, received 8."),
        (["--trainer.max_epochs", "3"], "c.yaml: optimizer.lr must be a number, received 'abc'."),
    ],
)
def test_a_wrong_type_is_told_in_words_and_where_it_stands(tmp_path: Path, words: list[str], message: str) -> None:
    text = "optimizer: {lr: abc}" if words[1:] == ["3"] else "optimizer: {lr: 0.1}"
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text), words)
    assert str(caught.value).endswith(message)
