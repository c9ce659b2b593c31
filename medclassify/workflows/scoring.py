"""A finished model at work: prepared images to logits, probabilities and decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from medclassify.calibration import Calibrator, operating_points_from_json, raw_probabilities
from medclassify.data import PreparedStore
from medclassify.inference import predict_logits
from medclassify.manifest import Manifest
from medclassify.models import ModelBundle, load_bundle
from medclassify.records import LogitTable, OperatingPoint, ProbabilityTable
from medclassify.workflows.console import progress
from medclassify.workflows.predictions import predictions_table


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A bundle with its calibrator and operating points read.

    Attributes:
        bundle: The model; its network stands on ``device``.
        calibrator: Logits to probabilities.
        points: One a finding.
    """

    bundle: ModelBundle
    calibrator: Calibrator
    points: tuple[OperatingPoint, ...]

    @classmethod
    def of_run(cls, folder: Path) -> "Scorer":
        """Reads a run's ``model`` folder.

        Raises:
            RunError: The model cannot be read.
        """
        bundle = load_bundle(folder)
        bundle.network.to(best_device())
        return cls(bundle, Calibrator.from_json(bundle.calibrator), operating_points_from_json(bundle.operating_points))

    def logits(self, store: PreparedStore, sample_ids: Sequence[str], label: str) -> LogitTable:
        """Logits of samples in the store, with progress shown."""
        with progress(label) as move:
            return predict_logits(
                self.bundle.network,
                store.images,
                store.rows(sample_ids),
                sample_ids=sample_ids,
                findings=self.bundle.findings,
                preprocessing=self.bundle.preprocessing,
                fingerprint=self.bundle.fingerprint,
                progress=move,
            )

    def probabilities(self, logits: LogitTable) -> tuple[ProbabilityTable, ProbabilityTable]:
        """Raw and calibrated probabilities."""
        return raw_probabilities(logits, cast(Any, self.bundle.task)), self.calibrator.transform(logits)

    def table(self, manifest: Manifest, store: PreparedStore, *, attributes: Sequence[str], label: str = "scoring"):
        """The predictions table of every sample of a manifest."""
        logits = self.logits(store, manifest.frame["sample_id"].tolist(), label)
        raw, calibrated = self.probabilities(logits)
        return predictions_table(manifest, logits, raw, calibrated, self.points, attributes=attributes)


def best_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
