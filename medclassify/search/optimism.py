"""How much the best of many trials flatters itself: it was chosen by the images that it is judged on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medclassify.metrics import WeightedAuroc, draw_patients

RESAMPLES = 500


def corrected_auroc(
    logits: Sequence[NDArray[np.float64]],
    targets: NDArray[np.float64],
    mask: NDArray[np.bool_],
    patients: NDArray[np.intp],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> float | None:
    """The macro AUROC to expect of the best of several trials on other patients.

    In each resample of patients the best trial is chosen by those who were drawn and judged by those who were not; the mean
    of these judgements is the estimate (Tsamardinos, Greasidou & Borboudakis 2018, Machine Learning 107:1895–1922, "bootstrap
    bias corrected" selection, BBC).

    Args:
        logits: One (N, K) a trial, on the same samples.
        targets: (N, K) of 0 and 1 where ``mask`` is True.
        mask: bool (N, K).
        patients: intp (N,), codes 0 to P − 1.
        seed: Of the resamples.
        resamples: How many.

    Returns:
        The mean over resamples in which both groups have both classes of a finding; None where no resample has.
    """
    kernels = [_kernels(trial, targets, mask, patients) for trial in logits]
    count = int(patients.max()) + 1 if len(patients) else 0
    if not kernels or not kernels[0]:
        return None
    judged: list[float] = []
    for drawn in draw_patients(count, resamples=resamples, seed=seed):
        chosen_by, judged_by = _macro(kernels, drawn), _macro(kernels, (drawn == 0).astype(np.uint16))
        usable = np.isfinite(chosen_by).all(axis=0) & np.isfinite(judged_by).all(axis=0)
        best = chosen_by[:, usable].argmax(axis=0)
        judged += judged_by[:, usable][best, np.arange(usable.sum())].tolist()
    return float(np.mean(judged)) if judged else None


def _kernels(
    logits: NDArray[np.float64], targets: NDArray[np.float64], mask: NDArray[np.bool_], patients: NDArray[np.intp]
) -> list[WeightedAuroc]:
    """One a finding that has both classes."""
    found = []
    for k, known in enumerate(mask.T):
        positive = targets[known, k] == 1
        if positive.any() and not positive.all():
            found.append(WeightedAuroc(positive, logits[known, k], patients[known]))
    return found


def _macro(kernels: Sequence[Sequence[WeightedAuroc]], counts: NDArray[np.uint16]) -> NDArray[np.float64]:
    """float64 (trials, resamples): the mean over findings that the resample left both classes; NaN where none."""
    scores = np.array([[kernel(counts) for kernel in trial] for trial in kernels])
    defined = np.isfinite(scores)
    total = np.where(defined, scores, 0).sum(axis=1)
    return np.divide(total, defined.sum(axis=1), out=np.full(total.shape, np.nan), where=defined.any(axis=1))
