"""Similar cases: training samples that the network sees as like a sample, like it but with the other label, and typical ones.

Distance is one minus the cosine of embeddings (what the head sees). That two images are alike to a network does not make
them alike to a radiologist; it shows what the network has to go by.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from medclassify.errors import ExplainError

COLUMNS = ("sample_id", "kind", "finding", "rank", "neighbour_id", "distance", "labels")
SIMILAR, COUNTER, PROTOTYPE = "similar", "counter", "prototype"


class Neighbours:
    """Training samples to compare with.

    Args:
        embeddings: float32 (M, D), of the training samples.
        sample_ids: M ids.
        targets: float (M, K): 1 present, 0 absent.
        mask: bool (M, K), where the label is known.
        findings: K names.

    Raises:
        ExplainError: There is no training sample, or the shapes do not agree.
    """

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        sample_ids: Sequence[str],
        targets: NDArray,
        mask: NDArray[np.bool_],
        findings: Sequence[str],
    ) -> None:
        if not len(sample_ids) or not len(embeddings) == len(sample_ids) == len(targets) == len(mask):
            raise ExplainError(
                f"similar cases need as many embeddings and labels as training samples, and one at least; received "
                f"{len(embeddings)} embeddings, {len(targets)} labels and {len(sample_ids)} samples."
            )
        self.embeddings, self.ids, self.findings = embeddings, np.asarray(sample_ids, dtype=object), tuple(findings)
        self.state = np.where(mask, targets, np.nan)

    def labels(self, row: int) -> str:
        """The findings that a training sample is labelled with, in words; ``none`` where all are absent."""
        present = [finding for finding, value in zip(self.findings, self.state[row], strict=True) if value == 1]
        known = np.isfinite(self.state[row]).any()
        return ", ".join(present) or ("none" if known else "not labelled")

    def similar(self, embeddings: NDArray[np.float32], count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and rows of the nearest training samples, (N, count) each."""
        return self._among(np.arange(len(self.ids)), embeddings, count)

    def labelled(
        self, finding: str, present: bool, embeddings: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The same among training samples that have a finding, or that are known not to have it."""
        rows = np.flatnonzero(self.state[:, self.findings.index(finding)] == float(present))
        return self._among(rows, embeddings, count)

    def prototypes(self, finding: str, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The training samples with a finding that lie nearest to the mean direction of all that have it, (count,) each."""
        rows = np.flatnonzero(self.state[:, self.findings.index(finding)] == 1)
        if not rows.size:
            return np.empty(0), np.empty(0, np.int64)
        directions = self.embeddings[rows] / np.linalg.norm(self.embeddings[rows], axis=1, keepdims=True).clip(1e-12)
        distances, found = self._among(rows, directions.mean(axis=0, keepdims=True), count)
        return distances[0], found[0]

    def _among(
        self, rows: NDArray[np.int64], embeddings: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        count = min(count, rows.size)
        if not count or not len(embeddings):
            return np.empty((len(embeddings), 0)), np.empty((len(embeddings), 0), np.int64)
        index = NearestNeighbors(n_neighbors=count, metric="cosine").fit(self.embeddings[rows])
        distances, found = index.kneighbors(embeddings)
        return distances, rows[found]


def nearest_neighbours(
    training: Neighbours,
    embeddings: NDArray[np.float32],
    sample_ids: Sequence[str],
    called: NDArray[np.bool_],
    *,
    similar: int = 5,
    counter: int = 2,
    prototypes: int = 3,
) -> pd.DataFrame:
    """The similar cases of some samples, the counter-cases of each call, and the prototypes of each finding.

    Args:
        training: The samples to compare with.
        embeddings: float32 (N, D), of the samples asked about.
        sample_ids: N ids.
        called: bool (N, K), what the model called present. A counter-case ("why not?") of a called finding is the nearest
            training sample that is known not to have it, and of one that was not called the nearest that has it.
        similar: Cases a sample.
        counter: Counter-cases a sample and finding.
        prototypes: Cases a finding; their ``sample_id`` is empty.

    Returns:
        Columns ``COLUMNS``: ``kind`` is similar, counter or prototype, ``finding`` is empty for similar, ``rank`` counts from
        1, ``labels`` are the neighbour's, in words.
    """
    parts = [_rows(training, sample_ids, SIMILAR, "", *training.similar(embeddings, similar))]
    for number, finding in enumerate(training.findings):
        for was_called in (True, False):
            rows = np.flatnonzero(called[:, number] == was_called)
            ids = [sample_ids[int(row)] for row in rows]
            found = training.labelled(finding, not was_called, embeddings[rows], counter)
            parts.append(_rows(training, ids, COUNTER, finding, *found))
        distances, found = training.prototypes(finding, prototypes)
        parts.append(_rows(training, [""], PROTOTYPE, finding, distances[None], found[None]))
    return pd.DataFrame([row for part in parts for row in part], columns=list(COLUMNS))


def _rows(
    training: Neighbours,
    sample_ids: Sequence[str],
    kind: str,
    finding: str,
    distances: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> list[dict]:
    return [
        {
            "sample_id": sample_id,
            "kind": kind,
            "finding": finding,
            "rank": rank,
            "neighbour_id": training.ids[row],
            "distance": float(distance),
            "labels": training.labels(row),
        }
        for sample_id, near, found in zip(sample_ids, distances, rows, strict=True)
        for rank, (distance, row) in enumerate(zip(near, found, strict=True), start=1)
    ]
