"""Class weights, the schedule, the head's warm-up."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from medclassify.config import Config, OptimizerConfig, TrainerConfig
from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.models import create_network
from medclassify.records import Preprocessing
from medclassify.runs import RunLayout
from medclassify.training import Classifier, class_weights, fine_tune, fit_head
from medclassify.training.classifier import macro_auroc, macro_standard_error, warmup_cosine


def test_balanced_weights_even_out_the_classes_within_limits() -> None:
    targets = np.zeros((100, 3))
    targets[:20, 0], targets[:1, 1] = 1, 1
    mask = np.ones((100, 3), bool)
    mask[:, 2] = False
    assert class_weights(targets, mask, "balanced").tolist() == pytest.approx([4.0, 10.0, 0.1])
    assert class_weights(targets, mask, "none").tolist() == [1, 1, 1]


def test_schedule_rises_then_falls_to_zero() -> None:
    values = [warmup_cosine(step, 100, 0.1) for step in range(101)]
    assert values[0] == pytest.approx(0.1) and max(values) == 1.0 and values[100] == pytest.approx(0)
    assert all(a >= b for a, b in itertools.pairwise(values[10:]))


def test_macro_auroc_leaves_out_what_has_no_two_classes() -> None:
    logits = np.array([[0.1, 1.0], [0.9, 2.0], [0.4, 3.0]])
    targets = np.array([[0, 1], [1, 1], [1, 1]])
    assert macro_auroc(logits, targets, np.ones((3, 2), bool)) == 1.0
    assert macro_auroc(logits[:, 1:], targets[:, 1:], np.ones((3, 1), bool)) is None


def test_head_learns_separable_features_and_skips_a_one_class_finding() -> None:
    random = np.random.default_rng(0)
    network = create_network("test_efficientnet", 2)
    features = random.normal(size=(1000, network.num_features)).astype(np.float32) * 3 + 5
    targets = np.stack([features[:, 0] > 5, np.zeros(1000)], axis=1).astype(float)
    mask = np.ones((1000, 2), bool)
    probe = fit_head(
        network, ("side", "absent"), (features[:800], targets[:800], mask[:800]), (features[800:], targets[800:], mask[800:])
    )
    assert probe.skipped == ("absent",) and probe.tune_auroc is not None and probe.tune_auroc > 0.8
    with torch.no_grad():
        logits = network.get_classifier()(torch.from_numpy(features)).numpy()
    # the standardisation is folded into the layer: raw features give the probe's own ranking
    assert macro_auroc(logits[800:], targets[800:], mask[800:]) == pytest.approx(probe.tune_auroc)
    assert (logits[:, 1] == logits[0, 1]).all()


def test_standard_error_is_hanley_and_mcneils() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat([1.0, 0.0], [20, 30])[:, None]
    score = truth + random.normal(size=(50, 1))
    known = np.ones((50, 1), bool)
    area = macro_auroc(score, truth, known)
    assert area is not None
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    expected = ((area * (1 - area) + 19 * (q1 - area**2) + 29 * (q2 - area**2)) / 600) ** 0.5
    assert macro_standard_error(score, truth, known) == pytest.approx(expected)
    assert macro_standard_error(np.hstack([score, score]), np.hstack([truth, truth]), np.ones((50, 2), bool)) == pytest.approx(
        expected / 2**0.5
    )


def test_the_latest_epoch_near_the_best_is_kept_and_a_fallen_one_is_not() -> None:
    classifier = Classifier(create_network("test_efficientnet", 1), ("a",), "multilabel", OptimizerConfig(), torch.ones(1))
    logged: dict[str, float] = {}
    classifier.log = lambda name, value, **_: logged.update({name: float(value)})  # type: ignore[method-assign, assignment]
    truth = torch.tensor([[1.0]] * 20 + [[0.0]] * 20)
    good, slightly_worse, bad = truth.clone(), truth.clone(), 1 - truth
    good[:6], slightly_worse[:7] = 0, 0
    kept = []
    for logits in (good, slightly_worse, bad):
        classifier._judge(logits, truth, torch.ones(40, 1))
        kept.append(logged["keep"] >= 0)
    assert kept == [True, True, False]
    state: dict = {"tune_best": classifier._best}
    resumed = Classifier(create_network("test_efficientnet", 1), ("a",), "multilabel", OptimizerConfig(), torch.ones(1))
    resumed.on_load_checkpoint(state)
    assert resumed._best == classifier._best


def test_the_kept_weights_are_the_moving_average(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (32, 1, 32, 32), dtype=np.uint8)
    targets, known = (np.arange(32) % 2)[:, None].astype(float), np.ones((32, 1), bool)
    train, tune = (PreparedDataset(images, rows, targets[rows], known[rows]) for rows in np.split(np.arange(32), 2))
    preprocessing = Preprocessing(32, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
    kept = {}
    for decay in (0.0, 0.75):
        torch.manual_seed(0)
        config = Config(
            trainer=TrainerConfig(max_epochs=1, accelerator="cpu", enable_progress_bar=False),
            optimizer=OptimizerConfig(ema_decay=decay, lr=0.01),
        )
        classifier = Classifier(create_network("test_efficientnet", 1), ("a",), "multilabel", config.optimizer, torch.ones(1))
        seen = [_first_layer(classifier)]
        classifier.on_train_batch_end = lambda *_, c=classifier, s=seen: s.append(_first_layer(c))  # type: ignore[method-assign]
        data = PreparedDataModule(train, tune, preprocessing, batch_size=4, num_workers=0, augment=0.0, seed=0)
        fine_tune(classifier, data, config, RunLayout(tmp_path / str(decay)), monitor="tune_auroc", say=lambda _: None)
        kept[decay] = (seen, _first_layer(classifier))
    (seen, plain), (_, averaged) = kept[0.0], kept[0.75]
    assert torch.equal(plain, seen[-1])
    expected = seen[1]  # the average starts as the weights after the first step
    for weights in seen[2:]:
        expected = 0.75 * expected + 0.25 * weights
    torch.testing.assert_close(averaged, expected)
    assert not torch.allclose(averaged, plain)


def _first_layer(classifier: Classifier) -> torch.Tensor:
    return classifier.network.conv_stem.weight.detach().clone()
