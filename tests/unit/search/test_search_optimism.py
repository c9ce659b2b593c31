"""The best of many trials flatters itself; the corrected figure does not."""

import numpy as np
import pytest

from medclassify.search import TrialRow, corrected_auroc, verdict
from medclassify.training.classifier import macro_auroc


def noise(trials: int, n: int, seed: int, signal: float = 0.0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    targets = (random.random((n, 2)) < 0.4).astype(float)
    return [random.normal(size=(n, 2)) + signal * targets for _ in range(trials)], targets, np.ones((n, 2), bool)


def test_the_best_of_trials_that_know_nothing_is_corrected_to_a_half() -> None:
    best, corrected = [], []
    for seed in range(20):
        logits, targets, mask = noise(30, 80, seed)
        best.append(max(macro_auroc(one, targets, mask) or 0 for one in logits))
        corrected.append(corrected_auroc(logits, targets, mask, np.arange(80), seed=seed, resamples=100))
    assert np.mean(best) > 0.57
    assert np.mean(corrected) == pytest.approx(0.5, abs=0.02)


def test_one_trial_needs_no_correction_but_for_its_own_noise() -> None:
    logits, targets, mask = noise(1, 2000, 0, signal=1.0)
    corrected = corrected_auroc(logits, targets, mask, np.arange(2000), seed=0, resamples=200)
    assert corrected == pytest.approx(macro_auroc(logits[0], targets, mask), abs=0.005)


def test_masked_labels_do_not_enter_and_one_class_gives_no_figure() -> None:
    logits, targets, mask = noise(3, 60, 1, signal=2.0)
    mask[:30] = False
    other = [one.copy() for one in logits]
    for one in other:
        one[:30] = 1e9
    patients = np.arange(60) // 2
    figure = corrected_auroc(logits, targets, mask, patients, seed=1)
    assert figure is not None and figure == corrected_auroc(other, targets, mask, patients, seed=1)
    assert corrected_auroc(logits, np.zeros_like(targets), mask, patients, seed=1) is None
    assert corrected_auroc([], targets, mask, patients, seed=1) is None


def row(number: int, score: float | None, state: str = "complete") -> TrialRow:
    return TrialRow(number, state, score, 0.02, 3, 1.0, "", {"optimizer.lr": 0.1})


def test_the_verdict_says_that_it_is_optimistic_and_when_it_may_be_luck() -> None:
    rows = [row(0, 0.80), row(1, 0.81), row(2, 0.5), row(3, None, "failed")]
    lines = verdict(rows, rows[1], 0.79)
    assert "trial 1 is the best of 3 complete trials (4 in all): tune AUROC 0.8100, standard error 0.0200" in lines[0]
    assert "optimistic" in lines[1] and "expect about 0.7900" in lines[1]
    assert lines[2] == "2 of 3 complete trials lie within one standard error of it, itself included"
    assert "(0.8000) is one of them: what was found may be luck" in lines[3]
    better = [row(0, 0.75), row(1, 0.81)]
    assert len(verdict(better, better[1], None)) == 3
    alone = [row(0, 0.75), row(1, None, "failed")]
    assert verdict(alone, alone[0], 0.7) == [
        "trial 0 is the only complete one (2 in all), so nothing was chosen: tune AUROC 0.7500, standard error 0.0200"
    ]
