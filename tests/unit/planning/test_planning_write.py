"""A plan's YAML holds every value as it is, each below its reason, and reads back through the config."""

from pathlib import Path

import yaml

from medclassify.config import load_config
from medclassify.planning import Choice, plan_to_yaml

CHOICES = (
    Choice("seed_everything", 3, "a seed"),
    Choice("audit.statements.owner", "me: you", "as you asked"),
    Choice("data.source", "a folder/with #signs", "seen"),
    Choice("data.phantom.patients", 40, "as you asked"),
    Choice("data.labels", None, "none"),
    Choice("data.fractions", {"train": 0.5, "tune": 0.1, "calibrate": 0.15, "test": 0.25}, "word " * 60),
    Choice("audit.margin", 0.1, "as you asked"),
    Choice("data.findings", ["a, b", "yes", "1e3"], "all"),
    Choice("optimizer.lr", 1e-05, "small"),
)


def test_every_value_comes_back_and_sections_stand_once(tmp_path: Path) -> None:
    text = plan_to_yaml(["one", "", "two"], ["beware"], CHOICES)
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path)
    assert config.seed_everything == 3 and config.data.source == "a folder/with #signs" and config.data.labels is None
    assert config.data.phantom.patients == 40 and config.data.findings == ("a, b", "yes", "1e3") and config.optimizer.lr == 1e-5
    assert config.data.fractions.test == 0.25 and config.audit.statements.owner == "me: you" and config.audit.margin == 0.1
    keys = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert keys == ["seed_everything: 3", "data:", "optimizer:", "audit:"]


def test_reasons_stand_above_their_keys_and_nothing_is_wider_than_the_page() -> None:
    lines = plan_to_yaml(["one", "", "two"], ["beware"], CHOICES).splitlines()
    assert lines[:6] == ["# one", "#", "# two", "#", "# WARNINGS", "# - beware"]
    assert lines[lines.index("optimizer:") + 1 :][:2] == ["  # small", "  lr: 1.0e-05"]
    assert max(map(len, lines)) <= 120
    assert yaml.safe_load("\n".join(lines))["optimizer"]["lr"] == 1e-5  # YAML takes 1e-05 without a point for a text
