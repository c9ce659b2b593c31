"""The checks separate a model that learnt from one of random weights and one that learnt shuffled labels."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from medclassify.data import PreparedStore, to_network_input
from medclassify.explain import saliency_method
from medclassify.manifest import CORE_COLUMNS, Manifest
from medclassify.models import ModelBundle, create_network
from medclassify.records import Preprocessing, Split
from medclassify.workflows.explainer import Explainer
from medclassify.workflows.method_checks import check_sanity, reference_limits
from medclassify.workflows.scoring import Scorer

SIDE, TRAIN, CALIBRATE = 96, 96, 40
PREPROCESSING = Preprocessing(SIDE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear", "full", ())


@pytest.fixture(scope="module")
def pictures() -> tuple[PreparedStore, Manifest]:
    """Clouds; half of them with a bright striped disc, which is the finding."""
    rng, number = np.random.default_rng(0), TRAIN + CALIBRATE
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    images = np.clip(rng.normal(70, 12, (number, 1, SIDE, SIDE)), 0, 255)
    target = np.arange(number) % 2
    for image, present in zip(images[:, 0], target, strict=True):
        row, column = rng.integers(18, SIDE - 18, 2)
        disc = (rows - row) ** 2 + (columns - column) ** 2 < 14**2
        if present:
            image[disc] = 130 + 100 * (columns[disc] // 4 % 2)
    names = [f"s{i:03d}" for i in range(number)]
    index = pd.DataFrame({"sample_id": names, "rows": SIDE, "columns": SIDE, "size": SIDE, "top": 0, "left": 0})
    index = index.assign(height=SIDE, width=SIDE)
    frame = pd.DataFrame({name: pd.Series([None] * number, dtype="str") for name in CORE_COLUMNS})
    frame = frame.assign(sample_id=names, path=names, patient_id=names, age=np.nan, disc=pd.array(target, dtype="Int8"))
    frame["split"] = [Split.TRAIN.value] * TRAIN + [Split.CALIBRATE.value] * CALIBRATE
    return PreparedStore(images.astype(np.uint8), index), Manifest(frame, ("disc",), "drawn", "generic")


def fitted(store: PreparedStore, labels: np.ndarray) -> Scorer:
    """A network of random weights whose head is fitted to labels of the training images: enough to see discs."""
    torch.manual_seed(1)
    network = create_network("test_efficientnet", 1).eval()
    with torch.inference_mode():
        images = to_network_input(torch.from_numpy(store.images[:TRAIN]), PREPROCESSING)
        features = network.forward_head(network.forward_features(images), pre_logits=True).double()
        centred = features - features.mean(0)
        gram = centred @ centred.T
        ridge = gram + 0.05 * gram.diagonal().mean() * torch.eye(TRAIN)
        weight = centred.T @ torch.linalg.solve(ridge, torch.from_numpy(2.0 * labels - 1))
        network.classifier.weight.copy_(4 * weight[None].float())
        network.classifier.bias.copy_(-(4 * weight @ features.mean(0)).float()[None])
    return scorer_of(network)


def scorer_of(network) -> Scorer:
    bundle = ModelBundle(
        network=network, backbone="test_efficientnet", findings=("disc",), task="multilabel", preprocessing=PREPROCESSING,
        calibrator=None, operating_points=None, synthetic=True, fingerprint="0" * 64,
    )  # fmt: skip
    return Scorer(bundle, None, ())  # type: ignore[arg-type]


def verdict(scorer: Scorer, pictures: tuple[PreparedStore, Manifest]) -> dict:
    store, manifest = pictures
    return check_sanity(Explainer(scorer, store, saliency_method("grad_cam")), manifest)


def labels_of(manifest: Manifest) -> np.ndarray:
    return manifest.frame["disc"].to_numpy(dtype=np.float64)[:TRAIN]


def test_a_model_that_learnt_passes(pictures, capsys: pytest.CaptureFixture[str]) -> None:
    found = verdict(fitted(pictures[0], labels_of(pictures[1])), pictures)
    assert found["passed"], found["reasons"]
    assert found["findings"]["disc"]["passed"] and found["findings"]["disc"]["auroc"] > 0.8
    assert "saliency maps by grad_cam: every check passed" in capsys.readouterr().out


def test_a_model_that_learnt_shuffled_labels_fails(pictures, capsys: pytest.CaptureFixture[str]) -> None:
    shuffled = np.random.default_rng(3).permutation(labels_of(pictures[1]))
    found = verdict(fitted(pictures[0], shuffled), pictures)
    assert not found["passed"] and not found["findings"]["disc"]["passed"]
    assert "the model is not shown to tell any finding on the calibrate split" in found["reasons"]
    assert "WARNING: saliency maps by grad_cam: the model is not shown to tell any finding" in capsys.readouterr().err


def test_a_model_of_random_weights_fails(pictures) -> None:
    torch.manual_seed(2)
    found = verdict(scorer_of(create_network("test_efficientnet", 1).eval()), pictures)
    assert not found["passed"] and not found["findings"]["disc"]["passed"]


def test_without_labels_nothing_passes_for_checked(pictures) -> None:
    store, manifest = pictures
    blank = replace(manifest, frame=manifest.frame.assign(disc=pd.array([None] * len(manifest), dtype="Int8")))
    found = verdict(fitted(store, labels_of(manifest)), (store, blank))
    assert found["labels"] is None and found["insertion_deletion"] is None and not found["passed"]
    assert "not labelled" in found["findings"]["disc"]["reasons"][0]


def test_a_finding_that_no_map_speaks_for_is_told_before_its_overlays_stay_grey(
    pictures, capsys: pytest.CaptureFixture[str]
) -> None:
    store, manifest = pictures
    scorer = fitted(store, labels_of(manifest))
    with torch.no_grad():
        scorer.bundle.network.classifier.weight.zero_()
    limits = reference_limits(Explainer(scorer, store, saliency_method("grad_cam")), manifest.frame["sample_id"].tolist())
    assert limits == {"disc": 0.0}
    assert "nothing in the calibrate split speaks for disc; their overlays stay without colour" in capsys.readouterr().err
