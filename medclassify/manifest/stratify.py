"""Dividing patients so that every split looks alike."""

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-9


def stratify(labels: NDArray[np.bool_], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Multi-label stratification.

    Patients with the very same set of labels are first dealt out in whole shares. What is left over, less than one patient a
    set and split, is placed by iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, ECML PKDD, algorithm 1): the
    rarest label first, each of its patients to the split that lacks most of it. Deals of whole shares leave every split's
    need for each label what algorithm 1 would want it to be, and make a large dataset as quick as a small one.

    Args:
        labels: bool (P, L): which labels each patient has. The order of the patients decides ties: shuffle it by the seed.
        shares: float64 (S,), positive, adding up to 1.

    Returns:
        int64 (P,): the split of each patient, 0 to S − 1.
    """
    splits = _deal_whole_shares(labels, shares)
    placed = splits >= 0
    in_split = np.stack([placed & (splits == split) for split in range(len(shares))])
    need = shares[:, None] * labels.sum(axis=0) - in_split.astype(np.float64) @ labels
    need_patients = shares * len(labels) - in_split.sum(axis=1)
    _place_rarest_first(labels, splits, need, need_patients)
    _fill_empty(splits, shares)
    return splits


def _deal_whole_shares(labels: NDArray[np.bool_], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of n patients with one label set, floor(n · share) go to each split; the others get −1."""
    packed = np.packbits(labels, axis=1) if labels.shape[1] else np.zeros((len(labels), 1), np.uint8)
    _, label_set, size = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    label_set = label_set.reshape(-1)
    order = np.argsort(label_set, kind="stable")
    starts = np.cumsum(size) - size
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(starts, size)
    ends = np.cumsum(np.floor(size[:, None] * shares + _EPSILON), axis=1)
    splits = (rank[:, None] >= ends[label_set]).sum(axis=1)
    return np.where(splits == len(shares), -1, splits)


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
