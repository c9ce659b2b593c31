"""A search from the command line: three tiny trials, a time that is up, and (slow) a kill and labels that must not matter."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from outcomes import one_line

from medclassify.config import load_config
from medclassify.data import PreparedStore
from medclassify.errors import ManifestError
from medclassify.manifest import LeakageReport, Manifest, read_manifest, write_manifest
from medclassify.manifest.table import CORE_COLUMNS
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.tune_trial import learnable_part

SPACE = "optimizer.lr: {low: 1e-4, high: 1e-2, log: true}\noptimizer.ema_decay: [0.5, 0.9]\n"


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "trials.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def searched(cli, small_config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("searched")
    (folder / "space.yaml").write_text(SPACE)
    done = cli("tune-hparams", small_config, "--trials", "3", "--space", "space.yaml", "--out", "search", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_three_trials_make_a_table_and_a_config(searched: tuple[Path, str], small_config: Path) -> None:
    folder, output = searched
    found = rows(folder / "search")
    assert [row["state"] for row in found] == ["complete"] * 3 and [row["epochs"] for row in found] == ["2"] * 3
    own = load_config(small_config)
    assert float(found[0]["optimizer.lr"]) == own.optimizer.lr  # trial 0 is the config as it is
    best = max(found, key=lambda row: float(row["tune_auroc"]))
    config = load_config(folder / "search" / "best.yaml")
    chosen = replace(own.optimizer, lr=float(best["optimizer.lr"]), ema_decay=float(best["optimizer.ema_decay"]))
    assert config == replace(own, optimizer=chosen)
    text = (folder / "search" / "best.yaml").read_text()
    for said in (
        f"trial {best['trial']} is the best of 3 complete trials",
        "optimistic",
        "No sample of the calibrate and test",
    ):
        assert said.lower() in text.lower()
    assert "optimizer.ema_decay: 0.0 of the config added to the space" in output and "optimizer.lr: " not in output
    assert output.rstrip().splitlines()[-1] == "next: medclassify fit search/best.yaml"
    assert output.count("tune AUROC") >= 4 and "epoch 1/2" not in output
    assert "epoch 1/2" in (folder / "search" / "trials" / "0000" / "console.txt").read_text()
    assert not list((folder / "search").rglob("*.ckpt"))


@pytest.mark.slow
def test_the_same_command_goes_on_and_another_search_is_refused(searched: tuple[Path, str], small_config: Path, cli) -> None:
    folder, _ = searched
    other = cli("tune-hparams", small_config, "--trials", "3", "--out", "search", cwd=folder)
    one_line(other, "holds a search of another space. Give the one it was started with, or another --out.")
    before = rows(folder / "search")
    again = cli("tune-hparams", small_config, "--trials", "3", "--space", "space.yaml", "--out", "search", cwd=folder)
    assert again.returncode == 0 and "going on with search: 3 trials have ended" in again.stdout
    assert rows(folder / "search") == before


@pytest.mark.slow
def test_a_trial_ends_after_the_epoch_in_which_the_time_is_up(cli, small_config: Path, tmp_path: Path) -> None:
    words = ("--timeout", "1s", "--trials", "5", "--out", "search", "--trainer.max_epochs", "50")
    done = cli("tune-hparams", small_config, *words, cwd=tmp_path)
    one_line(done, "search: no trial was completed (")
    for row in rows(tmp_path / "search"):
        assert row["state"] == "pruned" and row["note"] == "the time was up" and int(row["epochs"]) < 50


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--optimizer.lrr", "1"), "command line: --optimizer.lrr is not known; did you mean --optimizer.lr?"),
        (("--space", "wrong.yaml"), "wrong.yaml: optimizer.lrr cannot be searched; did you mean optimizer.lr?"),
        (("--data.source", "nowhere"), "data.source nowhere: no such file or folder. Check the path."),
    ],
)
def test_what_is_mistyped_is_told_at_once(
    words: tuple[str, ...], message: str, cli, small_config: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text("optimizer.lrr: [1]")
    one_line(cli("tune-hparams", small_config, *words, cwd=tmp_path), message)
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


@pytest.mark.parametrize(("option", "value"), [("--timeout", "soon"), ("--timeout", "0m"), ("--trials", "0")])
def test_wrong_numbers_are_wrong_usage(option: str, value: str, cli, small_config: Path, tmp_path: Path) -> None:
    done = cli("tune-hparams", small_config, option, value, cwd=tmp_path)
    assert done.returncode == 2 and f"argument {option}: must be" in done.stderr


def test_without_optuna_the_remedy_is_one_line(state: dict[str, str], small_config: Path, tmp_path: Path) -> None:
    program = "import sys; sys.modules['optuna'] = None; from medclassify.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "tune-hparams", str(small_config)]
    done = subprocess.run(command, cwd=tmp_path, env=state, capture_output=True, text=True, timeout=60, check=False)
    one_line(done, 'tune-hparams needs Optuna, which is not installed. Add it with: pip install "medclassify[tune]"')


def test_a_trial_cannot_reach_what_was_held_out() -> None:
    samples, splits = list("abcd"), ["test", "train", "calibrate", "tune"]
    frame = pd.DataFrame({name: pd.Series([None] * 4, dtype="str") for name in CORE_COLUMNS}).assign(
        sample_id=samples, split=splits, nodule=pd.array([1, 0, 1, 0], dtype="Int8")
    )
    images = np.arange(4 * 4, dtype=np.uint8).reshape(4, 1, 2, 2)
    store = PreparedStore(images, pd.DataFrame({"sample_id": samples}))
    manifest = Manifest(frame, ("nodule",), "here", "generic")
    part = learnable_part(Dataset(manifest, store, (), LeakageReport({}, (), (), {}), (), synthetic=True))
    assert part.manifest.frame["sample_id"].tolist() == ["b", "d"]
    assert part.store.rows(["b", "d"]).tolist() == [1, 3]
    for held_out in "ac":
        with pytest.raises(ManifestError, match="not in the prepared store"):
            part.store.rows([held_out])


@pytest.mark.slow
def test_labels_of_calibrate_and_test_do_not_matter(cli, fitted: tuple[Path, str], small_config: Path, tmp_path: Path) -> None:
    manifest = read_manifest(fitted[0] / "manifest.parquet")
    held_out = manifest.frame["split"].isin(["calibrate", "test"])
    lies = manifest.frame.copy()
    for name in manifest.findings:
        lies[name] = lies[name].where(~held_out, 1 - lies[name])
    found = {}
    for name, frame in (("truth", manifest.frame), ("lies", lies)):
        folder = tmp_path / name
        folder.mkdir()
        write_manifest(replace(manifest, frame=frame), folder / "manifest.parquet")
        words = ("--trials", "4", "--data.source", "manifest.parquet", "--out", "search")
        done = cli("tune-hparams", small_config, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows(folder / "search")]
    assert found["truth"] == found["lies"]


@pytest.mark.slow
def test_a_killed_search_ends_as_one_that_was_not(
    cli, searched: tuple[Path, str], state: dict[str, str], small_config: Path, tmp_path: Path
) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    words = ["tune-hparams", str(small_config), "--trials", "3", "--space", "space.yaml", "--out", "search"]
    process = subprocess.Popen(
        [sys.executable, "-m", "medclassify", *words], cwd=tmp_path, env=state, stdout=subprocess.DEVNULL
    )
    second = tmp_path / "search" / "trials" / "0001" / "logs" / "metrics.csv"
    until = time.monotonic() + 120
    while not second.is_file() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = cli(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 trial was broken off, marked as failed and tried again" in done.stdout
    kept = ("state", "tune_auroc", "standard_error", "epochs", "optimizer.lr", "optimizer.ema_decay")
    ended = [row for row in rows(tmp_path / "search") if row["state"] != "interrupted"]
    assert [[row[name] for name in kept] for row in ended] == [
        [row[name] for name in kept] for row in rows(searched[0] / "search")
    ]
    best = [yaml.safe_load((folder / "search" / "best.yaml").read_text()) for folder in (tmp_path, searched[0])]
    assert best[0] == best[1]
