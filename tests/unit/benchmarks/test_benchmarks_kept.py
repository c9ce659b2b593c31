"""Scores that are kept say the same as the run they are of, hold no label and no patient, and give every machine one key."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import kept
from benchmarks.accuracy.arms import COLLECTIONS, DEFAULT, run_name
from benchmarks.accuracy.kept import KEY, keep_scores, kept_file, kept_scores, public_key
from benchmarks.accuracy.scores import read_scores
from benchmarks.harness import NotMeasurableError

NIH = COLLECTIONS[0]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One finished run, and the labels that belong to it."""
    monkeypatch.setattr(kept, "KEPT", tmp_path / "kept")
    run = tmp_path / "runs" / run_name(NIH, DEFAULT, 0)
    run.mkdir(parents=True)
    ids = [f"s{row:03}" for row in range(40)]
    table = pd.DataFrame({"sample_id": ids, "patient_id": [f"p{row // 2}" for row in range(40)], "finding": "Pneumonia"})
    table["target"] = np.arange(40) % 2
    logits = np.random.default_rng(0).normal(size=40)
    table.assign(split="test", logit=logits).to_parquet(run / "predictions.parquet")
    splits = pd.DataFrame({"sample_id": [*ids, "t0", "t1"], "split": ["test"] * 40 + ["train"] * 2})
    splits.to_parquet(run / "manifest.parquet")
    (run / "metrics.json").write_text(json.dumps({"seconds": 90}), encoding="utf-8")
    facts = {"hardware": {"threads": 1}, "git_commit": "abc"}
    (run / "provenance.json").write_text(json.dumps(facts), encoding="utf-8")
    labels = table.rename(columns={"target": "Pneumonia"}).set_index("sample_id")[["patient_id", "Pneumonia"]]
    monkeypatch.setattr(kept, "_labels", lambda *_: labels)
    return tmp_path / "runs"


def test_kept_scores_are_those_of_the_run(runs: Path, tmp_path: Path):
    keep_scores(NIH, DEFAULT, 0, runs)
    own = read_scores(runs / run_name(NIH, DEFAULT, 0), 0, runs / run_name(NIH, DEFAULT, 0) / "manifest.parquet")
    again = kept_scores(NIH, DEFAULT, 0, tmp_path, runs)
    assert again is not None
    pd.testing.assert_frame_equal(own.table, again.table, check_dtype=False)
    assert (again.train, again.test, again.threads, again.minutes) == (2, 40, 1, 1.5)


def test_what_is_kept_holds_neither_label_nor_patient(runs: Path):
    keep_scores(NIH, DEFAULT, 0, runs)
    stored = json.loads(kept_file(NIH, DEFAULT, 0).read_text(encoding="utf-8"))
    assert set(stored) == {"seed", "minutes", "threads", "train", "test", "commit", "logits"}
    assert set(stored["logits"]["Pneumonia"]) == {f"s{row:03}" for row in range(40)}
    assert all(isinstance(value, float) for value in stored["logits"]["Pneumonia"].values())


def test_nothing_kept_is_none(runs: Path, tmp_path: Path):
    assert kept_scores(NIH, DEFAULT, 0, tmp_path, runs) is None


def test_a_sample_that_this_copy_lacks_is_named(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keep_scores(NIH, DEFAULT, 0, runs)
    fewer = kept._labels(NIH, tmp_path, runs).drop(index=["s003", "s007"])
    monkeypatch.setattr(kept, "_labels", lambda *_: fewer)
    with pytest.raises(NotMeasurableError, match=r"2 samples are not in .*nih \(first: s003\)"):
        kept_scores(NIH, DEFAULT, 0, tmp_path, runs)


def test_the_key_is_the_public_one_inside_and_the_users_own_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", "mine")
    with public_key(tmp_path / "runs"):
        named = Path(os.environ["MEDCLASSIFY_KEY_FILE"])
        assert named.read_text(encoding="ascii").strip() == KEY
        assert named.stat().st_mode & 0o077 == 0
    assert os.environ["MEDCLASSIFY_KEY_FILE"] == "mine"
