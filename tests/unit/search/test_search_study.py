"""Trials in SQLite: the same after a kill, pruned by the median, never two searches in one folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medclassify.errors import RunError
from medclassify.search import Options, Range, Search

SPACE = (Range("optimizer.lr", 1e-4, 1e-1, log=True), Options("optimizer.recipe", ("full", "linear_probe")))
FACTS = {"config": {"a": 1}, "space": [1], "data": "x"}
DONE = {"epochs": 1, "seconds": 0.0, "note": ""}
OWN = {"optimizer.lr": 0.01, "optimizer.recipe": "full"}


def search(folder: Path, **changes: str) -> Search:
    opened = Search(folder, SPACE, 3, {**FACTS, **changes})
    opened.start_with(OWN)
    return opened


def run(opened: Search, count: int) -> list[dict]:
    """Ends trials, each with a value made of what was proposed."""
    asked = []
    while len(opened.counted) < count:
        trial, values = opened.ask()
        asked.append(values)
        opened.end(trial, "complete", values.get("optimizer.lr", 0.0) % 0.013, DONE)
    return asked


def test_the_first_trial_is_the_config_and_a_linear_probe_stands_alone(tmp_path: Path) -> None:
    opened = search(tmp_path)
    asked = run(opened, 12)
    assert asked[0] == OWN
    alone = [values for values in asked if values["optimizer.recipe"] == "linear_probe"]
    assert alone and all(set(values) == {"optimizer.recipe"} for values in alone)
    assert opened.best is not None and opened.best.value == max(trial.value for trial in opened.trials)


def test_proposals_do_not_repeat_though_the_sampler_is_made_anew_for_each(tmp_path: Path) -> None:
    opened = Search(tmp_path, SPACE[:1], 3, FACTS)
    rates = [values["optimizer.lr"] for values in run(opened, 5)]
    assert len(set(rates)) == 5


def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    unbroken = run(search(tmp_path / "unbroken"), 9)
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_search_study import run, search
opened = search(Path({str(tmp_path / "broken")!r}))
run(opened, 6)
opened.ask()
os.kill(os.getpid(), 9)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    killed = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -9, killed.stderr
    opened = search(tmp_path / "broken")
    assert len(opened.counted) == 6 and opened.resume() == 1
    after = run(opened, 9)
    assert unbroken[6:] == after
    assert [trial.state.name for trial in opened.trials] == ["COMPLETE"] * 6 + ["FAIL"] + ["COMPLETE"] * 3
    assert opened.resume() == 0


def test_a_weak_trial_is_pruned_and_a_strong_one_is_not(tmp_path: Path) -> None:
    opened = search(tmp_path)
    for _ in range(5):
        trial, _ = opened.ask()
        for epoch in range(4):
            trial.report(0.7, epoch)
            assert not trial.should_prune()
        opened.end(trial, "complete", 0.7, DONE)
    trial, _ = opened.ask()
    pruned = []
    for epoch in range(4):
        trial.report(0.6, epoch)
        pruned.append(trial.should_prune())
    assert pruned == [False, False, True, True]  # the first two epochs say little
    opened.end(trial, "pruned", None, DONE)
    strong, _ = opened.ask()
    strong.report(0.8, 3)
    assert not strong.should_prune()
    opened.end(strong, "failed", None, {**DONE, "note": "out of memory"})
    assert len(opened.counted) == 7 and opened.best is not None and opened.best.number == 0


def test_another_search_is_refused_while_one_is_at_work_and_where_one_of_something_else_lies(tmp_path: Path) -> None:
    opened = search(tmp_path)
    with pytest.raises(RunError, match="another search is at work here. Wait for it, or choose another --out."):
        search(tmp_path)
    opened.close()
    with pytest.raises(RunError, match="holds a search of another data. Give the one it was started with, or another --out."):
        search(tmp_path, data="y")
    search(tmp_path).close()
