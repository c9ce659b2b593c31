"""Means and differences over seeds: checked against the library's own paired test, and against the formula by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.comparison import DRAWN, PUBLISHED, difference, estimable, mean_auroc, own_width
from benchmarks.accuracy.scores import Scores
from benchmarks.accuracy.tables import markdown
from benchmarks.harness import NotMeasurableError
from medclassify.metrics import auroc, delong_paired

T4 = 2.7764451  # Student, 4 degrees of freedom, 97.5 %


def planted(
    seed: int, *, signal: float, samples: int = 80, first: int = 0, findings: tuple[str, ...] = ("A",), noise: int = 0
) -> Scores:
    """A run whose logits follow the truth by ``signal``; samples ``first`` …, two of each patient."""
    tables = []
    for k, finding in enumerate(findings):
        drawn = np.random.default_rng([seed, noise, k])
        target = (np.arange(first, first + samples) // 2) % 2
        rows = np.arange(first, first + samples)
        tables.append(
            pd.DataFrame(
                {
                    "sample_id": [f"s{row:04}" for row in rows],
                    "patient_id": [f"p{row // 2:04}" for row in rows],
                    "finding": finding,
                    "target": target,
                    "logit": target * signal + drawn.normal(size=samples),
                }
            )
        )
    return Scores(seed, pd.concat(tables, ignore_index=True), 2.0 + seed, 1, train=160, test=samples)


def test_one_model_under_five_seeds_has_the_interval_of_one():
    runs = [Scores(seed, planted(0, signal=1).table, 1.0, 1, 160, 80) for seed in range(5)]
    table = runs[0].table
    alone = auroc(table["target"], table["logit"], patients=table["patient_id"].tolist(), interval="logit")
    found = mean_auroc(runs, ["A"])
    assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.ci_low, alone.ci_high))
    assert found.method == PUBLISHED
    reported = auroc(table["target"], table["logit"], patients=table["patient_id"].tolist())
    assert own_width(runs, "A") == pytest.approx((reported.ci_high or 0) - (reported.ci_low or 0))


def test_a_published_test_list_is_compared_as_the_paired_test_does():
    ours, theirs = planted(0, signal=2, noise=1), planted(0, signal=0.5, noise=2)
    first, second = ([Scores(seed, run.table, 1.0, 1, 160, 80) for seed in range(5)] for run in (ours, theirs))
    found = difference(first, second, ["A"])
    patients = ours.table["patient_id"].tolist()
    expected = delong_paired(ours.table["target"], ours.table["logit"], theirs.table["logit"], patients=patients).estimate
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.ci_low, expected.ci_high))


def test_several_models_on_one_list_vary_less_than_one():
    runs = [planted(seed, signal=1) for seed in range(5)]
    found = mean_auroc(runs, ["A"])
    assert found.method == PUBLISHED
    assert found.high - found.low < own_width(runs, "A")


def test_drawn_splits_have_the_corrected_variance_of_nadeau_and_bengio():
    ours = [planted(seed, signal=2, first=10 * seed, noise=1) for seed in range(5)]
    theirs = [planted(seed, signal=1, first=10 * seed, noise=2) for seed in range(5)]
    found = difference(ours, theirs, ["A"])
    gaps = np.array(found.seeds)
    assert found.method == DRAWN
    assert found.value == pytest.approx(gaps.mean())
    assert found.half_width == pytest.approx(T4 * np.sqrt((1 / 5 + 80 / 160) * gaps.var(ddof=1)))


def test_only_seeds_that_both_have_are_compared():
    ours, theirs = [planted(seed, signal=2) for seed in range(5)], [planted(seed, signal=0, noise=1) for seed in (1, 3)]
    assert len(difference(ours, theirs, ["A"]).seeds) == 2
    with pytest.raises(NotMeasurableError, match="1 seeds are finished"):
        difference(ours, theirs[:1], ["A"])


def test_arms_that_were_scored_on_different_samples_are_not_compared():
    with pytest.raises(NotMeasurableError, match="seed 0: two arms were scored on different samples"):
        difference([planted(0, signal=1)], [planted(0, signal=1, first=2)], ["A"])


def test_a_finding_that_is_too_rare_in_one_run_is_left_out_everywhere():
    runs = [planted(seed, signal=1, findings=("A", "rare")) for seed in range(2)]
    rare = runs[1].table["finding"] == "rare"
    runs[1].table.loc[rare, "target"] = (np.arange(rare.sum()) < 4).astype(int)
    arms = {"head_then_full": runs}
    assert estimable(arms) == ("A",)
    text = markdown("planted", arms)
    assert "left out: rare" in text and "| planted | rare" not in text


def test_the_table_has_a_row_an_arm_and_says_what_the_interval_is():
    arms = {
        name: [planted(seed, signal=s, noise=n) for seed in range(5)]
        for name, s, n in (("head_then_full", 2, 0), ("random", 0, 1))
    }
    lines = markdown("planted", arms).splitlines()
    default, random = lines[2], lines[3]
    assert "**head_then_full**" in default and "| random |" in random
    assert "ahead in 5 of 5" in random and "4.0 (2.0–6.0)" in random
    assert "same published test list" in lines[-1]


def test_a_run_of_another_patient_key_is_refused(tmp_path: Path):
    from benchmarks.accuracy.scores import read_scores

    planted(0, signal=1).table.assign(split="test").to_parquet(tmp_path / "predictions.parquet")
    manifest = tmp_path / "manifest.parquet"
    pd.DataFrame({"sample_id": ["other"], "split": ["test"]}).to_parquet(manifest)
    with pytest.raises(NotMeasurableError, match="made with one key file"):
        read_scores(tmp_path, 0, manifest)
