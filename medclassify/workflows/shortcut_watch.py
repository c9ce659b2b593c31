"""Watches whether a model's maps gather where there is no anatomy."""

import pandas as pd

from medclassify.explain import WatchedMap, Zones, find_zones, shortcut_table, worst_cases, zone_shares
from medclassify.manifest import Manifest, is_of_series, of_slices
from medclassify.workflows.console import progress, warn
from medclassify.workflows.explainer import Explainer, shown_pixels

_IMAGES = 200


def watch_shortcuts(
    explainer: Explainer, manifest: Manifest, predictions: pd.DataFrame, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Looks at the maps of up to 200 samples' called findings, and warns of what alarms.

    Of a series the slice is looked at that the finding's attention peaks on.

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
    images = of_slices(manifest) if is_of_series(manifest) else manifest
    paths = dict(zip(images.frame["sample_id"], images.frame["path"], strict=True))
    watched: list[WatchedMap] = []
    with progress("watching shortcuts") as move:
        for sample_id, rows in called.groupby("sample_id", sort=False):
            zones: dict[str, Zones] = {}
            for seen in explainer.seen([(str(sample_id), finding) for finding in rows["finding"]]):
                if seen.image_id not in zones:
                    pixels = shown_pixels(paths[seen.image_id], explainer.scorer.bundle.preprocessing)
                    zones[seen.image_id] = find_zones(pixels)
                shares = zone_shares(explainer.in_image(seen.row, seen.square), zones[seen.image_id])
                watched.append(WatchedMap(seen.sample_id, patients[seen.sample_id], seen.finding, shares))
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
