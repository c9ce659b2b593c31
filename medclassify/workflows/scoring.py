"""A finished model at work: prepared images to logits, probabilities and decisions."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from medclassify.calibration import (
    Calibrator,
    conformal_from_json,
    operating_points_from_json,
    raw_probabilities,
    require_frozen,
)
from medclassify.data import PreparedStore
from medclassify.errors import RunError
from medclassify.inference import embed, logits_of_embeddings, logits_of_series, predict_logits, weigh_slices
from medclassify.manifest import Manifest
from medclassify.models import ModelBundle, load_bundle
from medclassify.records import ConformalRule, Exclusion, LogitTable, OperatingPoint, ProbabilityTable, SliceWeights
from medclassify.workflows.console import progress
from medclassify.workflows.device import best_device
from medclassify.workflows.heads import embed_store
from medclassify.workflows.predictions import predictions_table
from medclassify.workflows.stacks import in_stacks_of


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A bundle with its calibrator and operating points read.

    Attributes:
        bundle: The model; its network stands on ``device``.
        calibrator: Logits to probabilities.
        points: One a finding.
        rules: One a finding for its conformal sets; none where they are switched off.
        embeddings: float32 (M, D) of every image of the store that is scored, where at hand: the head alone is computed.
    """

    bundle: ModelBundle
    calibrator: Calibrator
    points: tuple[OperatingPoint, ...]
    embeddings: NDArray[np.float32] | None = None
    rules: tuple[ConformalRule, ...] = ()

    @classmethod
    def of_run(cls, folder: Path) -> "Scorer":
        """Reads a run's ``model`` folder.

        Raises:
            RunError: The model cannot be read.
            CalibrationError: Calibrator, thresholds or rules are not those that were frozen.
        """
        bundle = load_bundle(folder)
        require_frozen(deciding(bundle), str(folder / "model.json"))
        bundle.network.to(best_device())
        rules = conformal_from_json(bundle.conformal)[0] if bundle.conformal else ()
        points = operating_points_from_json(bundle.operating_points)
        return cls(bundle, Calibrator.from_json(bundle.calibrator), points, rules=rules)

    def take(self, manifest: Manifest) -> tuple[Manifest, list[Exclusion]]:
        """A manifest as the model takes it (``stacks.in_stacks_of``): images, slices with neighbours, or series."""
        neighbours = self.bundle.preprocessing.neighbours
        return in_stacks_of(manifest, neighbours=neighbours, series=self.bundle.attention is not None)

    def logits(self, store: PreparedStore, sample_ids: Sequence[str], label: str | None) -> LogitTable:
        """Logits of samples in the store, with progress shown where it has a label."""
        facts = {"sample_ids": sample_ids, "findings": self.bundle.findings, "fingerprint": self.bundle.fingerprint}
        if self.bundle.attention is not None:
            embeddings = self.embeddings_of(store)
            return logits_of_series(self.bundle.network, self.bundle.attention, embeddings, store.stacks, **facts)
        if self.embeddings is not None:
            return logits_of_embeddings(self.bundle.network, self.embeddings[store.rows(sample_ids)], **facts)
        with progress(label) if label else nullcontext() as move:
            return predict_logits(
                self.bundle.network,
                store.images,
                store.rows(sample_ids),
                preprocessing=self.bundle.preprocessing,
                progress=move,
                **facts,
            )

    def embeddings_of(self, store: PreparedStore) -> NDArray[np.float32]:
        """Of every image of a store: float32 (M, D)."""
        if self.embeddings is not None:
            return self.embeddings
        if hasattr(store.images, "filename"):
            return embed_store(self.bundle.network, store, self.bundle.preprocessing)
        return embed(self.bundle.network, store.images, np.arange(len(store.index)), preprocessing=self.bundle.preprocessing)

    def embedded(self, store: PreparedStore) -> "Scorer":
        """The same with the embeddings of a store at hand, so that its series may be weighed one by one; for series alone."""
        return self if self.bundle.attention is None else replace(self, embeddings=self.embeddings_of(store))

    def weigh(self, store: PreparedStore, sample_id: str) -> SliceWeights:
        """What each slice of one series counts.

        Raises:
            RunError: The model judges images, not series.
        """
        if self.bundle.attention is None:
            raise RunError("this model judges images one by one, so it weighs no slices. Name a run of data.sample: series.")
        rows = store.stacks[sample_id]
        return weigh_slices(self.bundle.network, self.bundle.attention, self.embeddings_of(store)[rows])

    def probabilities(self, logits: LogitTable) -> tuple[ProbabilityTable, ProbabilityTable]:
        """Raw and calibrated probabilities."""
        return raw_probabilities(logits, cast(Any, self.bundle.task)), self.calibrator.transform(logits)

    def table(self, manifest: Manifest, store: PreparedStore, *, attributes: Sequence[str], label: str = "scoring"):
        """The predictions table of every sample of a manifest."""
        logits = self.logits(store, manifest.frame["sample_id"].tolist(), label)
        raw, calibrated = self.probabilities(logits)
        return predictions_table(manifest, logits, raw, calibrated, self.points, self.rules, attributes=attributes)


def deciding(bundle: ModelBundle) -> dict[str, Any]:
    """What of a model turns a logit into an answer, and its frozen hash, under the names of ``model.json``."""
    names = ("calibrator", "operating_points", "conformal", "prevalence", "decisions_sha256")
    return {name: getattr(bundle, name) for name in names}
