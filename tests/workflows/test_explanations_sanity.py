"""The sanity check tells a network that learnt from one of random weights and from one that learnt shuffled labels."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.config import PhantomConfig
from medclassify.explain import saliency_method
from medclassify.explain.randomisation import network_stages, redraw
from medclassify.manifest import read_manifest
from medclassify.phantom import render_dataset
from medclassify.workflows.dataset import prepare
from medclassify.workflows.explainer import Explainer
from medclassify.workflows.method_checks import check_sanity
from medclassify.workflows.scoring import Scorer

FINDINGS = ("cardiomegaly", "consolidation")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("phantom"), PhantomConfig(patients=220, seed=3))


@pytest.fixture(scope="module")
def fit(
    rendered: Path, real_data: Path, state: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Fits the phantom from pretrained weights, with the labels of a table."""
    import subprocess
    import sys

    def run(labels: Path) -> Path:
        folder = tmp_path_factory.mktemp("run")
        config = folder / "config.yaml"
        config.write_text(
            f"data: {{source: {rendered}, labels: {labels}, findings: [{', '.join(FINDINGS)}], image_size: 112}}\n"
            f"model: {{weights: {real_data / 'weights' / 'tf_efficientnetv2_b0.imagenet_notop.safetensors'}}}\n"
            "trainer: {max_epochs: 4}\nexplain: {samples: 2}\naudit: {bootstrap: 200}\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "medclassify", "fit", str(config), "--run_dir", str(folder / "run")]
        subprocess.run(command, check=True, env=state, capture_output=True)
        return folder / "run"

    return run


def test_trained_shuffled_and_random_networks_are_told_apart(fit: Callable[..., Path], rendered: Path, tmp_path: Path) -> None:
    table = pd.read_csv(rendered / "labels.csv")
    trained = fit(rendered / "labels.csv")
    shuffled = table.copy()
    order = np.random.default_rng(0).permutation(len(table))
    shuffled[list(FINDINGS)] = table[list(FINDINGS)].to_numpy()[order]
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False)

    verdicts = {"trained": _stored(trained), "shuffled": _stored(fit(tmp_path / "shuffled.csv")), "random": _random(trained)}

    assert verdicts["trained"]["passed"], verdicts["trained"]["reasons"]
    assert not verdicts["shuffled"]["passed"]
    assert not verdicts["random"]["passed"]


def _stored(run: Path) -> dict:
    return json.loads((run / "explain" / "sanity.json").read_text(encoding="utf-8"))


def _random(run: Path) -> dict:
    """The verdict on the run's network with every weight drawn anew."""
    scorer, manifest = Scorer.of_run(run / "model"), read_manifest(run / "manifest.parquet")
    for _, stage in network_stages(scorer.bundle.network):
        redraw(stage)
    store, _ = prepare(manifest, scorer.bundle.preprocessing)
    return check_sanity(Explainer(scorer, store, saliency_method("grad_cam")), manifest)
