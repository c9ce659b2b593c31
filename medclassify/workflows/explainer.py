"""A model, its prepared images and a saliency method: maps of samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medclassify.data import PreparedStore, to_network_input
from medclassify.dicom import read_image
from medclassify.display import ct_channels
from medclassify.explain import Method, to_image_geometry
from medclassify.records import Preprocessing, SliceWeights
from medclassify.workflows.scoring import Scorer

_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The image that a finding of a sample is explained on, and its map.

    Attributes:
        sample_id: The sample.
        finding: The finding.
        image_id: The image: the sample itself, or of a series the slice that the finding's attention peaks on.
        row: Where the store holds it.
        square: float32 (h, w) over the prepared square, in units of the sample's logit.
        attention: Of a series float64 (L,), what each slice counts.
        share: Of a series float64 (L,), each slice's share of its logit.
    """

    sample_id: str
    finding: str
    image_id: str
    row: int
    square: NDArray[np.float32]
    attention: NDArray[np.float64] | None = None
    share: NDArray[np.float64] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Which slice of a series it is, as ``index.json`` tells it."""
        if self.attention is None:
            return {}
        place = int(self.attention.argmax())
        peak = float(self.attention[place])
        return {"slice_id": self.image_id, "slice": place, "slices": len(self.attention), "attention": peak}


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
        return self._inputs(self.pictures(sample_ids), batch)

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
        maps = self._maps(self.pictures(sample_ids), chosen)
        if self.store.stacks:
            peaks = [self._attention(name) for name in sample_ids]
            counts = [attention[chosen, attention.sum(axis=0).argmax()] for attention in peaks]
            maps *= np.array(counts, np.float32)[:, :, None, None]
        return maps

    def seen(self, pairs: Sequence[tuple[str, str]]) -> list[Seen]:
        """Of each pair of a sample and a finding the image that the finding is explained on, with its map."""
        chosen = [self.findings.index(finding) for finding in dict.fromkeys(finding for _, finding in pairs)]
        series = dict.fromkeys(sample_id for sample_id, _ in pairs) if self.store.stacks else ()
        weights = {sample_id: self.scorer.weigh(self.store, sample_id) for sample_id in series}
        rows = self._rows_seen(pairs, weights)
        images, which = np.unique(rows, return_inverse=True)  # an image's maps are made together
        maps, ids = self._maps(images, chosen) if pairs else np.empty(0), self.store.index["sample_id"]
        found = []
        for (sample_id, finding), row, image in zip(pairs, rows.tolist(), which, strict=True):
            k, of_slices = self.findings.index(finding), weights.get(sample_id)
            square, image_id = maps[image, chosen.index(k)], str(ids.iloc[row])
            if of_slices is None:
                found.append(Seen(sample_id, finding, image_id, row, square))
            else:
                attention = of_slices.attention[k]
                square = square * np.float32(attention.max())
                found.append(Seen(sample_id, finding, image_id, row, square, attention, of_slices.shares[k]))
        return found

    def embeddings(self, sample_ids: Sequence[str]) -> NDArray[np.float32] | None:
        """What the head sees of samples, where it is at hand: float32 (N, D).

        Of a series it is the mean of its slices, by what they count for all findings together.
        """
        stored = self.scorer.embeddings
        if stored is None or not self.store.stacks:
            return None if stored is None else np.asarray(stored[self.store.rows(sample_ids)])
        means = [self._attention(name).mean(axis=0) @ stored[self.store.stacks[name]] for name in sample_ids]
        return np.array(means, np.float32).reshape(len(sample_ids), stored.shape[1])

    def in_image(self, row: int, square: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map (h, w) over the prepared square of one row of the store, in rows and columns of its original image."""
        return to_image_geometry(square, self.store.geometry(row))

    def _inputs(self, rows: NDArray[np.int64], batch: int = _BATCH) -> Iterator[Tensor]:
        device = next(self.scorer.bundle.network.parameters()).device
        for start in range(0, len(rows), batch):
            images = torch.from_numpy(self.store.images[rows[start : start + batch]]).to(device)
            yield to_network_input(images, self.scorer.bundle.preprocessing)

    def _maps(self, rows: NDArray[np.int64], chosen: Sequence[int]) -> NDArray[np.float32]:
        network = self.scorer.bundle.network
        return np.concatenate([self.method.maps(network, images, chosen).cpu().numpy() for images in self._inputs(rows)])

    def _rows_seen(self, pairs: Sequence[tuple[str, str]], weights: Mapping[str, SliceWeights]) -> NDArray[np.int64]:
        """The row of each pair: of a series that of the slice which its finding's attention peaks on."""
        if not self.store.stacks:
            return self.store.rows([sample_id for sample_id, _ in pairs])
        peaks = [weights[sample_id].attention[self.findings.index(finding)].argmax() for sample_id, finding in pairs]
        slices = [self.store.stacks[sample_id][peak] for (sample_id, _), peak in zip(pairs, peaks, strict=True)]
        return np.array(slices, np.int64)

    def _attention(self, sample_id: str) -> NDArray[np.float64]:
        return self.scorer.weigh(self.store, sample_id).attention


def shown_pixels(path: str, preprocessing: Preprocessing) -> NDArray[np.floating]:
    """An original as a reader is shown it below a map, float (H, W) in [0, 1]: of several CT windows through the first."""
    if preprocessing.ct_windows:
        return ct_channels(read_image(path, window="none").pixels, preprocessing.ct_windows[:1])[0]
    return read_image(path, window=cast(Any, preprocessing.window)).pixels
