"""Learns to judge whole series: slices first, where they have labels, then which of them count, and says if it finds them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet
from torch import nn

from medclassify.config import Config
from medclassify.data import PreparedStore
from medclassify.manifest import own_slices
from medclassify.models import GatedAttention
from medclassify.records import Preprocessing, Split
from medclassify.runs import RunLayout
from medclassify.training import SeriesPart, fit_attention, start_head
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.heads import embed_store
from medclassify.workflows.learning import Learnt, learn, require_known
from medclassify.workflows.scoring import Scorer


def learn_series(
    network: EfficientNet,
    dataset: Dataset,
    config: Config,
    preprocessing: Preprocessing,
    run: RunLayout,
    *,
    pretrained: bool,
    **options: Any,
) -> Learnt:
    """Learns the slices by the config's recipe where they have labels, then attention and head on their embeddings.

    Arguments as in ``learning.learn``; with ``optimizer.recipe: linear_probe`` the backbone stays as it is.
    """
    findings = dataset.manifest.findings
    require_known(config.calibration.prevalence, findings)
    slices = dataset.of_slices()
    if config.optimizer.recipe != "linear_probe" and _have_labels(slices):
        say("slices first: they have labels of their own")
        learnt = learn(network, slices, config, preprocessing, run, pretrained=pretrained, **options)
    else:
        learnt = _as_it_is(network, dataset, config, pretrained=pretrained)
    embeddings = embed_store(network, dataset.store, preprocessing)
    torch.manual_seed(config.seed_everything)
    attention = GatedAttention(embeddings.shape[1], len(findings), config.model.sequence)
    train, tune = (_part(dataset, embeddings, split) for split in (Split.TRAIN, Split.TUNE))
    settings = config.optimizer
    with progress("fitting attention") as move:
        fit = fit_attention(
            network,
            attention,
            train,
            tune,
            slice_loss=settings.slice_loss,
            seed=config.seed_everything,
            progress=move,
        )
    auroc = "no figure: no finding has both classes in tune" if fit.tune_auroc is None else f"{fit.tune_auroc:.4f}"
    said = (
        f"attention over slices: {len(train.stacks)} series, kept epoch {fit.best_epoch + 1} of {fit.epochs} "
        f"(tune loss {fit.tune_loss:.4f}, AUROC {auroc}), {fit.seconds:.0f} s; loss of slices counts {fit.slice_loss:g}"
    )
    say(said)
    network.eval()
    return replace(
        learnt, decisions=(*learnt.decisions, said), embeddings=embeddings, attention=attention.eval(), attention_fit=fit
    )


@dataclass(frozen=True, slots=True)
class FoundSlices:
    """Whether attention finds the slices that show a finding, in test series that have it.

    Attributes:
        finding: The finding.
        series: How many series have it in some of their labelled slices and not in others.
        hits: In how many of them the slice with the most attention shows it.
        by_chance: In how many a slice drawn at random would.
    """

    finding: str
    series: int
    hits: int
    by_chance: float


def found_slices(scorer: Scorer, dataset: Dataset) -> tuple[FoundSlices, ...]:
    """Compares the peak of attention with labels of slices on the test split, and says so; nothing where slices have none."""
    manifest, store = dataset.manifest.of_split(Split.TEST), dataset.store
    if scorer.bundle.attention is None:
        return ()
    labels = _slice_labels(dataset)
    weights = {sample: scorer.weigh(store, sample) for sample in manifest.frame["sample_id"]}
    found = []
    for k, finding in enumerate(manifest.findings):
        cases = [(weights[sample].attention[k], labels[store.stacks[sample], k]) for sample in weights]
        known = [(weight, label) for weight, label in cases if not np.isnan(label).any() and 0 < label.mean() < 1]
        if known:
            hits = sum(int(label[weight.argmax()]) for weight, label in known)
            found.append(FoundSlices(finding, len(known), hits, float(sum(label.mean() for _, label in known))))
    for row in found:
        by_chance = f"by chance {row.by_chance:.1f}"
        say(f"  {row.finding}: attention peaks on a slice that shows it in {row.hits} of {row.series} series ({by_chance})")
    return tuple(found)


def slice_weights(scorer: Scorer, store: PreparedStore, sample_ids: Sequence[str]) -> pd.DataFrame:
    """How much each slice of series counts, for the review page.

    Args:
        scorer: Its model judges series.
        store: Holds them.
        sample_ids: Which.

    Returns:
        One row a slice, in the order of its series: ``sample_id, slice_id``, and float32 weights in a column a finding; those
        of a series and finding add up to 1.
    """
    findings, names = list(scorer.bundle.findings), store.index["sample_id"].to_numpy()
    parts = [
        pd.DataFrame(scorer.weigh(store, sample).attention.T.astype(np.float32), columns=findings).assign(
            sample_id=sample, slice_id=names[store.stacks[sample]]
        )
        for sample in sample_ids
    ]
    columns = ["sample_id", "slice_id", *findings]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _as_it_is(network: EfficientNet, dataset: Dataset, config: Config, *, pretrained: bool) -> Learnt:
    """The backbone's features are taken as they are; the head starts knowing the train split's frequencies alone."""
    targets, mask = dataset.manifest.of_split(Split.TRAIN).targets()
    torch.manual_seed(config.seed_everything)
    network.reset_classifier(targets.shape[1])
    nn.init.zeros_(cast(nn.Linear, network.get_classifier()).weight)  # random ones would pull attention to noise
    start_head(network, targets, mask, np.ones(targets.shape[1]), task="multilabel")
    why = "as asked" if config.optimizer.recipe == "linear_probe" else "slices have no labels to learn it from"
    lines = ["recipe: attention over the slices of the frozen backbone", f"the backbone is not fine-tuned: {why}"]
    say("; ".join(lines))
    if not pretrained:
        lines.append("its weights are RANDOM and stay so: slices are told apart by chance features")
        warn(lines[-1])
    settings = replace(config.optimizer, recipe="linear_probe", batch_norm="frozen")
    return Learnt(settings, tuple(lines), None, None)


def _have_labels(slices: Dataset) -> bool:
    """Whether both classes of a finding are among the slices that weights may be learnt from."""
    targets, mask = slices.manifest.of_split(Split.TRAIN).targets()
    positives, known = (targets * mask).sum(axis=0), mask.sum(axis=0)
    return bool(((positives > 0) & (positives < known)).any())


def _part(dataset: Dataset, embeddings: NDArray[np.float32], split: Split) -> SeriesPart:
    manifest = dataset.manifest.of_split(split)
    labels = _slice_labels(dataset)
    known = np.isin(labels, (0.0, 1.0))
    stacks: Sequence[NDArray[np.int64]] = [dataset.store.stacks[sample] for sample in manifest.frame["sample_id"]]
    return SeriesPart(embeddings, stacks, *manifest.targets(), np.where(known, labels, 0.0), known)


def _slice_labels(dataset: Dataset) -> NDArray[np.float64]:
    """Labels of the store's slices, float64 (M, K), NaN where unknown."""
    findings = list(dataset.manifest.findings)
    labels = own_slices(dataset.manifest).set_index("slice_id")[findings].reindex(dataset.store.index["sample_id"])
    return labels.to_numpy(dtype=np.float64, na_value=np.nan)
