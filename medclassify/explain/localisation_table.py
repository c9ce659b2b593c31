"""Scores against regions, gathered: by finding and subgroup, with intervals and beside what chance would give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medclassify.explain.localisation import METRICS
from medclassify.explain.resampling import means
from medclassify.metrics import MIN_CELL, STABLE_CELL
from medclassify.records import Status

ALL = "all"
CHANCES = ("chance", "other_image")
COLUMNS = (
    "finding", "attribute", "subgroup", "metric", "n", "n_patients", "estimate", "ci_low", "ci_high", "ci_method", "status",
    "chance", "above_chance_low", "above_chance_high", "other_image", "above_other_low", "above_other_high", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoredRegion:
    """One map against its region, and two baselines.

    Attributes:
        sample_id: The sample.
        patient_id: Its patient.
        finding: The finding.
        subgroups: Attribute → subgroup.
        scores: Metric → what the map reached.
        chance: Metric → what it would reach with its values anywhere in the image.
        other_image: Metric → what maps of the same finding from other images reach in this region: how far anatomy alone
            explains the score. NaN where there is no other image.
        silent: The map speaks nowhere for the finding.
    """

    sample_id: str
    patient_id: str
    finding: str
    subgroups: Mapping[str, str]
    scores: Mapping[str, float]
    chance: Mapping[str, float]
    other_image: Mapping[str, float]
    silent: bool


def localisation_table(scored: Sequence[ScoredRegion], seed: int = 0) -> pd.DataFrame:
    """Mean scores with patient-bootstrap intervals.

    Returns:
        Columns ``COLUMNS``, one row a finding, subgroup and metric; attribute ``all`` is the whole. Below 5 patients a row is
        ``not_estimable`` and holds no number, below 20 it is ``unstable``.
    """
    rows = []
    for finding in dict.fromkeys(each.finding for each in scored):
        own = [each for each in scored if each.finding == finding]
        rows += _rows(own, finding, ALL, ALL, seed)
        for attribute in own[0].subgroups:
            for subgroup in sorted({each.subgroups[attribute] for each in own}):
                part = [each for each in own if each.subgroups[attribute] == subgroup]
                rows += _rows(part, finding, attribute, subgroup, seed)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(part: Sequence[ScoredRegion], finding: str, attribute: str, subgroup: str, seed: int) -> list[dict]:
    silent = sum(each.silent for each in part)
    n_patients = len({each.patient_id for each in part})
    note = f"{silent} maps speak nowhere for the finding and count as misses" if silent else ""
    rows = []
    for metric in METRICS:
        row = {"finding": finding, "attribute": attribute, "subgroup": subgroup, "metric": metric}
        row |= {"n": len(part), "n_patients": n_patients, "note": note, "ci_method": ""}
        if n_patients < MIN_CELL:
            row |= {
                "status": Status.NOT_ESTIMABLE.value,
                "note": "; ".join(filter(None, [f"fewer than {MIN_CELL} patients", note])),
            }
        else:
            row |= {"status": (Status.OK if n_patients >= STABLE_CELL else Status.UNSTABLE).value}
            row |= _numbers(part, metric, seed)
        rows.append(row)
    return rows


def _numbers(part: Sequence[ScoredRegion], metric: str, seed: int) -> dict:
    own = np.array([each.scores[metric] for each in part])
    chance, other = (np.array([getattr(each, name)[metric] for each in part]) for name in CHANCES)
    columns = np.stack([own, own - chance, own - other], axis=1)
    (estimate, above, beyond), _ = means(columns, [each.patient_id for each in part], seed)
    return {
        "estimate": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high, "ci_method": estimate.method,
        "chance": float(chance.mean()), "above_chance_low": above.low, "above_chance_high": above.high,
        "other_image": float(other.mean()), "above_other_low": beyond.low, "above_other_high": beyond.high,
    }  # fmt: skip
