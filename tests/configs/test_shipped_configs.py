"""Every config in configs/ can be run as it stands, and a mistyped key never passes unseen."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from medclassify.config import Config, config_to_yaml, load_config
from medclassify.errors import ConfigError

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
TOP_LEVEL = {"seed_everything", "run_dir", "data", "model", "trainer", "optimizer", "calibration", "explain", "audit", "review"}

every_config = pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])


def leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys of a nested mapping that hold a value."""
    keys = []
    for key, value in values.items():
        keys += leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return keys


EVERY_KEY = [key for key in leaves(dataclasses.asdict(Config())) if not key.startswith("trainer.extra")]


def test_the_demonstration_is_shipped():
    assert "chest_xray" in {path.stem for path in CONFIGS}


@every_config
def test_it_parses(path: Path):
    assert isinstance(load_config(path), Config)


@every_config
def test_what_it_says_is_what_is_run(path: Path):
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(written) <= TOP_LEVEL
    parsed = yaml.safe_load(config_to_yaml(load_config(path)))
    for key in leaves(written):
        said, run = written, parsed
        for name in key.split("."):
            said, run = said[name], run[name]
        assert run == said, key


@every_config
def test_the_resolved_config_reads_back_equal(path: Path, tmp_path: Path):
    config = load_config(path)
    resolved = tmp_path / "config.yaml"
    resolved.write_text(config_to_yaml(config), encoding="utf-8")
    assert load_config(resolved) == config


@every_config
def test_it_names_no_python_object(path: Path):
    text = path.read_text(encoding="utf-8")
    assert "class_path" not in text
    assert "!!python" not in text


@every_config
def test_an_unknown_key_is_refused_with_the_nearest_known_one(path: Path, tmp_path: Path):
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values.setdefault("trainer", {})["max_epoch"] = 3
    mistyped = tmp_path / "mistyped.yaml"
    mistyped.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"mistyped\.yaml: trainer\.max_epoch is not known; did you mean trainer\.max_epochs\?"
    ):
        load_config(mistyped)


@pytest.mark.parametrize("key", EVERY_KEY)
def test_a_letter_too_many_is_refused_for_every_key(key: str, tmp_path: Path):
    empty = tmp_path / "empty.yaml"
    empty.write_text("{}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(empty, [f"--{key}z", "1"])
    assert str(refused.value) == f"command line: --{key}z is not known; did you mean --{key}?"
