"""Scores a model's maps against where findings are known to lie."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.explain import ScoredRegion, localisation_table, score_region, uniform_chance
from medclassify.explain.localisation import METRICS
from medclassify.manifest import Manifest, is_of_series, of_slices, own_slices
from medclassify.workflows.console import progress, say
from medclassify.workflows.explainer import Explainer, Seen
from medclassify.workflows.regions import Regions

_OTHERS = 8


def localise(
    explainer: Explainer,
    manifest: Manifest,
    boxes: pd.DataFrame | None,
    limits: Mapping[str, float],
    attributes: Sequence[str] = (),
    seed: int = 0,
    findings: Sequence[str] | None = None,
) -> pd.DataFrame | None:
    """Scores every sample of a manifest that has boxes or phantom masks.

    Of a series the map of one slice is scored: of the one that the finding's attention peaks on, where that slice shows the
    finding. How often it does not is ``learning_series.FoundSlices``'s to tell.

    Args:
        explainer: The model, its images and the method.
        manifest: Samples that the model did not learn from.
        boxes: Columns ``manifest.BOX_COLUMNS``, or None.
        limits: The reference limit, by finding.
        attributes: Columns of the manifest to report by.
        seed: Of resamples, and of the other images' maps.
        findings: Some of the model's, or None for all.

    Returns:
        As ``explain.localisation_table``; None where no region was scored.
    """
    series = is_of_series(manifest)
    images = of_slices(manifest) if series else manifest
    chosen = explainer.findings if findings is None else tuple(findings)
    regions = Regions(images, boxes, chosen)
    if not regions.keys:
        return None
    on = ", of a series on the slice that attention peaks on, where that slice has one" if series else ""
    say(f"  scoring maps against {regions.source}{on}")
    sample_of = own_slices(manifest).set_index("slice_id")["stack"].to_dict() if series else {}
    samples = manifest.frame.set_index("sample_id")
    scored: list[ScoredRegion] = []
    with progress("localising") as move:
        for number, finding in enumerate(chosen):
            ids = dict.fromkeys(sample_of.get(image, image) for image, name in regions.keys if name == finding)
            seen = [one for one in explainer.seen([(each, finding) for each in ids]) if (one.image_id, finding) in regions]
            draw = np.random.default_rng(seed)
            for one in seen:
                facts = samples.loc[one.sample_id]
                subgroups = {name: "missing" if pd.isna(facts[name]) else str(facts[name]) for name in attributes}
                others = [seen[other].square for other in draw.permutation(len(seen)) if seen[other] is not one][:_OTHERS]
                scored.append(_score(explainer, regions, one, str(facts["patient_id"]), subgroups, others, limits[finding]))
            move(number + 1, len(chosen))
    return localisation_table(scored, seed) if scored else None


def _score(
    explainer: Explainer,
    regions: Regions,
    seen: Seen,
    patient_id: str,
    subgroups: dict[str, str],
    others: Sequence[NDArray[np.float32]],
    limit: float,
) -> ScoredRegion:
    raw = explainer.in_image(seen.row, seen.square)
    region = regions.read((seen.image_id, seen.finding), *raw.shape)
    own = score_region(raw, region, limit)
    # Another image's map, laid over this image's square: both are centred, so anatomy comes to lie on anatomy.
    foreign = [score_region(explainer.in_image(seen.row, other), region, limit) for other in others]
    return ScoredRegion(
        seen.sample_id,
        patient_id,
        seen.finding,
        subgroups,
        scores={metric: getattr(own, metric) for metric in METRICS},
        chance=uniform_chance(raw, region, limit),
        other_image={
            metric: float(np.mean([getattr(score, metric) for score in foreign])) if foreign else np.nan for metric in METRICS
        },
        silent=own.silent,
    )


def localisation_lines(table: pd.DataFrame) -> list[str]:
    """The whole set, one line a finding, for the console."""
    lines = []
    for finding, rows in table[table["attribute"] == "all"].groupby("finding", sort=False):
        told = []
        for row in rows.to_dict("records"):
            if pd.isna(row["estimate"]):
                told.append(f"{row['metric']} not estimable")
            else:
                interval = f"{row['ci_low']:.2f}-{row['ci_high']:.2f}"
                baselines = f"chance {row['chance']:.2f}, maps of other images {row['other_image']:.2f}"
                told.append(f"{row['metric']} {row['estimate']:.2f} ({interval}; {baselines})")
        count = rows["n"].iloc[0]
        lines.append(f"  {finding}, {count} map{'s' if count != 1 else ''}: {'; '.join(told)}")
    return lines
