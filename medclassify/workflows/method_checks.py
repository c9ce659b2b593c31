"""What is found out once about a model and a saliency method: the scale of its maps, and whether they may be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medclassify.explain import (
    Faithfulness,
    Resemblance,
    SanityVerdict,
    cascading_randomisation,
    faithfulness,
    label_resemblance,
    saliency_limit,
    train_on_shuffled_labels,
)
from medclassify.manifest import Manifest
from medclassify.metrics import auroc
from medclassify.records import Estimate, Split, Status
from medclassify.workflows.console import say, warn
from medclassify.workflows.explainer import Explainer

CONTROL_IMAGES = 192
_FEWEST_CONTROL_IMAGES = 16
_REFERENCE_IMAGES, _SANITY_IMAGES, _FAITHFUL_MAPS = 256, 12, 24
_COSTLY_REFERENCE, _COSTLY_SANITY = 16, 3


def reference_limits(explainer: Explainer, sample_ids: Sequence[str]) -> dict[str, float]:
    """The saliency at which an overlay is fully coloured, by finding, from up to 256 samples of the calibrate split."""
    count = _COSTLY_REFERENCE if explainer.method.costly else _REFERENCE_IMAGES
    limits = dict(zip(explainer.findings, map(float, saliency_limit(explainer.maps(list(sample_ids)[:count]))), strict=True))
    if silent := [finding for finding, limit in limits.items() if not limit]:
        warn(
            f"saliency maps: nothing in the calibrate split speaks for {', '.join(silent)}; their overlays stay without colour"
        )
    return limits


def check_sanity(explainer: Explainer, manifest: Manifest, seed: int = 0) -> dict[str, Any]:
    """Runs every check of a method on a model, says what failed, and gives the verdict as JSON.

    Args:
        explainer: The model, its images and the method.
        manifest: Samples of the train and calibrate splits, with labels; others are not looked at.
        seed: Of all that is drawn.
    """
    calibrate = manifest.of_split(Split.CALIBRATE)
    count = _COSTLY_SANITY if explainer.method.costly else _SANITY_IMAGES
    network, findings = explainer.scorer.bundle.network, range(len(explainer.findings))
    samples = calibrate.frame["sample_id"].tolist()
    images = next(explainer.inputs(samples[:count]))
    logits = explainer.scorer.logits(explainer.store, samples, "scoring calibrate split").logits
    verdict = SanityVerdict(
        method=explainer.method.name,
        weights=cascading_randomisation(network, images, findings, explainer.method, seed),
        labels=_shuffled_labels(explainer, manifest.of_split(Split.TRAIN), images, seed),
        faithful=_faithfulness(explainer, calibrate, logits, seed),
        auroc=_aurocs(explainer, calibrate, logits),
    )
    for reason in verdict.reasons:
        warn(f"saliency maps by {verdict.method}: {reason}")
    if verdict.passed:
        say(f"  saliency maps by {verdict.method}: every check passed")
    return verdict.to_json()


def _shuffled_labels(explainer: Explainer, train: Manifest, images: torch.Tensor, seed: int) -> Resemblance | None:
    drawn = np.sort(np.random.default_rng(seed).permutation(len(train))[:CONTROL_IMAGES])
    targets, mask = train.targets()
    if mask[drawn].any(axis=1).sum() < _FEWEST_CONTROL_IMAGES:
        return None
    network, samples = explainer.scorer.bundle.network, train.frame["sample_id"].iloc[drawn].tolist()
    control, loss = train_on_shuffled_labels(network, explainer.inputs(samples), targets[drawn], mask[drawn], seed)
    note = f"{len(drawn)} training images, last loss {loss:.3f} (0.693 is not knowing)"
    return label_resemblance(network, control, images, range(len(explainer.findings)), explainer.method, note)


def _faithfulness(explainer: Explainer, calibrate: Manifest, logits: NDArray[np.float64], seed: int) -> Faithfulness | None:
    """On images that show a finding, the most positive logits first, an equal share a finding."""
    targets, mask = calibrate.targets()
    samples, patients = calibrate.frame["sample_id"].to_numpy(), calibrate.frame["patient_id"].astype(str).to_numpy()
    rows, chosen, maps = [], [], []
    share = max(1, _FAITHFUL_MAPS // len(explainer.findings))
    for number, finding in enumerate(explainer.findings):
        shown = np.flatnonzero((targets[:, number] == 1) & mask[:, number])
        best = shown[np.argsort(-logits[shown, number], kind="stable")][:share]
        if best.size and len(rows) < _FAITHFUL_MAPS:
            maps.append(explainer.maps(samples[best].tolist(), [finding])[:, 0])
            rows += best.tolist()
            chosen += [number] * best.size
    if not rows:
        return None
    inputs = torch.cat(list(explainer.inputs(samples[rows].tolist())))
    geometries = [explainer.store.geometry(int(row)) for row in explainer.pictures(samples[rows].tolist())]
    found = torch.from_numpy(np.concatenate(maps))
    return faithfulness(explainer.scorer.bundle.network, inputs, chosen, found, geometries, patients[rows].tolist(), seed)


def _aurocs(explainer: Explainer, calibrate: Manifest, logits: NDArray[np.float64]) -> dict[str, Estimate]:
    targets, mask = calibrate.targets()
    patients, found = calibrate.frame["patient_id"].astype(str).to_numpy(), {}
    for number, finding in enumerate(explainer.findings):
        known = mask[:, number]
        if known.any():
            found[finding] = auroc(targets[known, number], logits[known, number], patients=patients[known])
        else:
            found[finding] = Estimate(None, None, None, "", Status.NOT_ESTIMABLE, "not labelled")
    return found
