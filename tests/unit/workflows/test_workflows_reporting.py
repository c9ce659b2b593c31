"""What a report tells of its config."""

import json

import pytest

from medclassify.config import Config, DataConfig, ModelConfig, ReviewConfig
from medclassify.workflows.reporting import shown_config


@pytest.mark.parametrize("store", ["/home/CANARY/reviews.sqlite", "postgresql+psycopg://CANARY@host/reviews"])
def test_a_shown_config_names_no_folder_and_no_user(store: str) -> None:
    data = DataConfig(source="/home/CANARY/images", labels="/home/CANARY/labels.csv")
    model = ModelConfig(weights="/home/CANARY/start.safetensors")
    shown = shown_config(Config(data=data, model=model, review=ReviewConfig(store=store), run_dir="/home/CANARY/run"))
    assert "CANARY" not in json.dumps(shown)
    assert shown["model"]["weights"] == "start.safetensors"
    assert shown["review"]["store"].startswith("a PostgreSQL" if "://" in store else "a SQLite")
    assert shown_config(Config())["review"]["store"] is None
