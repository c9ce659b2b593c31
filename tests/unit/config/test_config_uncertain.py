from pathlib import Path

import pytest

from medclassify.config import config_to_yaml, load_config
from medclassify.errors import ConfigError


def config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_policy_a_finding_survives_being_written(tmp_path: Path) -> None:
    loaded = load_config(config(tmp_path, "data: {uncertain: {default: ignore, Lung Opacity: ones}}"))
    assert loaded.data.uncertain == {"default": "ignore", "Lung Opacity": "ones"}
    assert load_config(config(tmp_path, config_to_yaml(loaded))) == loaded
    assert load_config(config(tmp_path, ""), ["--data.uncertain", "soft"]).data.uncertain == "soft"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {uncertain: maybe}", "data.uncertain"),
        ("data: {uncertain: {Edema: maybe}}", "received 'maybe'"),
        ("data: {uncertain: ones, task: multiclass}", "data.uncertain contradicts data.task multiclass"),
        ("data: {format: vindr}", "vindr-cxr, .*received 'vindr'"),
    ],
)
def test_what_is_no_policy_or_format_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(config(tmp_path, text))
