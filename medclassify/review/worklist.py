"""The worklist: one row a sample, the least certain first."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ReviewError
from medclassify.records import ReadingState
from medclassify.review.items import attribute_columns

MISSING = "missing"
"""The subgroup of samples whose attribute is blank."""


class Called(StrEnum):
    """What the model called."""

    ANY = "any"
    POSITIVE = "positive"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class WorklistFilter:
    """Which samples to list; the empty filter lists all.

    Attributes:
        status: Only samples this far read.
        called: ``positive``: at least one listed finding was called; ``negative``: none was.
        split: Only samples of this split.
        attribute: Only samples of one subgroup: this attribute's name,
        subgroup: and its value; ``missing`` for blanks.
        sample: Only samples whose id contains this text; upper and lower case are the same.
        samples: Only these samples.
    """

    status: ReadingState | None = None
    called: Called = Called.ANY
    split: str | None = None
    attribute: str | None = None
    subgroup: str | None = None
    sample: str = ""
    samples: frozenset[str] | None = None


def uncertainty(probability: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """How close a probability lies to its threshold, on a scale that is fair to low and high thresholds.

    Args:
        probability: float64 (N,) in [0, 1].
        threshold: float64 (N,) in [0, 1].

    Returns:
        float64 (N,): 1 at the threshold, falling linearly to 0 where the probability is 0 or 1.
    """
    above = probability >= threshold
    room = np.where(above, 1.0 - threshold, threshold)
    way = np.where(above, 1.0 - probability, probability)
    return np.divide(way, room, out=np.ones_like(way), where=room > 0)


def build_worklist(predictions: pd.DataFrame, *, finding: str | None = None) -> pd.DataFrame:
    """Gathers a predictions table to one row a sample, the most uncertain first.

    Args:
        predictions: A table that `review.check_predictions` has passed.
        finding: Look at this finding alone; at all of them when left out.

    Returns:
        ``sample_id, uncertainty`` (of the least certain finding), ``least_certain`` (that finding), its ``prob_cal`` and
        ``threshold``, ``called`` (names of the findings called positive, in table order, joined by ", "), ``n_called,
        n_findings, split`` and the table's attributes, blanks as ``missing``. Ties keep the table's order.

    Raises:
        ReviewError: The finding is not in the table.
    """
    if finding is not None:
        known = predictions["finding"].unique().tolist()
        if finding not in known:
            raise ReviewError(f"finding {finding!r} is not in the predictions. Choose one of: {', '.join(known)}.")
        predictions = predictions.loc[predictions["finding"] == finding]
    codes, samples = pd.factorize(predictions["sample_id"])
    doubt = uncertainty(predictions["prob_cal"].to_numpy(np.float64), predictions["threshold"].to_numpy(np.float64))
    order = np.lexsort((np.arange(len(codes)), -doubt, codes))  # by sample, then the least certain first
    first = order[np.r_[True, codes[order][1:] != codes[order][:-1]]]
    facts = predictions.iloc[first]
    worklist = pd.DataFrame(
        {
            "sample_id": facts["sample_id"].astype(str).to_numpy(),
            "uncertainty": doubt[first],
            "least_certain": facts["finding"].astype(str).to_numpy(),
            "prob_cal": facts["prob_cal"].to_numpy(np.float64),
            "threshold": facts["threshold"].to_numpy(np.float64),
            "called": _called_names(predictions, codes, len(samples)),
            "n_called": np.bincount(codes, weights=predictions["decision"].astype(bool), minlength=len(samples)).astype(int),
            "n_findings": np.bincount(codes, minlength=len(samples)),
            "split": facts["split"].astype(str).to_numpy(),
        }
    )
    for name in attribute_columns(predictions):
        worklist[name] = facts[name].astype("string").fillna(MISSING).to_numpy()
    return worklist.sort_values("uncertainty", ascending=False, kind="stable", ignore_index=True)


def filter_worklist(worklist: pd.DataFrame, chosen: WorklistFilter) -> pd.DataFrame:
    """The rows that pass every part of the filter, in the same order.

    Raises:
        ReviewError: It filters by a column that the worklist does not have.
    """
    keep = np.ones(len(worklist), dtype=bool)
    if chosen.status is not None:
        keep &= _column(worklist, "status") == chosen.status.value
    if chosen.called is not Called.ANY:
        n_called = worklist["n_called"].to_numpy()
        keep &= n_called > 0 if chosen.called is Called.POSITIVE else n_called == 0  # neither where it is not to be known yet
    if chosen.split is not None:
        keep &= (worklist["split"] == chosen.split).to_numpy()
    if chosen.attribute is not None and chosen.subgroup is not None:
        keep &= _column(worklist, chosen.attribute) == chosen.subgroup
    if chosen.sample.strip():
        keep &= worklist["sample_id"].str.contains(chosen.sample.strip(), case=False, regex=False).to_numpy(bool)
    if chosen.samples is not None:
        keep &= worklist["sample_id"].isin(list(chosen.samples)).to_numpy()
    return worklist.loc[keep].reset_index(drop=True)


def _column(worklist: pd.DataFrame, name: str) -> NDArray[np.object_]:
    if name not in worklist.columns:
        raise ReviewError(f"the worklist has no column {name!r} to filter by. It has: {', '.join(worklist.columns)}.")
    return worklist[name].to_numpy(object)


def _called_names(predictions: pd.DataFrame, codes: NDArray[np.intp], samples: int) -> list[str]:
    names: list[list[str]] = [[] for _ in range(samples)]
    called = np.flatnonzero(predictions["decision"].astype(bool).to_numpy())
    for code, finding in zip(codes[called], predictions["finding"].to_numpy()[called], strict=True):
        names[code].append(str(finding))
    return [", ".join(found) for found in names]
