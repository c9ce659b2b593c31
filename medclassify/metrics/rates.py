"""Rates of a decision: how often it is right, and how often wrong, with Wilson intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError
from medclassify.metrics.cells import MIN_DENOMINATOR, not_estimable, status_of
from medclassify.metrics.checks import Patients, check_binary, check_level, check_patients
from medclassify.metrics.proportions import Proportion, normal_quantile, proportion, wilson
from medclassify.records import Estimate, Status

RATES = ("sensitivity", "specificity", "ppv", "npv", "fnr", "fpr")


def rates(
    y: ArrayLike,
    decision: ArrayLike,
    *,
    patients: Patients = None,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Sensitivity, specificity, PPV, NPV, FNR and FPR of a yes-or-no decision.

    Intervals are Wilson's; where a patient has more than one image, of the effective number of images (``Wilson
    n_eff``, see ``proportions.proportion``).

    Args:
        y: (n,) of 0 and 1.
        decision: (n,) of 0 and 1: what was called, at a threshold that was frozen before.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        An estimate for each of ``RATES``; ``not_estimable`` where the denominator is below 10 (patients are counted
        where they repeat), ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.

    Example:
        >>> rates([1] * 40 + [0] * 60, [1] * 36 + [0] * 64)["sensitivity"].value
        0.9
    """
    check_level(level)
    table = confusion(y, decision, patients)
    return {rate: _rate(table, rate, level) for rate in RATES}


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """What each rate counts (``success``) among which rows (``within``), bool (n,) by rate; the patients' codes."""

    success: dict[str, NDArray[np.bool_]]
    within: dict[str, NDArray[np.bool_]]
    codes: NDArray[np.intp] | None

    def proportion(self, rate: str, level: float) -> Proportion:
        """The share of a rate; one of no rows where its denominator is 0."""
        rows = self.within[rate]
        if not rows.any():
            return Proportion(0.0, 0, 0, 0.0)
        return proportion(self.success[rate][rows], None if self.codes is None else self.codes[rows], level)


def confusion(y: ArrayLike, decision: ArrayLike, patients: Patients) -> Confusion:
    """Checks labels and decisions, and sorts them into rates."""
    positive, called = check_binary(y, "y"), check_binary(decision, "decision")
    if called.size != positive.size:
        raise MetricError(f"decision must have one value a label: expected {positive.size}, received {called.size}.")
    codes, _ = check_patients(patients, positive.size)
    of_positive, of_negative = {"sensitivity": called, "fnr": ~called}, {"specificity": ~called, "fpr": called}
    return Confusion(
        of_positive | of_negative | {"ppv": positive, "npv": ~positive},
        dict.fromkeys(of_positive, positive) | dict.fromkeys(of_negative, ~positive) | {"ppv": called, "npv": ~called},
        codes,
    )


def denominator_status(rate: str, found: Proportion) -> tuple[Status, str]:
    """Whether a rate may be read, and its denominator in words: ``n_pos=7``, ``called_positive=12 of 5 patients``."""
    status = status_of(found.units, MIN_DENOMINATOR)
    if status is Status.OK:
        return status, ""
    name = {"ppv": "called_positive", "npv": "called_negative", "specificity": "n_neg", "fpr": "n_neg"}.get(rate, "n_pos")
    return status, f"{name}={found.n} of {found.units} patients" if found.clustered else f"{name}={found.n}"


def _rate(table: Confusion, rate: str, level: float) -> Estimate:
    found = table.proportion(rate, level)
    status, note = denominator_status(rate, found)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    low, high = wilson(found.share, found.effective_n, normal_quantile(level))
    return Estimate(found.share, low, high, "Wilson n_eff" if found.clustered else "Wilson", status, note)
