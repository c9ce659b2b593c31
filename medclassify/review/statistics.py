"""What readings say of readers, of the model, and of readers with the model; each with its interval."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import MetricError, ReviewError
from medclassify.metrics import ReaderStudy, cohen_kappa, fleiss_kappa, gwet_ac1, rates, reader_study
from medclassify.metrics.cells import not_estimable
from medclassify.records import Estimate, Presence, ReadingState, Verdict
from medclassify.review.worklist import MISSING

ALL = "all"
MODEL = "model"
"""Whose figures a row of `performance` holds, where it is not a reader's."""
_CODES = {Presence.ABSENT.value: 0, Presence.PRESENT.value: 1, Presence.UNSURE.value: 2}
STAGES = ("first", "final")
_ESTIMATE = ("value", "ci_low", "ci_high", "ci_method", "status", "note")


def agreement(table: pd.DataFrame, *, stage: str = "first", by: str | None = None) -> pd.DataFrame:
    """How readers agree with each other: kappa of each pair, Fleiss' kappa and AC1 of all.

    Args:
        table: Of `review.answers`, of all readers.
        stage: ``first`` for the blind reads, ``final`` for the second ones, which the model has made more alike.
        by: An attribute, for each of its subgroups as well.

    Returns:
        ``finding, subgroup, readers, measure, n`` (samples read twice) and the fields of `Estimate`. Present, absent and unsure
        are three answers.

    Raises:
        ReviewError: The stage or the attribute is unknown.
    """
    if stage not in STAGES:
        raise ReviewError(f"stage must be first or final, received {stage!r}.")
    answered = table.loc[table[f"{stage}_presence"].notna() & table["prob_cal"].notna()]
    rows = []
    for finding, subgroup, part in _parts(answered, by):
        matrix, patients = _matrix(part.assign(code=part[f"{stage}_presence"].map(_CODES)), "code", -1)
        names, ratings = list(matrix.index), matrix.to_numpy(np.int64)
        for one, two in itertools.combinations(range(len(names)), 2):
            both = (ratings[one] >= 0) & (ratings[two] >= 0)
            found = cohen_kappa(ratings[one][both], ratings[two][both], patients=patients[both].tolist())
            rows.append((finding, subgroup, f"{names[one]} · {names[two]}", "cohen_kappa", int(both.sum()), found))
        twice = int(((ratings >= 0).sum(axis=0) >= 2).sum())
        if len(names) >= 2:
            ids = patients.tolist()
            rows.append((finding, subgroup, ALL, "fleiss_kappa", twice, fleiss_kappa(ratings, patients=ids)))
            rows.append((finding, subgroup, ALL, "gwet_ac1", twice, gwet_ac1(ratings, categories=3, patients=ids)))
    return _frame(rows, ("finding", "subgroup", "readers", "measure", "n"))


