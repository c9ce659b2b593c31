"""The difference of the AUROCs of one score in two groups."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from medclassify.errors import MetricError
from medclassify.metrics.auroc import covariance_of, without_variance
from medclassify.metrics.bootstrap import RESAMPLES, replicate
from medclassify.metrics.cells import cell_status, not_estimable
from medclassify.metrics.checks import Patients, ScoredSamples, check_level, patient_codes, scored, shared_patients
from medclassify.metrics.gap import Gap, bootstrap_gap, gap_without_variance, joint_status
from medclassify.metrics.proportions import t_quantile
from medclassify.metrics.ranks import placements
from medclassify.metrics.weighted import WeightedAuroc
from medclassify.records import Estimate, Status


def delong_unpaired(
    y1: ArrayLike,
    score1: ArrayLike,
    y2: ArrayLike,
    score2: ArrayLike,
    *,
    patients1: Patients = None,
    patients2: Patients = None,
    level: float = 0.95,
) -> Gap:
    """Compares the AUROCs of two groups that share no patient: t with Welch's degrees of freedom.

    The variances are DeLong's, or Obuchowski's where a patient repeats within a group.

    Returns:
        AUROC of the first group minus AUROC of the second.

    Raises:
        MetricError: The input cannot be scored, or a patient is in both groups (use ``auroc_gap``).
    """
    groups = scored(y1, score1, patients1), scored(y2, score2, patients2)
    shared = shared_patients(patients1, patients2)
    if shared:
        raise MetricError(f"{shared} patients are in both groups, which are therefore not independent. Use auroc_gap.")
    return _unpaired(groups, check_level(level))


def auroc_gap(
    y1: ArrayLike,
    score1: ArrayLike,
    y2: ArrayLike,
    score2: ArrayLike,
    *,
    patients1: Patients = None,
    patients2: Patients = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    replicates: NDArray[np.float64] | None = None,
) -> Gap:
    """Compares the AUROCs of two groups, whether or not they share patients.

    No shared patient: ``delong_unpaired``. Else (a patient with a PA and an AP view, say) patients are resampled from
    both groups together, and p is twice the smaller share of resamples on one side of 0.

    Args:
        y1: (n1,) of 0 and 1, first group.
        score1: float64 or integer (n1,).
        y2: (n2,) of 0 and 1, second group.
        score2: float64 or integer (n2,).
        patients1: (n1,) ids; an id that stands in both groups is the same person.
        patients2: (n2,) ids.
        level: Confidence level.
        resamples: How many resamples, where it needs any.
        seed: Seed of the resampling.
        replicates: float64 (B,), the difference on resamples of patients, where they are at hand; none are drawn then.

    Raises:
        MetricError: The input cannot be scored.
    """
    groups = scored(y1, score1, patients1), scored(y2, score2, patients2)
    check_level(level)
    if patients1 is None or patients2 is None or not shared_patients(patients1, patients2):
        return _unpaired(groups, level)
    status, note = joint_status(*map(cell_status, groups))
    if status is Status.NOT_ESTIMABLE:
        return Gap(not_estimable(note), None)
    areas = tuple(placements(group.positive, group.score).auroc for group in groups)
    if replicates is None:
        replicates = _drawn(groups, [*patients1, *patients2], resamples, seed)
    return bootstrap_gap(areas[0] - areas[1], replicates, level, status, note) or gap_without_variance(
        areas, groups, level, status, note
    )


def _drawn(groups: tuple[ScoredSamples, ScoredSamples], patients: list[Any], resamples: int, seed: int) -> NDArray[np.float64]:
    codes, n_patients = patient_codes(patients)
    statistics = [
        WeightedAuroc(group.positive, group.score, part)
        for group, part in zip(groups, np.split(codes, [groups[0].positive.size]), strict=True)
    ]
    first, second = replicate(statistics, n_patients, resamples=resamples, seed=seed)
    return first - second


def _unpaired(groups: tuple[ScoredSamples, ScoredSamples], level: float) -> Gap:
    status, note = joint_status(*map(cell_status, groups))
    if status is Status.NOT_ESTIMABLE:
        return Gap(not_estimable(note), None)
    curves = [placements(group.positive, group.score) for group in groups]
    variances = [float(covariance_of([curve], group)[0, 0]) for curve, group in zip(curves, groups, strict=True)]
    areas = curves[0].auroc, curves[1].auroc
    if any(without_variance(area, variance) for area, variance in zip(areas, variances, strict=True)):
        return gap_without_variance(areas, groups, level, status, note, variances)
    gap, variance = areas[0] - areas[1], sum(variances)
    df = variance**2 / sum(each**2 / (group.n_patients - 1) for each, group in zip(variances, groups, strict=True))
    t, half = gap / variance**0.5, t_quantile(level, df) * variance**0.5
    method = "DeLong unpaired" if all(group.patients is None for group in groups) else "Obuchowski unpaired"
    p = float(2 * special.stdtr(df, -abs(t)))
    return Gap(Estimate(gap, gap - half, gap + half, method, status, note), p, t, df)
