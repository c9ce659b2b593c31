"""Recipes from files to report, and the default where images are few or positives are."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from medclassify.models import create_network
from medclassify.workflows.audit import audit
from medclassify.workflows.evaluate import evaluate
from medclassify.workflows.explain import explain
from medclassify.workflows.fit import Fitted, fit

CONFIG = """
seed_everything: 1
data: {source: SOURCE, labels: labels.csv, image_size: 32, batch_size: 32, attributes: [sex]}
model: {backbone: test_efficientnet, weights: WEIGHTS}
trainer: {max_epochs: 2, accelerator: cpu}
explain: {samples: 2}
audit: {bootstrap: 200}
"""
IMAGES = 320


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 small pictures of 320 patients: half have a bright disc, 3 (1 %) also a dark bar."""
    folder, random = tmp_path_factory.mktemp("discs"), np.random.default_rng(0)
    rows = []
    for number in range(IMAGES):
        picture = random.normal(110, 25, (48, 48))
        disc, bar = number % 2 == 0, number in (3, 4, 7)
        if disc:
            row, column = random.integers(12, 36, 2)
            picture[row - 6 : row + 6, column - 6 : column + 6] += 90
        if bar:
            picture[4:9] = 0
        cv2.imwrite(str(folder / f"{number:03}.png"), picture.clip(0, 255).astype(np.uint8))
        sex = "F" if number % 4 < 2 else "M"
        rows.append({"path": f"{number:03}.png", "patient_id": f"p{number}", "sex": sex, "disc": int(disc), "bar": int(bar)})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights, which makes them pretrained ones; their BatchNorm has seen pictures, as a pretrained one has."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    network = create_network("test_efficientnet", 1).train()
    with torch.no_grad():
        for _ in range(60):
            network(torch.randn(16, 3, 32, 32))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return path


