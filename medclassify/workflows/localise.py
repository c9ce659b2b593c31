"""Scores a model's maps against where findings are known to lie."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.explain import ScoredRegion, localisation_table, score_region, uniform_chance
from medclassify.explain.localisation import METRICS
from medclassify.manifest import Manifest
from medclassify.workflows.console import progress, say
from medclassify.workflows.explainer import Explainer
from medclassify.workflows.regions import Regions

_OTHERS = 8


def localise(
    explainer: Explainer,
    manifest: Manifest,
    boxes: pd.DataFrame | None,
    limits: Mapping[str, float],
    attributes: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame | None:
    """Scores every sample of a manifest that has boxes or phantom masks.

    Args:
        explainer: The model, its images and the method.
        manifest: Samples that the model did not learn from.
        boxes: Columns ``manifest.BOX_COLUMNS``, or None.
        limits: The reference limit, by finding.
        attributes: Columns of the manifest to report by.
        seed: Of resamples, and of the other images' maps.

    Returns:
        As ``explain.localisation_table``; None where no sample has a region.
    """
    regions = Regions(manifest, boxes, explainer.findings)
    if not regions.keys:
        return None
    say(f"  scoring maps against {regions.source} findings")
    samples = manifest.frame.set_index("sample_id")
    scored: list[ScoredRegion] = []
    with progress("localising") as move:
        for finding in explainer.findings:
            ids = [sample_id for sample_id, name in regions.keys if name == finding]
            squares = dict(zip(ids, explainer.maps(ids, [finding])[:, 0], strict=True)) if ids else {}
            draw = np.random.default_rng(seed)
            for sample_id in ids:
                facts = samples.loc[sample_id]
                subgroups = {name: "missing" if pd.isna(facts[name]) else str(facts[name]) for name in attributes}
                others = [squares[other] for other in draw.permutation([each for each in ids if each != sample_id])[:_OTHERS]]
                who = (sample_id, str(facts["patient_id"]), finding, subgroups)
                scored.append(_score(explainer, regions, who, squares[sample_id], others, limits[finding]))
                move(len(scored), len(regions.keys))
    return localisation_table(scored, seed)


def _score(
    explainer: Explainer,
    regions: Regions,
    who: tuple[str, str, str, dict[str, str]],
    square: NDArray[np.float32],
    others: Sequence[NDArray[np.float32]],
    limit: float,
) -> ScoredRegion:
    sample_id, patient_id, finding, subgroups = who
    raw = explainer.in_image(sample_id, square)
    region = regions.read((sample_id, finding), *raw.shape)
    own = score_region(raw, region, limit)
    # Another image's map, laid over this image's square: both are centred, so anatomy comes to lie on anatomy.
    foreign = [score_region(explainer.in_image(sample_id, other), region, limit) for other in others]
    return ScoredRegion(
        sample_id,
        patient_id,
        finding,
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
        lines.append(f"  {finding}, {rows['n'].iloc[0]} images: {'; '.join(told)}")
    return lines
