"""Runs are made once: what is finished stays, what is not is named, and what was made otherwise is refused."""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import kept
from benchmarks.accuracy.arms import COLLECTIONS, DEFAULT, RECIPES, WEIGHTS, overrides, run_name
from benchmarks.accuracy.running import complete, differences, require_library
from benchmarks.harness import NotMeasurableError
from benchmarks.suite import recipes
from medclassify.config import config_to_yaml, load_config

NIH = COLLECTIONS[0]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of the right names; nothing is read from them, for all runs are there. What is kept beside the results is not."""
    monkeypatch.setattr(kept, "KEPT", tmp_path / "kept")
    for name in ("nih", "cxr"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data" / WEIGHTS).parent.mkdir()
    (tmp_path / "data" / WEIGHTS).touch()
    monkeypatch.setenv("MEDCLASSIFY_TEST_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def runs(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Finished runs of every recipe on the published list, and of none of the peers."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("MEDCLASSIFY_BENCHMARK_RUNS", str(folder))
    monkeypatch.setattr("benchmarks.accuracy.kept.KEPT", tmp_path / "kept")
    for number, arm in enumerate(RECIPES):
        for seed in NIH.seeds:
            plant(folder / run_name(NIH, arm, seed), arm, seed, signal=2.0 - number)
    recipes.recipes.cache_clear()
    return folder


@cache
def config_text(arm: str) -> str:
    """What a run of seed 0 writes; made once, for building the parser takes a while."""
    return config_to_yaml(load_config(NIH.config_path, overrides(NIH, arm, 0, Path("planted", "data"))))


def plant(run: Path, arm: str, seed: int, signal: float) -> None:
    run.mkdir(parents=True)
    rows = np.arange(120)
    ids = [f"s{row:03}" for row in rows]
    target = rows % 2
    noise = np.random.default_rng([seed, len(arm)]).normal(size=rows.size)
    test = pd.DataFrame({"sample_id": ids, "patient_id": ids, "finding": "Pneumonia", "target": target, "split": "test"})
    test.assign(logit=target * signal + noise).to_parquet(run / "predictions.parquet")
    splits = ["test"] * 120 + ["train"] * 240
    pd.DataFrame({"sample_id": [*ids, *(f"t{row}" for row in range(240))], "split": splits}).to_parquet(
        run / "manifest.parquet"
    )
    (run / "config.yaml").write_text(
        config_text(arm).replace("seed_everything: 0", f"seed_everything: {seed}"), encoding="utf-8"
    )
    history = [{"tune_auroc": 0.8}] * 3
    metrics = {"seconds": 120, "training": {"history": history, "head_alone": {"strength": 1}}}
    (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (run / "provenance.json").write_text(json.dumps({"hardware": {"threads": 1}, "seed": seed}), encoding="utf-8")


def test_finished_runs_are_not_made_again(runs: Path, data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.accuracy.running.subprocess.run", lambda *_, **__: pytest.fail("a run was started"))
    complete(NIH, tuple(RECIPES), data, runs)


def test_a_run_that_fails_is_named_with_its_last_line(tmp_path: Path, data: Path):
    with pytest.raises(NotMeasurableError, match=r"nih-head_then_full-0 ended with 1: .*nih") as caught:
        complete(NIH, (DEFAULT,), data, tmp_path / "none")
    assert str(tmp_path / "none") in str(caught.value)


def test_a_run_of_another_config_is_refused_by_key(runs: Path, data: Path):
    run = runs / run_name(NIH, DEFAULT, 2)
    config = run / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("lr: 0.0003", "lr: 0.01", 1), encoding="utf-8")
    assert differences(NIH, DEFAULT, 2, data, run) == ["optimizer.lr"]
    with pytest.raises(NotMeasurableError, match=r"made with another optimizer\.lr; move it away"):
        complete(NIH, (DEFAULT,), data, runs)


def test_folders_may_have_moved_and_keys_may_be_younger_than_a_run(runs: Path, data: Path):
    run = runs / run_name(NIH, DEFAULT, 0)
    text = (run / "config.yaml").read_text(encoding="utf-8").replace("planted/data", "elsewhere")
    (run / "config.yaml").write_text(text.replace("  patience: 8\n", ""), encoding="utf-8")
    assert differences(NIH, DEFAULT, 0, data, run) == []


def test_a_peer_waits_for_the_run_whose_minutes_it_gets(tmp_path: Path, data: Path):
    with pytest.raises(NotMeasurableError, match="timm gets the minutes of nih-head_then_full-0, which is not finished"):
        complete(NIH, ("timm",), data, tmp_path / "none")


def test_a_missing_library_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.accuracy.running.importlib.util.find_spec", lambda _name: None)
    with pytest.raises(NotMeasurableError, match="pip install torchxrayvision"):
        require_library("torchxrayvision")


def test_measures_from_planted_runs(runs: Path, capsys: pytest.CaptureFixture[str]):
    calls = recipes.keys(True)
    best = calls["nih_default_minus_best"]()
    assert best.value == 0 and best.goal is not None and best.goal < 0 and best.reached
    against = calls["nih_default_minus_random"]()
    assert against.reached and against.low < against.value < against.high
    assert "ahead in 5 of 5 seeds" in against.note
    assert capsys.readouterr().out.count("| nih | Pneumonia |") == len(RECIPES)
    with pytest.raises(NotMeasurableError, match="head_then_full and timm have 0 finished seeds in common"):
        calls["nih_default_minus_timm"]()
    with pytest.raises(NotMeasurableError, match="0 finished runs of cxr"):
        calls["cxr_default_minus_best"]()


def test_a_default_that_is_far_from_the_best_misses_its_goal(runs: Path, data: Path):
    for seed in NIH.seeds:
        other = runs / run_name(NIH, "random", seed)
        table = pd.read_parquet(other / "predictions.parquet")
        table.assign(logit=table["target"] * 6 + table["logit"]).to_parquet(other / "predictions.parquet")
    best = recipes.keys(True)["nih_default_minus_best"]()
    assert best.value < 0 and not best.reached and "best random" in best.note


def test_without_data_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDCLASSIFY_TEST_DATA", str(tmp_path))
    recipes.recipes.cache_clear()
    with pytest.raises(NotMeasurableError, match="set MEDCLASSIFY_TEST_DATA"):
        recipes.keys(False)["nih_default_minus_best"]()


@pytest.mark.parametrize("arm", RECIPES)
def test_every_arm_is_a_config_that_loads(arm: str, data: Path):
    for collection in COLLECTIONS:
        config = asdict(load_config(collection.config_path, overrides(collection, arm, 3, data)))
        assert config["seed_everything"] == 3 and config["audit"]["bootstrap"] == 100
