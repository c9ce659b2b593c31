"""A model, its prepared images and a saliency method: maps of samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medclassify.data import PreparedStore, to_network_input
from medclassify.explain import Method, to_image_geometry
from medclassify.workflows.scoring import Scorer

_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """Makes maps.

    Attributes:
        scorer: The model.
        store: Holds the samples.
        method: How.
    """

    scorer: Scorer
    store: PreparedStore
    method: Method

    @property
    def findings(self) -> tuple[str, ...]:
        """The model's, in the order of its logits."""
        return self.scorer.bundle.findings

    def inputs(self, sample_ids: Sequence[str], batch: int = _BATCH) -> Iterator[Tensor]:
        """Normalised batches float32 (B, 3, S, S), on the network's device, in the order of the samples."""
        rows, device = self.store.rows(sample_ids), next(self.scorer.bundle.network.parameters()).device
        for start in range(0, len(rows), batch):
            images = torch.from_numpy(self.store.images[rows[start : start + batch]]).to(device)
            yield to_network_input(images, self.scorer.bundle.preprocessing)

    def maps(self, sample_ids: Sequence[str], findings: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Signed maps float32 (N, K, h, w) over the prepared squares; of all findings when none is named."""
        chosen = [self.findings.index(finding) for finding in (self.findings if findings is None else findings)]
        network = self.scorer.bundle.network
        parts = [self.method.maps(network, images, chosen).cpu().numpy() for images in self.inputs(sample_ids)]
        return np.concatenate(parts)

    def in_image(self, sample_id: str, square: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map (h, w) over the prepared square, in rows and columns of the sample's original image."""
        return to_image_geometry(square, self.store.geometry(int(self.store.rows([sample_id])[0])))
