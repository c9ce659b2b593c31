"""A folder to a plan to a fit, without touching the plan."""

import re
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from outcomes import one_line

from medclassify.config import load_config
from medclassify.manifest import read_manifest

SMALL_NET = ("--model.backbone", "test_efficientnet", "--model.weights", "none", "--data.image_size", "64")


@pytest.fixture(scope="module")
def planned(cli, phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("planned")
    words = ("--trainer.max_epochs", "1", "--explain.samples", "2", "--audit.bootstrap", "100")
    labels = pd.read_csv(phantom / "labels.csv")
    labels.assign(rare=[1, 1, 1] + [0] * (len(labels) - 3)).to_csv(folder / "labels.csv", index=False)
    done = cli("plan", phantom / "images", "--labels", "labels.csv", *SMALL_NET, *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "plan.yaml", done.stdout


def test_the_plan_is_a_config_with_a_reason_above_every_key(planned: tuple[Path, str]) -> None:
    path, _ = planned
    config = load_config(path)
    assert config.model.backbone == "test_efficientnet" and config.trainer.max_epochs == 1
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\s*\w+: \S", line) and not line.lstrip().startswith("#")]
    assert len(keys) > 20
    assert [lines[number] for number in keys if not lines[number - 1].lstrip().startswith("# ")] == []
    assert "as you asked" in lines[next(n for n in keys if lines[n].strip().startswith("max_epochs")) - 1]


def test_fit_takes_it_unchanged_and_draws_the_splits_that_were_counted(planned: tuple[Path, str], cli) -> None:
    path, _ = planned
    done = cli("fit", path.name, "--run_dir", "run", cwd=path.parent)
    assert done.returncode == 0, done.stderr
    said = re.search(r"# splits: (.*) images", path.read_text(encoding="utf-8"))
    counts = read_manifest(path.parent / "run" / "manifest.parquet").frame["split"].value_counts()
    assert said and dict(part.split() for part in said[1].split(", ")) == {name: str(n) for name, n in counts.items()}


def test_the_console_shows_facts_table_choices_and_the_next_command(planned: tuple[Path, str]) -> None:
    path, output = planned
    assert output.rstrip().splitlines()[-1] == "next: medclassify fit plan.yaml"
    assert re.search(r"cost, measured over \d+ steps: [\d.]+ ms an image to train", output)
    assert "95% CI of AUROC 0.85" in output and "data.batch_size " in output and "warnings:" in output
    for text in (output, path.read_text(encoding="utf-8")):
        assert "CANARY" not in text


def test_a_plan_that_may_have_been_edited_is_not_written_over(planned: tuple[Path, str], cli, phantom: Path) -> None:
    path, _ = planned
    before = path.read_bytes()
    again = cli("plan", phantom / "images", "--labels", phantom / "labels.csv", cwd=path.parent)
    one_line(again, "--out plan.yaml: exists, and may have been edited. Choose another name, or remove it.")
    assert path.read_bytes() == before


def test_what_is_mistyped_is_told_and_nothing_is_written(cli, phantom: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    key = cli("plan", phantom / "images", "--labels", phantom / "labels.csv", "--data.image_siz", "64", cwd=tmp_path)
    one_line(key, "command line: --data.image_siz is not known; did you mean --data.image_size?")
    one_line(cli("plan", "nowhere", cwd=tmp_path), "data.source nowhere: no such file or folder. Check the path.")
    one_line(cli("plan", phantom / "images", cwd=tmp_path), "data.labels is not set")
    assert time.monotonic() - started < 30
    assert not list(tmp_path.iterdir())


def test_a_finding_that_cannot_be_learnt_is_left_out_and_told(planned: tuple[Path, str]) -> None:
    path, output = planned
    assert "rare" not in yaml.safe_load(path.read_text())["data"]["findings"]
    assert "  - rare: left out, its 3 positives of" in output
    assert "# - rare: left out, its 3 positives of" in path.read_text()


def test_labels_without_a_learnable_finding_are_refused(cli, phantom: Path, tmp_path: Path) -> None:
    labels = pd.read_csv(phantom / "labels.csv")
    labels[[labels.columns[0]]].assign(rare=[1, 1, 1] + [0] * (len(labels) - 3)).to_csv(tmp_path / "rare.csv", index=False)
    none = cli("plan", phantom / "images", "--labels", "rare.csv", *SMALL_NET, cwd=tmp_path)
    one_line(none, "no finding has enough patients of both classes to be learnt and measured (rare ")
    assert not (tmp_path / "plan.yaml").exists()
