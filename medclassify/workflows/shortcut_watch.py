"""Watches whether a model's maps gather where there is no anatomy."""

from typing import Any, cast

import pandas as pd

from medclassify.dicom import read_image
from medclassify.explain import WatchedMap, find_zones, shortcut_table, worst_cases, zone_shares
from medclassify.manifest import Manifest
from medclassify.workflows.console import progress, warn
from medclassify.workflows.explainer import Explainer

_IMAGES = 200


def watch_shortcuts(
    explainer: Explainer, manifest: Manifest, predictions: pd.DataFrame, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Looks at the maps of up to 200 samples' called findings, and warns of what alarms.

    Args:
        explainer: The model, its images and the method.
        manifest: The samples.
        predictions: Their rows of the predictions table.
        seed: Of the resamples.

    Returns:
        ``shortcut_table`` and ``worst_cases``.
    """
    chosen = set(manifest.frame["sample_id"].head(_IMAGES))
    called = predictions[predictions["decision"].astype(bool) & predictions["sample_id"].isin(chosen)]
    patients = dict(zip(manifest.frame["sample_id"], manifest.frame["patient_id"].astype(str), strict=True))
    paths = dict(zip(manifest.frame["sample_id"], manifest.frame["path"], strict=True))
    window = cast(Any, explainer.scorer.bundle.preprocessing.window)
    watched: list[WatchedMap] = []
    with progress("watching shortcuts") as move:
        for sample_id, rows in called.groupby("sample_id", sort=False):
            findings = rows["finding"].tolist()
            zones = find_zones(read_image(paths[sample_id], window=window).pixels)
            for finding, square in zip(findings, explainer.maps([str(sample_id)], findings)[0], strict=True):
                shares = zone_shares(explainer.in_image(str(sample_id), square), zones)
                watched.append(WatchedMap(str(sample_id), patients[str(sample_id)], finding, shares))
            move(len(watched), len(called))
    table = shortcut_table(watched, seed)
    for alarm in table[table["alarm"].astype(bool)].to_dict("records"):
        warn(
            f"{alarm['finding']}: saliency gathers {PLACES[alarm['zone']]}, {alarm['lift']:.1f} times its share of the area "
            f"(from {alarm['lift_low']:.1f}): the model may take a shortcut. Look at explain/shortcut_cases.csv"
        )
    return table, worst_cases(watched)


PLACES = {"outside": "outside the body", "border": "at the border of the image", "text": "at letters or markers"}
"""Zones, in words."""
