"""Whether attributes can be read off a model's embeddings: linear probes learnt on train and tested on test."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.audit import AttributeProbe
from medclassify.audit.attributes import subgroup_levels
from medclassify.audit.probes import Embedded, probe_attribute
from medclassify.inference import embed
from medclassify.records import Split
from medclassify.workflows.console import progress
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.learning import Learnt
from medclassify.workflows.scoring import Scorer

MOST = 2000
"""Images of a split that are embedded: more make a linear probe no surer of what it says."""


def attribute_probes(
    scorer: Scorer, dataset: Dataset, learnt: Learnt, attributes: Sequence[str], *, pretrained: bool, bootstrap: int, seed: int
) -> tuple[list[AttributeProbe], str]:
    """Probes every attribute of the audit.

    Args:
        scorer: The model.
        dataset: Its images; at most 2,000 of train and of test are embedded.
        learnt: Holds the embeddings of the initial weights where a head was fitted on them.
        attributes: Columns of the manifest.
        pretrained: The initial weights were loaded, not random.
        bootstrap: Patient resamples of the intervals.
        seed: Of the draw and of the resamples.

    Returns:
        The probes, and why some attribute has none, or "".
    """
    if learnt.attention is not None:
        return [], "Attributes were not probed: samples are series, whose embedding is a weighted mean of their slices'."
    parts = [_drawn(dataset.manifest.of_split(split).frame, seed) for split in (Split.TRAIN, Split.TEST)]
    rows = [dataset.store.rows(part["sample_id"].tolist()) for part in parts]
    model = _embedded(scorer, dataset, np.concatenate(rows))
    sides = np.split(model, [len(rows[0])])
    initial = [None if learnt.initial is None else learnt.initial[each] for each in rows]
    name = "ImageNet-frozen" if pretrained else "random initial weights"
    probes, without = [], []
    for attribute in attributes:
        levels = subgroup_levels(pd.concat([part[attribute] for part in parts], ignore_index=True), attribute, [])[0].to_numpy()
        train, test = (
            Embedded(features, first, level.astype(object), part["patient_id"].tolist())
            for features, first, level, part in zip(sides, initial, np.split(levels, [len(parts[0])]), parts, strict=True)
        )
        found = probe_attribute(attribute, train, test, initial_name=name, resamples=bootstrap, seed=seed)
        if found is None:
            without.append(attribute)
        else:
            probes.append(found)
    note = f"Not probed, for fewer than two levels have samples enough: {', '.join(without)}." if without else ""
    return probes, note


def _drawn(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame if len(frame) <= MOST else frame.sample(MOST, random_state=seed).sort_index()


def _embedded(scorer: Scorer, dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    if scorer.embeddings is not None:
        return scorer.embeddings[rows]
    with progress("embedding images for probes") as move:
        return embed(
            scorer.bundle.network, dataset.store.images, rows, preprocessing=scorer.bundle.preprocessing, progress=move
        )
