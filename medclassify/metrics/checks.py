"""Checks what a statistic is given, once, and brings it into one form: check, then format, then compute."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError

Patients = Collection[Any] | None
"""(n,) patient ids, strings or integers (a list, an array, a Series); None where every sample is another patient's."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSamples:
    """Checked input of a statistic on one finding.

    Attributes:
        positive: bool (n,), the finding is present.
        score: float64 (n,), finite; a logit, a probability, or any other ranking.
        patients: intp (n,), the patient of each sample as a code 0 … n_patients − 1; None where no patient repeats,
            so that the rows themselves are the independent units.
        n_patients: How many patients there are.
    """

    positive: NDArray[np.bool_]
    score: NDArray[np.float64]
    patients: NDArray[np.intp] | None
    n_patients: int

    @property
    def n_pos(self) -> int:
        return int(np.count_nonzero(self.positive))

    @property
    def n_neg(self) -> int:
        return self.positive.size - self.n_pos

    @property
    def codes(self) -> NDArray[np.intp]:
        """The patient of each sample; its own row number where no patient repeats."""
        return np.arange(self.positive.size) if self.patients is None else self.patients


def labelled(y: ArrayLike) -> NDArray[np.bool_]:
    """Tells which samples carry a label: 0 or 1, not −1 (uncertain) and not NaN (not labelled).

    Args:
        y: float, int or bool (n,): 1, 0, −1 or NaN.

    Returns:
        bool (n,): ``mask.sum()`` samples may be scored, ``(~mask).sum()`` are to be counted as masked.

    Raises:
        MetricError: A value is none of the four.
    """
    values = _one_axis(y, "y").astype(np.float64)
    known = (values == 0) | (values == 1)
    strange = ~(known | (values == -1) | np.isnan(values))
    if strange.any():
        raise MetricError(
            f"y may hold 1, 0, -1 or NaN; received {int(strange.sum())} other values (first: {values[strange][0]:g})."
        )
    return known


def scored(y: ArrayLike, score: ArrayLike, patients: Patients = None) -> ScoredSamples:
    """Checks labels, ranking scores and patients.

    Args:
        y: bool, int or float (n,) of 0 and 1 only; take out masked labels first (``labelled``).
        score: (n,), float64 or integer, finite.
        patients: (n,) ids, strings or integers, or None where every sample is another patient's.

    Raises:
        MetricError: An argument is of the wrong shape, type or range.
    """
    positive = check_binary(y, "y")
    codes, n_patients = check_patients(patients, positive.size)
    return ScoredSamples(positive, check_score(score, positive.size, "score"), codes, n_patients)


def predicted(y: ArrayLike, p: ArrayLike, patients: Patients = None) -> ScoredSamples:
    """As ``scored``, for probabilities: they must lie in [0, 1]."""
    samples = scored(y, p, patients)
    outside = (samples.score < 0) | (samples.score > 1)
    if outside.any():
        largest = samples.score[outside][np.abs(samples.score[outside]).argmax()]
        raise MetricError(
            f"p must lie in [0, 1]; received {int(outside.sum())} values outside (largest {largest:.3g}): "
            "these look like logits; calibrate them first."
        )
    return samples


def check_binary(y: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Returns bool (n,) from an array of 0 and 1."""
    values = _one_axis(y, name)
    if values.dtype == np.bool_:
        return values
    if values.dtype.kind not in "iuf":
        raise MetricError(f"{name} must hold 0 and 1; received an array of type {values.dtype}.")
    strange = (values != 0) & (values != 1)
    if strange.any():
        raise MetricError(
            f"{name} must hold 0 and 1 only; received {int(strange.sum())} other values (first: {values[strange][0]:g}). "
            "Leave samples without a label out: labelled(y) tells which."
        )
    return values.astype(np.bool_)


def check_score(score: ArrayLike, n: int, name: str) -> NDArray[np.float64]:
    """Returns float64 (n,), finite. float32 is refused: rounding makes ties, and ties move an AUROC."""
    values = _one_axis(score, name)
    if values.dtype.kind not in "biuf":
        raise MetricError(f"{name} must be numeric; received an array of type {values.dtype}.")
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        raise MetricError(
            f"{name} must be float64 (fewer bits make ties); received {values.dtype}. Compute and save logits in float64."
        )
    if values.size != n:
        raise MetricError(f"{name} must have one value a label: expected {n}, received {values.size}.")
    values = values.astype(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        raise MetricError(
            f"{name} must be finite; received {int(bad.sum())} NaN or infinite values (first at row {int(bad.argmax())}). "
            "Score these samples again or leave them out."
        )
    return values


def check_patients(patients: Patients, n: int) -> tuple[NDArray[np.intp] | None, int]:
    """Numbers the patients.

    Returns:
        The code of each sample's patient (None where no patient repeats), and the number of patients.
    """
    if patients is None:
        return None, n
    codes, n_patients = patient_codes(patients)
    if codes.size != n:
        raise MetricError(f"patients must have one id a sample: expected {n}, received {codes.size}.")
    return (None if n_patients == n else codes), n_patients


def patient_codes(patients: Collection[Any]) -> tuple[NDArray[np.intp], int]:
    """Numbers patient ids 0, 1, …; a missing id is refused, for it would make strangers one patient.

    Args:
        patients: (n,) strings or integers.

    Returns:
        intp (n,) codes and the number of patients.
    """
    if isinstance(patients, np.ndarray) and patients.dtype.kind in "iu" and patients.ndim == 1:
        found, codes = np.unique(patients, return_inverse=True)
        return codes.astype(np.intp), found.size
    numbers: dict[Hashable, int] = {}
    ids = list(patients)  # not an array: that would turn a missing id among strings into the string "nan"
    for row, each in enumerate(ids):
        if not isinstance(each, (str, int, np.integer)) or each == "":
            raise MetricError(
                f"patients must be non-empty strings or integers; received {each!r} at row {row}. "
                "Give a sample of an unknown patient an id of its own."
            )
        numbers.setdefault(each, len(numbers))
    return np.fromiter((numbers[each] for each in ids), np.intp, len(ids)), len(numbers)


def shared_patients(patients1: Patients, patients2: Patients) -> int:
    """How many patients are in both groups; 0 where one of the groups is given without ids."""
    if patients1 is None or patients2 is None:
        return 0
    if all(isinstance(ids, np.ndarray) and ids.dtype.kind in "iu" for ids in (patients1, patients2)):
        return np.unique(np.asarray(patients1)[np.isin(np.asarray(patients1), np.asarray(patients2))]).size
    return len(set(patients1) & set(patients2))


def distinct(codes: NDArray[np.intp]) -> int:
    """How many patients stand behind some rows."""
    return int(np.count_nonzero(np.bincount(codes)))


def check_level(level: float) -> float:
    """Returns the confidence level."""
    if not 0 < level < 1:
        raise MetricError(f"level must lie between 0 and 1 (0.95 for a 95 % interval); received {level}.")
    return level


def check_count(value: int, least: int, name: str) -> int:
    """Returns a count such as ``bins`` or ``resamples``."""
    if value < least:
        raise MetricError(f"{name} must be at least {least}; received {value}.")
    return value


def _one_axis(values: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise MetricError(f"{name} must have one axis (n,); received shape {array.shape}.")
    return array
