"""Conformal sets on the test split: do they hold the truth, whom do they send to a person, and what is then still missed?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.audit.cells import ALL
from medclassify.audit.table import AuditTable
from medclassify.calibration import conformal_from_json, conformal_sets
from medclassify.metrics.cells import MIN_DENOMINATOR, not_estimable, status_of
from medclassify.metrics.proportions import normal_quantile, proportion, wilson
from medclassify.records import ConformalRule, ConformalSet, Estimate, EstimateRow, Status

COVERAGE = ("coverage_present", "coverage_absent", "referred")
_TO_PERSON = (ConformalSet.REFER.value, ConformalSet.NONE.value)


@dataclass(frozen=True, slots=True)
class Workload:
    """What the sets of one level come to on the test split.

    Attributes:
        finding: The finding; ``all`` for whole cases: one goes to a person where any of its findings does.
        alpha: The level.
        n: Cases.
        to_person: Cases whose set is ``refer`` or ``none``.
        n_pos: Labelled findings that are present.
        missed: Those among them that nobody looks at: set ``absent``, in a case that does not go to a person.
        n_neg: Labelled findings that are absent.
        false_alarms: Those among them with the set ``present`` in a case that does not go to a person.
    """

    finding: str
    alpha: float
    n: int
    to_person: int
    n_pos: int
    missed: int
    n_neg: int
    false_alarms: int


def coverage_rows(table: AuditTable) -> list[EstimateRow]:
    """Coverage of each class, and the share that goes to a person, overall and by subgroup.

    ``coverage_present``: of the labelled samples with the finding, those whose set holds ``present``; ``coverage_absent``
    likewise; ``referred``: of all labelled samples, those whose set holds both labels or none. Intervals are Wilson's, of
    the effective number where patients repeat; small cells as for rates.

    Returns:
        Nothing where the table has no sets.
    """
    frame = table.frame[(table.frame["conformal_set"] != "") & table.frame["target"].notna()]
    rows = []
    for finding in table.findings if len(frame) else ():
        of_finding = frame[frame["finding"] == finding]
        rows += _rows(of_finding, finding, ALL, ALL)
        for attribute, levels in table.levels.items():
            for level in levels:
                rows += _rows(of_finding[of_finding[attribute] == level], finding, attribute, level)
    return rows


def workload(table: AuditTable, conformal: Mapping[str, Any] | None) -> list[Workload]:
    """The curve of workload against missed findings: one row a finding and level, then whole cases a level.

    Args:
        table: Its scores are the calibrated probabilities.
        conformal: The model's conformal rules as JSON; their levels make the curve. All were fitted on the calibrate split.

    Raises:
        CalibrationError: The JSON is not what it should be.
    """
    if not conformal or not table.is_probability:
        return []
    by_level: dict[float, list[ConformalRule]] = {}
    for rule in conformal_from_json(conformal)[1]:
        by_level.setdefault(rule.alpha, []).append(rule)
    rows = []
    for alpha, rules in by_level.items():
        sets = np.full(len(table.frame), "", object)
        for rule in rules:
            here = (table.frame["finding"] == rule.finding).to_numpy()
            sets[here] = conformal_sets(table.frame["score"].to_numpy(np.float64)[here], rule)
        frame = table.frame.assign(sets=sets)
        person = np.isin(sets, _TO_PERSON)
        rows += [_count(frame[(frame["finding"] == name).to_numpy()], person, name, alpha) for name in table.findings]
        seen = frame["sample_id"].isin(set(frame["sample_id"][person])).to_numpy()
        rows.append(_count(frame, seen, ALL, alpha))
    return rows


def _count(frame: pd.DataFrame, person: NDArray[np.bool_], finding: str, alpha: float) -> Workload:
    """``person`` is over the whole table, whose index counts its rows."""
    goes = person[frame.index.to_numpy()]
    alone, target = frame[~goes], frame["target"]
    return Workload(
        finding,
        alpha,
        int(frame["sample_id"].nunique()),
        int(frame["sample_id"][goes].nunique()),
        int((target == 1).sum()),
        int(((alone["target"] == 1) & (alone["sets"] == ConformalSet.ABSENT)).sum()),
        int((target == 0).sum()),
        int(((alone["target"] == 0) & (alone["sets"] == ConformalSet.PRESENT)).sum()),
    )


def _rows(frame: pd.DataFrame, finding: str, attribute: str, level: str) -> list[EstimateRow]:
    positive, sets = (frame["target"] == 1).to_numpy(), frame["conformal_set"].to_numpy(object)
    patients = pd.factorize(frame["patient_id"])[0].astype(np.intp)
    refer, n_pos = sets == ConformalSet.REFER, int(positive.sum())
    shares = (
        _share((refer | (sets == ConformalSet.PRESENT))[positive], patients[positive], "n_pos"),
        _share((refer | (sets == ConformalSet.ABSENT))[~positive], patients[~positive], "n_neg"),
        _share(np.isin(sets, _TO_PERSON), patients, "n"),
    )
    counts = len(frame), int(np.unique(patients).size), n_pos, len(frame) - n_pos
    return [EstimateRow(finding, attribute, level, name, *counts, share) for name, share in zip(COVERAGE, shares, strict=True)]


def _share(success: NDArray[np.bool_], patients: NDArray[np.intp], name: str) -> Estimate:
    if not success.size:
        return not_estimable(f"{name}=0")
    found = proportion(success, np.unique(patients, return_inverse=True)[1])
    status = status_of(found.units, MIN_DENOMINATOR)
    note = "" if status is Status.OK else f"{name}={found.n}" + (f" of {found.units} patients" if found.clustered else "")
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    low, high = wilson(found.share, found.effective_n, normal_quantile(0.95))
    return Estimate(found.share, low, high, "Wilson n_eff" if found.clustered else "Wilson", status, note)
