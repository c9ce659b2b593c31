"""The samples of a run, found without a search, with what the model says of each."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ReviewError
from medclassify.records import ReviewItem
from medclassify.review.items import build_items
from medclassify.review.source import ReviewRun


class SampleIndex:
    """Finds the rows of a sample among millions; what was asked for once is kept."""

    def __init__(self, run: ReviewRun) -> None:
        codes, names = pd.factorize(run.predictions["sample_id"])
        self.names = pd.Index(names)
        """The samples, in table order."""
        self._run = run
        self._rows = np.argsort(codes, kind="stable")
        self._starts = np.searchsorted(codes[self._rows], np.arange(len(names) + 1))
        self._known: dict[str, tuple[tuple[ReviewItem, ...], str]] = {}

    def places(self, sample_ids: Sequence[str]) -> NDArray[np.intp]:
        """Where samples stand in `names`; -1 for one that the run does not hold."""
        return self.names.get_indexer(list(sample_ids))

    def require(self, sample_ids: Sequence[str]) -> None:
        """Refuses samples that the run does not hold.

        Raises:
            ReviewError: There is one.
        """
        unknown = [name for name, place in zip(sample_ids, self.places(sample_ids), strict=True) if place < 0]
        if unknown:
            raise ReviewError(f"{len(unknown)} samples are not in this run (first: {unknown[0]!r}). Choose from the worklist.")

    def rows(self, sample_id: str) -> pd.DataFrame:
        """The predictions of a sample, one row a finding.

        Raises:
            ReviewError: The run does not hold it.
        """
        self.require([sample_id])
        (place,) = self.places([sample_id])
        return self._run.predictions.iloc[self._rows[self._starts[place] : self._starts[place + 1]]]

    def items(self, sample_id: str) -> tuple[ReviewItem, ...]:
        """What the model says of a sample, one item a finding.

        Raises:
            ReviewError: The run does not hold it.
        """
        return self._of(sample_id)[0]

    def item(self, sample_id: str) -> str:
        """SHA-256 over the fingerprints of the sample's items, hex.

        Raises:
            ReviewError: The run does not hold it.
        """
        return self._of(sample_id)[1]

    def _of(self, sample_id: str) -> tuple[tuple[ReviewItem, ...], str]:
        if sample_id not in self._known:
            items = build_items(self.rows(sample_id), model_fingerprint=self._run.model_fingerprint)
            together = json.dumps([item.fingerprint for item in items])
            self._known[sample_id] = items, hashlib.sha256(together.encode()).hexdigest()
        return self._known[sample_id]