def performance(table: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """Sensitivity and specificity of each reader alone, of the model, and of each reader with the model.

    All three are counted on the samples that the reader has finished and that have a reference label, so that they can be
    compared. An answer of "unsure" counts as a call of the finding: such a case is worked up.

    Args:
        table: Of `review.answers`, of all readers.
        by: An attribute, for each of its subgroups as well.

    Returns:
        ``finding, subgroup, reader, who`` (alone, model, with model), ``metric, n, n_unsure`` and the fields of `Estimate`.

    Raises:
        ReviewError: The attribute is unknown.
    """
    rows = []
    for finding, subgroup, part in _parts(_labelled(table), by):
        for reader, own in part.groupby("reader", sort=True):
            target, patients = own["target"].to_numpy(np.int64), own["patient_id"].tolist()
            for who, called, unsure in (
                ("alone", _calls(own["first_presence"]), own["first_presence"]),
                (MODEL, own["decision"].to_numpy(bool), None),
                ("with model", _calls(own["final_presence"]), own["final_presence"]),
            ):
                n_unsure = 0 if unsure is None else int((unsure == Presence.UNSURE.value).sum())
                found = rates(target, called, patients=patients)
                for metric in ("sensitivity", "specificity"):
                    n = int((target == (metric == "sensitivity")).sum())
                    rows.append((finding, subgroup, reader, who, metric, n, n_unsure, found[metric]))
    return _frame(rows, ("finding", "subgroup", "reader", "who", "metric", "n", "n_unsure"))


AUTOMATION = {
    "switched_to_model": "of answers unlike the model's, those that became like it",
    "switched_from_model": "of answers like the model's, those that became unlike it",
    "misled": "of right answers where the model was wrong, those that became wrong: automation bias",
    "corrected": "of wrong answers where the model was right, those that became right",
}
"""What each share of `automation` counts."""


def automation(table: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """How the model moves readers: where it should, and where it should not.

    Args:
        table: Of `review.answers`, of all readers.
        by: An attribute, for each of its subgroups as well.

    Returns:
        ``finding, subgroup, reader`` (or all), ``measure`` (of `AUTOMATION`), ``n`` (answers that could have moved) and the
        fields of `Estimate`, Wilson's interval with patients as clusters. ``misled`` and ``corrected`` need a reference label.

    Raises:
        ReviewError: The attribute is unknown.
    """
    rows = []
    for finding, subgroup, part in _parts(_finished(table), by):
        readers = sorted(part["reader"].unique())
        for reader, own in [(name, part.loc[part["reader"] == name]) for name in readers] + [(ALL, part)]:
            for measure, (moved, could) in _moves(own).items():
                patients = own["patient_id"].to_numpy(object)[could].tolist()
                rows.append((finding, subgroup, reader, measure, int(could.sum()), share(moved[could], patients)))
    return _frame(rows, ("finding", "subgroup", "reader", "measure", "n"))


@dataclass(frozen=True, slots=True, eq=False)
class StudyResult:
    """A reader study of one finding.

    Attributes:
        finding: The finding.
        readers: Who read every one of its cases.
        n: Cases: samples with a reference label that all of these have finished.
        n_pos: Of them with the finding.
        study: Readers alone (first) and with the model (second); None where it cannot be made.
        note: Why not; or "".
    """

    finding: str
    readers: tuple[str, ...]
    n: int
    n_pos: int
    study: ReaderStudy | None
    note: str


def reader_studies(table: pd.DataFrame) -> tuple[StudyResult, ...]:
    """Whether readers rank cases better with the model than alone, for other readers and other cases than these.

    The score of an answer goes from 0 (surely absent) over 50 (unsure) to 100 (surely present). Cases are those that all
    readers of a finding have finished: who has read least decides how many there are.

    Args:
        table: Of `review.answers`, of all readers.
    """
    return tuple(_study(str(finding), part) for finding, part in _labelled(table).groupby("finding", sort=False))


def override_log(table: pd.DataFrame) -> pd.DataFrame:
    """Every second read that does not follow the model's call, or that adds to it, with what was said.

    Args:
        table: Of `review.answers`.
    """
    kept = table["verdict"].isin([Verdict.REJECT.value, Verdict.SUPPLEMENT.value, Verdict.UNSURE.value])
    names = [
        *("sample_id", "finding", "reader", "verdict", "decision", "prob_cal", "first_presence", "final_presence"),
        *("final_confidence", "comment", "marks", "adjudicated", "target"),
    ]
    return table.loc[kept, names].reset_index(drop=True)


def share(success: NDArray[np.bool_], patients: Sequence[str]) -> Estimate:
    """A share of rows with Wilson's interval, patients as clusters; ``not_estimable`` below 10 patients."""
    if not success.size:
        return not_estimable("n=0")
    # It is a sensitivity among rows all of which are positive.
    found = rates(np.ones(success.size), success, patients=list(patients))["sensitivity"]
    return replace(found, note=found.note.replace("n_pos", "n"))


def _study(finding: str, part: pd.DataFrame) -> StudyResult:
    first, _ = _matrix(part, "first_score", np.nan)
    final, patients = _matrix(part, "final_score", np.nan)
    whole = (first.notna() & final.notna()).to_numpy().all(axis=0)
    target = part.drop_duplicates("sample_id").set_index("sample_id")["target"].reindex(first.columns).to_numpy(np.int64)[whole]
    readers, n, n_pos = tuple(str(name) for name in first.index), int(whole.sum()), int(target.sum())
    scores = np.stack([first.to_numpy(np.float64)[:, whole], final.to_numpy(np.float64)[:, whole]])
    if min(n_pos, n - n_pos) < 10:
        note = f"{n} cases that all {len(readers)} readers finished, {n_pos} with the finding; at least 10 of each are needed"
        return StudyResult(finding, readers, n, n_pos, None, note)
    try:
        study = reader_study(target, scores, patients=patients[whole].tolist())
    except MetricError as error:
        return StudyResult(finding, readers, n, n_pos, None, str(error))
    return StudyResult(finding, readers, n, n_pos, study, "")


def _moves(own: pd.DataFrame) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which answers moved, among which that could have."""
    model, first, final = own["decision"].to_numpy(bool), _calls(own["first_presence"]), _calls(own["final_presence"])
    target = pd.to_numeric(own["target"], errors="coerce").to_numpy(np.float64)
    known, truth = np.isin(target, (0, 1)), target == 1
    return {
        "switched_to_model": (final == model, first != model),
        "switched_from_model": (final != model, first == model),
        "misled": (final != truth, known & (first == truth) & (model != truth)),
        "corrected": (final == truth, known & (first != truth) & (model == truth)),
    }


def _finished(table: pd.DataFrame) -> pd.DataFrame:
    return table.loc[(table["state"] == ReadingState.DONE.value) & table["decision"].notna() & table["final_presence"].notna()]


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    finished = _finished(table)
    return finished.loc[pd.to_numeric(finished["target"], errors="coerce").isin([0, 1])]


def _calls(presence: pd.Series) -> NDArray[np.bool_]:
    return (presence != Presence.ABSENT.value).to_numpy(bool)


def _parts(table: pd.DataFrame, by: str | None) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each finding as a whole, then each of its subgroups."""
    if by is not None and by not in table.columns:
        raise ReviewError(f"{by!r} is not an attribute of this run, so there are no subgroups by it.")
    for finding, part in table.groupby("finding", sort=False):
        yield str(finding), ALL, part
        if by is not None:
            groups = part[by].astype("string").fillna(MISSING)
            for subgroup in sorted(groups.unique()):
                yield str(finding), f"{by}={subgroup}", part.loc[groups == subgroup]


def _matrix(part: pd.DataFrame, column: str, blank: float) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Readers by samples, and the patient of each sample."""
    matrix = part.pivot(index="reader", columns="sample_id", values=column)
    patients = part.drop_duplicates("sample_id").set_index("sample_id")["patient_id"].reindex(matrix.columns)
    return matrix.fillna(blank), patients.to_numpy(object)


def _frame(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> pd.DataFrame:
    """Rows that end in an `Estimate`, with its fields as columns."""
    flat = []
    for *facts, found in rows:
        assert isinstance(found, Estimate)
        flat.append((*facts, *(getattr(found, name) for name in _ESTIMATE)))
    return pd.DataFrame.from_records(flat, columns=[*names, *_ESTIMATE])
