"""Finds, for samples that are reviewed, the training samples that the network sees as alike."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.explain import Neighbours, nearest_neighbours
from medclassify.inference import embed
from medclassify.manifest import Manifest
from medclassify.records import Split
from medclassify.workflows.console import progress, say
from medclassify.workflows.explainer import Explainer

_TRAINING, _ASKED = 4096, 2000


def similar_cases(explainer: Explainer, manifest: Manifest, predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Neighbours in the train split of the samples in a predictions table.

    Args:
        explainer: The model and its images.
        manifest: Train samples and those of the table. Of more than 4,096 train samples as many are drawn, and that is said.
        predictions: The predictions table; its first 2,000 samples are asked about.
        seed: Of the draw.

    Returns:
        As ``explain.nearest_neighbours``.
    """
    train = manifest.of_split(Split.TRAIN)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(train))[:_TRAINING])
    asked = predictions["sample_id"].drop_duplicates().head(_ASKED).tolist()
    total = predictions["sample_id"].nunique()
    if len(drawn) < len(train) or len(asked) < total:
        say(f"  similar cases: {len(asked)} of {total} samples, among {len(drawn)} drawn of {len(train)} training samples")
    targets, mask = train.targets()
    ids = train.frame["sample_id"].iloc[drawn].tolist()
    training = Neighbours(_embeddings(explainer, ids), ids, targets[drawn], mask[drawn], train.findings)
    calls = predictions.pivot(index="sample_id", columns="finding", values="decision")
    called = calls.loc[asked, list(train.findings)].to_numpy().astype(bool)
    return nearest_neighbours(training, _embeddings(explainer, asked), asked, called)


def _embeddings(explainer: Explainer, sample_ids: list[str]) -> NDArray[np.float32]:
    stored = explainer.embeddings(sample_ids)
    if stored is not None:
        return stored
    bundle, rows = explainer.scorer.bundle, explainer.store.rows(sample_ids)
    with progress("finding similar cases") as move:
        return embed(bundle.network, explainer.store.images, rows, preprocessing=bundle.preprocessing, progress=move)
