"""A model, its prepared images and a saliency method: maps of samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medclassify.data import PreparedStore, to_network_input
from medclassify.explain import Method, to_image_geometry
from medclassify.workflows.scoring import Scorer

_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class SliceSeen:
    """Where in a series a finding is seen.

    Attributes:
        slice_id: The slice that its attention peaks on.
        place: Which of the slices that is, from 0.
        saliency: float32 (rows, columns) of the slice's own file.
        attention: float64 (L,), what each slice counts.
        share: float64 (L,), its share of the series' logit.
    """

    slice_id: str
    place: int
    saliency: NDArray[np.float32]
    attention: NDArray[np.float64]
    share: NDArray[np.float64]

    @property
    def facts(self) -> dict[str, Any]:
        """As ``index.json`` tells it."""
        peak = float(self.attention[self.place])
        return {"slice_id": self.slice_id, "slice": self.place, "slices": len(self.attention), "attention": peak}


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
        """Normalised batches float32 (B, 3, S, S), on the network's device, in the order of the samples; see ``pictures``."""
        rows, device = self.pictures(sample_ids), next(self.scorer.bundle.network.parameters()).device
        for start in range(0, len(rows), batch):
            images = torch.from_numpy(self.store.images[rows[start : start + batch]]).to(device)
            yield to_network_input(images, self.scorer.bundle.preprocessing)

    def pictures(self, sample_ids: Sequence[str]) -> NDArray[np.int64]:
        """Which image of the store stands for each sample, int64 (N,): of a series the slice that counts most in all."""
        if not self.store.stacks:
            return self.store.rows(sample_ids)
        return np.array([self.store.stacks[name][self._attention(name).sum(axis=0).argmax()] for name in sample_ids], np.int64)

    def maps(self, sample_ids: Sequence[str], findings: Sequence[str] | None = None) -> NDArray[np.float32]:
        """Signed maps float32 (N, K, h, w) over the prepared squares; of all findings when none is named.

        Of a series they are those of the slice that counts most in all, times how much that is: in units of the series' logit.
        """
        chosen = [self.findings.index(finding) for finding in (self.findings if findings is None else findings)]
        network = self.scorer.bundle.network
        parts = [self.method.maps(network, images, chosen).cpu().numpy() for images in self.inputs(sample_ids)]
        maps = np.concatenate(parts)
        if self.store.stacks:
            peaks = [self._attention(name) for name in sample_ids]
            counts = [attention[chosen, attention.sum(axis=0).argmax()] for attention in peaks]
            maps *= np.array(counts, np.float32)[:, :, None, None]
        return maps

    def slice_of(self, sample_id: str, finding: str) -> SliceSeen:
        """The slice of a series that a finding's attention peaks on, with its map, in units of the series' logit."""
        k, rows = self.findings.index(finding), self.store.stacks[sample_id]
        weights = self.scorer.weigh(self.store, sample_id)
        place = int(weights.attention[k].argmax())
        row, network = int(rows[place]), self.scorer.bundle.network
        images = torch.from_numpy(self.store.images[rows[place : place + 1]]).to(next(network.parameters()).device)
        square = self.method.maps(network, to_network_input(images, self.scorer.bundle.preprocessing), [k])[0, 0].cpu().numpy()
        square = square * np.float32(weights.attention[k, place])
        slice_id = str(self.store.index["sample_id"].iloc[row])
        saliency = to_image_geometry(square, self.store.geometry(row))
        return SliceSeen(slice_id, place, saliency, weights.attention[k], weights.shares[k])

    def _attention(self, sample_id: str) -> NDArray[np.float64]:
        return self.scorer.weigh(self.store, sample_id).attention

    def in_image(self, sample_id: str, square: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map (h, w) over the prepared square, in rows and columns of the sample's original image."""
        return to_image_geometry(square, self.store.geometry(int(self.store.rows([sample_id])[0])))
