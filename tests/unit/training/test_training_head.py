"""The head alone: its table of penalties, classes that exclude each other, and where a random head starts."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from medclassify.models import create_network
from medclassify.training import FINE_STRENGTHS, RARE, fit_head, start_head
from medclassify.training.head import prior_logits

KNOWN = 400


def part(network, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    features = random.normal(size=(KNOWN, network.num_features)).astype(np.float32)
    classes_of = (features[:, :classes] + random.normal(size=(KNOWN, classes)) / 2).argmax(axis=1)
    return features, np.eye(classes)[classes_of], np.ones((KNOWN, classes), bool)


def test_every_penalty_that_was_tried_is_told_and_the_best_one_taken() -> None:
    network = create_network("test_efficientnet", 3)
    probe = fit_head(network, ("a", "b", "c"), part(network, 3, 0), part(network, 3, 1), strengths=FINE_STRENGTHS)
    assert tuple(trial.strength for trial in probe.trials) == FINE_STRENGTHS == tuple(sorted(FINE_STRENGTHS))
    best = min(probe.trials, key=lambda trial: trial.tune_loss)
    assert probe.strength == best.strength and probe.tune_auroc == best.tune_auroc
    assert FINE_STRENGTHS[0] < probe.strength < FINE_STRENGTHS[-1]  # the grid holds the optimum within


@pytest.mark.parametrize("classes", [2, 3])
def test_exclusive_classes_get_one_regression(classes: int) -> None:
    network = create_network("test_efficientnet", classes)
    train, tune = part(network, classes, 0), part(network, classes, 1)
    probe = fit_head(network, ("a", "b", "c")[:classes], train, tune, task="multiclass", strengths=(0.01,))
    features = torch.from_numpy(tune[0])
    with torch.no_grad():
        found = torch.softmax(network.get_classifier()(features), dim=1).numpy()
    mean, spread = train[0].mean(axis=0), train[0].std(axis=0)
    model = LogisticRegression(C=0.01, max_iter=300).fit((train[0] - mean) / spread, train[1].argmax(axis=1))
    np.testing.assert_allclose(found, model.predict_proba((tune[0] - mean) / spread), atol=1e-4)
    expected = -np.log(found[np.arange(KNOWN), tune[1].argmax(axis=1)]).mean()
    assert probe.trials[0].tune_loss == pytest.approx(expected, rel=1e-4)


def test_a_class_that_train_does_not_hold_stays_improbable() -> None:
    network = create_network("test_efficientnet", 4)
    train, tune = part(network, 3, 0), part(network, 3, 1)
    train, tune = ((x, np.hstack([t, np.zeros((KNOWN, 1))]), np.ones((KNOWN, 4), bool)) for x, t, _ in (train, tune))
    probe = fit_head(network, ("a", "b", "c", "absent"), train, tune, task="multiclass", strengths=(0.01,))
    assert probe.skipped == ("absent",)
    with torch.no_grad():
        share = torch.softmax(network.get_classifier()(torch.from_numpy(tune[0])), dim=1)[:, 3]
    assert float(share.mean()) < 0.02


def test_a_finding_without_positives_gets_its_frequency_and_not_one_half() -> None:
    network = create_network("test_efficientnet", 1)
    features = np.random.default_rng(0).normal(size=(199, network.num_features)).astype(np.float32)
    none = (features, np.zeros((199, 1)), np.ones((199, 1), bool))
    probe = fit_head(network, ("rare",), none, none)
    assert probe.skipped == ("rare",) and probe.tune_auroc is None
    with torch.no_grad():
        logits = network.get_classifier()(torch.from_numpy(features))
    assert float(torch.sigmoid(logits).max()) == pytest.approx(0.5 / 200, rel=1e-4)


def test_a_random_head_starts_at_the_frequencies_of_train() -> None:
    network = create_network("test_efficientnet", 3)
    targets, mask = np.zeros((600, 3)), np.ones((600, 3), bool)
    targets[:6, 0], targets[:300, 1] = 1, 1
    mask[:, 2] = False
    start_head(network, targets, mask, np.ones(3), task="multilabel")
    shares = torch.sigmoid(network.get_classifier().bias.detach()).tolist()
    assert shares == pytest.approx([6.5 / 601, 300.5 / 601, 0.5], rel=1e-5)
    # the constant that has the smallest weighted loss: its derivative vanishes there
    start_head(network, targets, mask, np.array([10.0, 1.0, 1.0]), task="multilabel")
    share = float(torch.sigmoid(network.get_classifier().bias.detach())[0])
    assert 10 * 6.5 * (1 - share) == pytest.approx(594.5 * share, rel=1e-5)


def test_only_rare_findings_of_a_random_head_start_at_their_frequency() -> None:
    network = create_network("test_efficientnet", 3)
    targets, mask = np.zeros((600, 3)), np.ones((600, 3), bool)
    targets[:6, 0], targets[:180, 1], targets[:300, 2] = 1, 1, 1
    start_head(network, targets, mask, np.ones(3), task="multilabel", rarer_than=RARE)
    assert network.get_classifier().bias.tolist() == pytest.approx([np.log(6.5 / 594.5), 0, 0], rel=1e-5)


@pytest.mark.parametrize(("smallest", "starts"), [(9, True), (60, False)])
def test_exclusive_classes_start_at_their_shares_together_or_not_at_all(smallest: int, starts: bool) -> None:
    network = create_network("test_efficientnet", 2)
    targets = np.eye(2)[[0] * 100 + [1] * smallest]
    start_head(network, targets, np.ones(targets.shape, bool), np.ones(2), task="multiclass", rarer_than=RARE)
    bias = network.get_classifier().bias.tolist()
    assert all(bias) if starts else not any(bias)


def test_exclusive_classes_start_at_their_shares() -> None:
    targets = np.eye(3)[[0] * 60 + [1] * 30 + [2] * 9]
    shares = np.exp(prior_logits(targets, np.ones((99, 3), bool), "multiclass"))
    np.testing.assert_allclose(shares, np.array([60.5, 30.5, 9.5]) / 100.5)
