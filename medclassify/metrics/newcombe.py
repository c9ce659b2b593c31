"""Differences of rates between two groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from medclassify.metrics.bootstrap import RESAMPLES, replicate_ratios
from medclassify.metrics.cells import not_estimable
from medclassify.metrics.checks import Patients, check_level, patient_codes, shared_patients
from medclassify.metrics.gap import Gap, bootstrap_gap, joint_status, mover
from medclassify.metrics.proportions import normal_quantile, wilson
from medclassify.metrics.rates import RATES, Confusion, confusion, denominator_status
from medclassify.records import Estimate, Status


def rate_gaps(
    y1: ArrayLike,
    decision1: ArrayLike,
    y2: ArrayLike,
    decision2: ArrayLike,
    *,
    patients1: Patients = None,
    patients2: Patients = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    replicates: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, Gap]:
    """Compares every rate of ``rates`` between two groups, first minus second.

    No shared patient: Newcombe's interval from the two Wilson intervals (of effective numbers where patients repeat),
    and the p at which that interval touches 0. Else patients are resampled from both groups together.

    Args:
        y1: (n1,) of 0 and 1, first group.
        decision1: (n1,) of 0 and 1.
        y2: (n2,) of 0 and 1, second group.
        decision2: (n2,) of 0 and 1.
        patients1: (n1,) ids; an id that stands in both groups is the same person.
        patients2: (n2,) ids.
        level: Confidence level.
        resamples: How many resamples, where it needs any.
        seed: Seed of the resampling.
        replicates: Rate → float64 (B,), its difference on resamples of patients, where they are at hand; none are drawn then,
            and only these rates are compared where groups share patients.

    Returns:
        A gap for each of ``RATES``; ``not_estimable`` where a denominator is below 10.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Newcombe, Statistics in Medicine 17:873 (1998), method 10.
    """
    check_level(level)
    tables = confusion(y1, decision1, patients1), confusion(y2, decision2, patients2)
    gaps = {rate: _newcombe(rate, tables, level) for rate in RATES}
    if patients1 is not None and patients2 is not None and shared_patients(patients1, patients2):
        drawn = replicates or _replicates(tables, [*patients1, *patients2], resamples, seed)
        return {rate: _bootstrapped(gaps[rate], drawn[rate], level) for rate in drawn}
    return gaps


def newcombe_interval(share1: float, n1: float, share2: float, n2: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of ``share1 − share2`` from the Wilson intervals of two independent shares."""
    return _interval(share1, n1, share2, n2, normal_quantile(level))


def _interval(share1: float, n1: float, share2: float, n2: float, z: float) -> tuple[float, float]:
    return mover((share1, *wilson(share1, n1, z)), (share2, *wilson(share2, n2, z)))


def _newcombe(rate: str, tables: tuple[Confusion, Confusion], level: float) -> Gap:
    first, second = (table.proportion(rate, level) for table in tables)
    status, note = joint_status(denominator_status(rate, first), denominator_status(rate, second))
    if status is Status.NOT_ESTIMABLE:
        return Gap(not_estimable(note), None)
    shares = first.share, first.effective_n, second.share, second.effective_n
    gap = first.share - second.share
    low, high = _interval(*shares, normal_quantile(level))
    method = "Newcombe n_eff" if first.clustered or second.clustered else "Newcombe"
    return Gap(Estimate(gap, low, high, method, status, note), _p(gap, shares))


def _bootstrapped(independent: Gap, replicates: NDArray[np.float64], level: float) -> Gap:
    """Puts the interval of shared patients in place of the one that takes the groups for independent."""
    found = independent.estimate
    if found.value is None:
        return independent
    return bootstrap_gap(found.value, replicates, level, found.status, found.note) or independent


def _p(gap: float, shares: tuple[float, float, float, float]) -> float:
    """The two-sided p whose interval just touches 0, so that test and interval never disagree."""
    if gap == 0:
        return 1.0
    side = 0 if gap > 0 else 1

    def limit(z: float) -> float:
        return _interval(*shares, z)[side]

    furthest = 38.0  # beyond it the normal tail is 0 in float64
    if limit(furthest) * np.sign(gap) > 0:
        return 0.0
    touching = optimize.root_scalar(limit, bracket=(1e-9, furthest)).root
    return float(2 * special.ndtr(-touching))


def _replicates(
    tables: tuple[Confusion, Confusion], patients: list[Any], resamples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    codes, n_patients = patient_codes(patients)
    parts = np.split(codes, [tables[0].success[RATES[0]].size])
    within = [
        (part, table.within[rate], table.success[rate]) for table, part in zip(tables, parts, strict=True) for rate in RATES
    ]
    counted = np.stack([np.bincount(part[rows & success], minlength=n_patients) for part, rows, success in within], axis=1)
    among = np.stack([np.bincount(part[rows], minlength=n_patients) for part, rows, _ in within], axis=1)
    drawn = replicate_ratios(counted.astype(np.float64), among.astype(np.float64), resamples=resamples, seed=seed)
    return dict(zip(RATES, drawn[: len(RATES)] - drawn[len(RATES) :], strict=True))