def run(folder: Path, source: Path, weights: Path | str, recipe: str, **other: str) -> Fitted:
    folder.mkdir(exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(CONFIG.replace("SOURCE", str(source)).replace("WEIGHTS", str(weights)), encoding="utf-8")
    words = [f"--{key.replace('__', '.')}={value}" for key, value in other.items()]
    fitted = fit(config, [f"--run_dir={folder / 'run'}", f"--optimizer.recipe={recipe}", *words])
    assert fitted is not None
    return fitted


def training_of(fitted: Fitted) -> dict:
    return json.loads(fitted.run.metrics.read_text())["training"]


def test_a_linear_probe_is_a_run_like_any_other(
    tmp_path: Path, source: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCLASSIFY_CACHE", str(tmp_path / "cache"))
    fitted = run(tmp_path / "first", source, weights, "linear_probe")
    printed = capsys.readouterr().out
    assert "recipe: linear_probe" in printed and "head alone, on frozen features: tune AUROC" in printed
    training = training_of(fitted)
    assert training["recipe"] == "linear_probe" and training["epochs"] == 0 and training["history"] == []
    trials = training["head_alone"]["trials"]
    assert len(trials) == 13
    assert training["head_alone"]["strength"] == min(trials, key=lambda trial: trial["tune_loss"])["strength"]
    assert "recipe: linear_probe" in fitted.run.report.read_text() and not fitted.run.checkpoints.exists()
    assert json.loads(fitted.run.provenance.read_text())["learning"][0] == "recipe: linear_probe"

    learnt, given = load_file(fitted.run.model / "model.safetensors"), load_file(weights)
    backbone = [name for name in given if not name.startswith("classifier.") and not name.endswith("num_batches_tracked")]
    assert all(torch.equal(learnt[name], given[name]) for name in backbone)
    _, folder = evaluate(fitted.run.root, None, tmp_path / "again")
    columns = ["sample_id", "finding", "logit"]
    before = pd.read_parquet(fitted.run.predictions).query("split == 'test'")[columns]
    both = before.merge(pd.read_parquet(folder / "predictions.parquet")[columns], on=columns[:2], suffixes=("", "_again"))
    assert len(both) == len(before) > 0
    np.testing.assert_allclose(both["logit"], both["logit_again"], atol=1e-4)  # the head on embeddings, and the whole network
    explain(fitted.run.root, [str(source / "003.png")], tmp_path / "maps", None)
    audit(fitted.run.root, None, (), tmp_path / "audit")

    (kept,) = tmp_path.glob("cache/prepared/*.embeddings/*.npy")
    stamp = kept.stat().st_mtime_ns
    second = run(tmp_path / "second", source, weights, "linear_probe")
    assert kept.stat().st_mtime_ns == stamp  # nothing was embedded again
    assert load_file(second.run.model / "model.safetensors")["classifier.weight"].equal(learnt["classifier.weight"])


def test_gradual_says_when_each_stage_learns_and_small_batches_freeze_batch_norm(
    tmp_path: Path, source: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = run(tmp_path, source, weights, "gradual", data__batch_size="8", optimizer__layer_decay="0.8")
    printed = capsys.readouterr().out
    assert "learning from epoch: head 1, conv_head 1, blocks.4 1" in printed
    assert "BatchNorm: frozen (8 images a step on a device, too few below 16" in printed
    learnt, given = load_file(fitted.run.model / "model.safetensors"), load_file(weights)
    statistics = [name for name in given if "running_" in name]
    assert statistics and all(torch.equal(learnt[name], given[name]) for name in statistics)
    assert training_of(fitted)["batch_norm"] == "frozen" and "BatchNorm: frozen" in fitted.run.report.read_text()


def test_the_head_is_kept_where_fine_tuning_spoils_its_features(
    tmp_path: Path, source: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A learning rate that no network survives: what is left is the linear probe, and everyone is told."""
    fitted = run(
        tmp_path, source, weights, "head_then_full", optimizer__lr="10", optimizer__head_lr="10", data__findings="[disc]"
    )
    assert "the head on frozen features is kept: its tune AUROC is" in capsys.readouterr().err
    learnt, given = load_file(fitted.run.model / "model.safetensors"), load_file(weights)
    backbone = [name for name in given if not name.startswith("classifier.") and not name.endswith("num_batches_tracked")]
    assert all(torch.equal(learnt[name], given[name]) for name in backbone)
    training = training_of(fitted)
    assert training["kept_epoch"] == 0 and training["epochs"] == 2
    assert (
        training["best_score"] == training["head_alone"]["tune_auroc"] > max(row["tune_auroc"] for row in training["history"])
    )
    report = fitted.run.report.read_text()
    assert "the head on frozen features is kept" in report and "epoch 0 (the head alone)" in report
    explain(fitted.run.root, [str(source / "003.png")], tmp_path / "maps", None)  # the model that was kept is whole


@pytest.mark.parametrize("recipe", ["head_then_full", "full"])
def test_a_finding_of_one_percent(
    tmp_path: Path, source: Path, weights: Path, capsys: pytest.CaptureFixture[str], recipe: str
) -> None:
    """Three positives: some splits hold none. Nothing breaks, what cannot be known says so, and no probability is one half."""
    fitted = run(tmp_path, source, weights if recipe == "head_then_full" else "none", recipe)
    printed = capsys.readouterr()
    manifest = pd.read_parquet(fitted.run.manifest)
    positives = manifest[manifest["bar"] == 1]["split"].value_counts()
    assert positives.sum() == 3 and positives.reindex(["tune", "calibrate", "test"]).isna().any()
    assert "bar" in printed.err + printed.out
    (area,) = [
        row
        for row in json.loads(fitted.run.metrics.read_text())["estimates"]
        if (row["finding"], row["metric"]) == ("bar", "auroc")
    ]
    assert area["status"] != "ok" and (area["value"] is None) == (area["status"] == "not_estimable")
    predictions = pd.read_parquet(fitted.run.predictions).query("finding == 'bar'")
    assert np.isfinite(predictions["logit"]).all() and predictions["prob_raw"].median() < 0.1  # near the prior, 0.01
    training = training_of(fitted)
    assert training["epochs"] == 2 and all(np.isfinite(row["train_loss"]) for row in training["history"])
    if recipe == "full":  # the first epoch already knows how rare it is: chance is (0.69 + 0.06) / 2, a half for both 0.69
        assert training["history"][0]["train_loss"] < 0.6


@pytest.mark.slow
def test_the_default_works_untuned_on_few_real_images(tmp_path: Path, real_data: Path) -> None:
    """About 180 training images: better than chance on test, by more than its band, and no collapse."""
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
seed_everything: 1
data: {{source: {real_data}/cxr/images, labels: {real_data}/cxr/labels.csv, findings: [covid_19], image_size: 128}}
model: {{weights: {real_data}/weights/tf_efficientnetv2_b0.imagenet_notop.safetensors}}
trainer: {{max_epochs: 4, accelerator: cpu}}
""",
        encoding="utf-8",
    )
    fitted = fit(config, [f"--run_dir={tmp_path / 'run'}", "--data.attributes=[sex]", "--explain.samples=2"])
    assert fitted is not None
    test = pd.read_parquet(fitted.run.predictions).query("split == 'test'")
    positives, negatives = int((test["target"] == 1).sum()), int((test["target"] == 0).sum())
    chance = 0.5 + 1.645 * ((positives + negatives + 1) / 12 / positives / negatives) ** 0.5  # of the Mann-Whitney statistic
    assert fitted.audit.macro_auroc is not None and fitted.audit.macro_auroc > chance
    assert test["logit"].std() > 0.2
    training = training_of(fitted)
    losses = [row["train_loss"] for row in training["history"]]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    assert training["head_alone"]["tune_auroc"] is not None
