"""Bias mitigation: which subgroups the train split has, and how an epoch is drawn so that they weigh alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from medclassify.audit.attributes import subgroup_levels
from medclassify.config import Config, OptimizerConfig
from medclassify.data import PreparedDataset
from medclassify.data.balance import MOST_REPEATS, BalancedOrder
from medclassify.errors import ManifestError
from medclassify.manifest import Manifest
from medclassify.records import Split
from medclassify.training.group_dro import GroupDRO
from medclassify.workflows.console import say, warn

FEW = 50  # train images: a subgroup with fewer is told
_NAMED = 4
_NOTHING = "no finding"


@dataclass(frozen=True, slots=True, eq=False)
class Mitigation:
    """How subgroups are made to weigh alike.

    Attributes:
        order: Draws the epochs, or None where every sample comes once.
        group_dro: Weighs the subgroups' losses, or None.
        notes: What was done, in words; none where nothing is mitigated.
    """

    order: BalancedOrder | None = None
    group_dro: GroupDRO | None = None
    notes: tuple[str, ...] = ()


def require_attribute(manifest: Manifest, settings: OptimizerConfig) -> None:
    """Refuses an attribute that the manifest has not, or has one value of, before images are decoded.

    Raises:
        ManifestError: It says which.
    """
    name = settings.mitigation_attribute
    if settings.mitigation == "none" or name is None:
        return
    known = ("sex", "age_band", "view", "site", "manufacturer", *manifest.attributes)
    if name not in known:
        raise ManifestError(
            f"optimizer.mitigation_attribute {name!r} is not an attribute of the manifest. Known are: {', '.join(known)}."
        )
    _, levels = subgroup_levels(manifest.frame[name].reset_index(drop=True), name, [])
    _require_several(name, levels, "the manifest")


def mitigate(manifest: Manifest, train: PreparedDataset, config: Config) -> Mitigation:
    """Finds the subgroups of the train split, and prints what is done about them.

    Balanced sampling puts every image into one cell: its subgroup, and the rarest finding that it shows (or none). Group DRO
    draws subgroups alike, as its algorithm does (Sagawa et al. 2020), and leaves the rest to its weights.

    Args:
        manifest: All samples, split.
        train: The train split, as it is learnt.
        config: The run's config.

    Raises:
        ManifestError: The train split has one subgroup.
    """
    settings, name = config.optimizer, config.optimizer.mitigation_attribute
    if settings.mitigation == "none" or name is None:
        return Mitigation()
    regrouped: list[str] = []
    column = manifest.of_split(Split.TRAIN).frame[name].reset_index(drop=True)
    text, levels = subgroup_levels(column, name, regrouped)
    _require_several(name, levels, "the train split")
    groups = pd.Categorical(text, categories=list(levels)).codes.astype(np.int64)
    sizes = np.bincount(groups, minlength=len(levels))
    cells, names = groups, list(levels)
    if settings.mitigation == "balanced_sampling":
        shown = (train.mask.numpy() > 0) & (train.targets.numpy() > 0.5)
        cells, names = _cells(groups, levels, shown, manifest.findings)
    order = BalancedOrder(cells, config.seed_everything)
    listed = ", ".join(f"{level} {size:,}" for level, size in zip(levels, sizes, strict=True))
    notes = [f"bias mitigation: {mitigation_words(settings)} ({listed} images)", *regrouped, _drawn(order, names)]
    for line in notes:
        say(line)
    few = [f"{level} ({size})" for level, size in zip(levels, sizes, strict=True) if size < FEW]
    if few:
        notes.append(f"{name}: subgroups with fewer than {FEW} train images may be learnt by heart: {', '.join(few)}")
        warn(notes[-1])
    robust = GroupDRO(torch.from_numpy(groups), levels) if settings.mitigation == "group_dro" else None
    return Mitigation(order, robust, tuple(note.strip() for note in notes))


def mitigation_words(settings: OptimizerConfig) -> str:
    """E.g. ``group DRO by sex``."""
    name = "group DRO" if settings.mitigation == "group_dro" else "balanced sampling"
    return f"{name} by {settings.mitigation_attribute}"


def mitigation_facts(settings: OptimizerConfig) -> dict[str, Any]:
    """What report and provenance say; nothing where nothing is mitigated."""
    return {} if settings.mitigation == "none" else {"mitigation": mitigation_words(settings)}


def _require_several(name: str, levels: Sequence[str], where: str) -> None:
    if len(levels) < 2:
        raise ManifestError(
            f"optimizer.mitigation_attribute {name!r} has one subgroup in {where} ({', '.join(levels)}): there is nothing to "
            "even out. Choose another attribute, or set optimizer.mitigation to none."
        )


def _cells(
    groups: NDArray[np.int64], levels: tuple[str, ...], shown: NDArray[np.bool_], findings: tuple[str, ...]
) -> tuple[NDArray[np.int64], list[str]]:
    """The cell of each sample, numbered without gaps, and the cells' names."""
    rarest_first = np.argsort(shown.sum(axis=0), kind="stable")
    kind = np.where(shown.any(axis=1), rarest_first[shown[:, rarest_first].argmax(axis=1)], len(findings))
    present, cells = np.unique(groups * (len(findings) + 1) + kind, return_inverse=True)
    words = [*findings, _NOTHING]
    return cells, [f"{levels[code // len(words)]} × {words[code % len(words)]}" for code in present]


def _drawn(order: BalancedOrder, names: Sequence[str]) -> str:
    sizes = [len(members) for members in order.members]
    most = max(order.draws)
    line = f"  {len(names)} cells, up to {most:,} draws each in an epoch of {len(order):,}"
    capped = [
        f"{name} ({size} images, {draws} draws)"
        for name, size, draws in zip(names, sizes, order.draws, strict=True)
        if draws == MOST_REPEATS * size and draws < most - 1
    ]
    if capped:
        more = f" and {len(capped) - _NAMED} more" if len(capped) > _NAMED else ""
        line += f"; held at {MOST_REPEATS} draws an image: {', '.join(capped[:_NAMED])}{more}"
    return line
