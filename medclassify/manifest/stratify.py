"""Dividing patients so that every split looks alike."""

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-9


def stratify(labels: NDArray[np.bool_], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Multi-label stratification.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, ECML PKDD, algorithm 1): the rarest label first, each of its
    patients to the split that lacks most of it, and of several such splits to the one that lacks most patients.

    Args:
        labels: bool (P, L): which labels each patient has. The order of the patients decides ties: shuffle it by the seed.
        shares: float64 (S,), positive, adding up to 1.

    Returns:
        int64 (P,): the split of each patient, 0 to S − 1.
    """
    splits = np.full(len(labels), -1, np.int64)
    need, need_patients = shares[:, None] * labels.sum(axis=0), shares * len(labels)
    _place_rarest_first(labels, splits, need, need_patients)
    _fill_empty(splits, shares)
    return splits


def _place_rarest_first(
    labels: NDArray[np.bool_], splits: NDArray[np.int64], need: NDArray[np.float64], need_patients: NDArray[np.float64]
) -> None:
    """Fills ``splits`` where it is −1. ``need`` (S, L) and ``need_patients`` (S,) are what each split still lacks."""
    left = np.flatnonzero(splits < 0)
    while left.size:
        remaining = labels[left].sum(axis=0)
        rarest = int(np.argmin(np.where(remaining > 0, remaining, np.iinfo(np.int64).max))) if remaining.any() else None
        now = left if rarest is None else left[labels[left, rarest]]
        for patient in now:
            wanted = need_patients if rarest is None else need[:, rarest]
            best = np.flatnonzero(wanted >= wanted.max() - _EPSILON)
            split = int(best[np.argmax(need_patients[best])])
            splits[patient] = split
            need[split] -= labels[patient]
            need_patients[split] -= 1
        left = left[splits[left] < 0]


def _fill_empty(splits: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    """Gives a split that got nobody one patient of the split with most to spare (a handful of patients only)."""
    counts = np.bincount(splits, minlength=len(shares))
    for empty in np.flatnonzero(counts == 0):
        giver = int(np.argmax(np.where(counts > 1, counts - shares * len(splits), -np.inf)))
        if counts[giver] > 1:
            splits[np.flatnonzero(splits == giver)[-1]] = empty
            counts = np.bincount(splits, minlength=len(shares))
