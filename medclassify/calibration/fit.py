"""Chooses and fits a calibrator on the calibrate split."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from medclassify.calibration.beta import fit_beta
from medclassify.calibration.calibrator import Calibrator, FindingMap, Method
from medclassify.calibration.isotonic import Knots, fit_isotonic
from medclassify.calibration.platt import fit_platt, soft_targets
from medclassify.calibration.raw import Task, check_task
from medclassify.calibration.temperature import at_limit, fit_sigmoid_temperature, fit_softmax_temperature
from medclassify.errors import CalibrationError
from medclassify.records import LogitTable, Split

MIN_PLATT = 50
"""Positives (and negatives) below which ``auto`` fits one number in place of two."""
MIN_ISOTONIC = 1000
"""Positives (and negatives) below which a curve without a form follows noise."""
MIN_FIT = 5
"""Positives (and negatives) below which nothing is fitted."""
Choice = Literal["auto", "temperature", "platt", "beta", "isotonic", "none"]


def fit_calibrator(
    logits: LogitTable,
    targets: NDArray[np.float64],
    mask: NDArray[np.bool_],
    *,
    task: Task,
    method: Choice = "auto",
    split: Split = Split.CALIBRATE,
) -> Calibrator:
    """Fits a calibrator.

    Multi-label, each finding by itself. ``auto``: Platt scaling; a temperature where there are fewer than 50 positives
    (or negatives); nothing, loudly, where there are fewer than 5. Where Platt's slope is not above 0 (the logit ranks
    backwards) a temperature is tried, and where that runs into its limit the finding is left uncalibrated, loudly.
    ``beta`` and ``isotonic`` are refused, loudly, for a finding with fewer than 50 or 1000 positives (or negatives), which then
    gets what ``auto`` gives. Multi-class: one temperature.

    Args:
        logits: float64 (N, K), of the calibrate split's samples.
        targets: float64 (N, K) of 0 and 1 wherever ``mask`` is True.
        mask: bool (N, K), True where there is a label; masked labels never enter.
        task: ``multilabel`` or ``multiclass``.
        method: ``auto``, ``temperature``, ``none``, or for multi-label alone ``platt``, ``beta`` or ``isotonic``.
        split: Where the samples are from.

    Returns:
        A calibrator whose ``notes`` say what was done for each finding, and whose ``warnings`` say what was not.

    Raises:
        CalibrationError: The arrays do not fit each other, or the method is not for this task, or the split is test.
    """
    if method not in get_args(Choice):
        allowed = ", ".join(map(repr, get_args(Choice)[:-1]))
        raise CalibrationError(f"method must be {allowed} or 'none'; received {method!r}.")
    targets, mask = check_targets(logits.logits.shape, targets, mask, logits.findings)
    if check_task(task) == "multiclass":
        return Calibrator(task, split, logits.model_fingerprint, _fit_multiclass(logits, targets, mask, method))
    maps = []
    for column, finding in enumerate(logits.findings):
        rows = mask[:, column]
        positive = targets[rows, column] == 1
        fitted = _fit_finding(logits.logits[rows, column], positive, method)
        n_pos, n_masked = int(np.count_nonzero(positive)), int(np.count_nonzero(~rows))
        maps.append(_map(finding, fitted, n_pos, positive.size - n_pos, n_masked))
    return Calibrator(task, split, logits.model_fingerprint, tuple(maps))


def check_targets(
    shape: tuple[int, ...], targets: NDArray[np.float64], mask: NDArray[np.bool_], findings: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns targets and mask as float64 and bool (N, K).

    Raises:
        CalibrationError: A shape differs, or an unmasked target is neither 0 nor 1.
    """
    targets, known = np.asarray(targets, np.float64), np.asarray(mask).astype(bool)
    for name, array in (("targets", targets), ("mask", known)):
        if array.shape != shape:
            raise CalibrationError(
                f"{name} must have a row for each sample and a column for each finding: expected {shape}, "
                f"received {array.shape}."
            )
    strange = known & (targets != 0) & (targets != 1)
    if strange.any():
        row, column = np.argwhere(strange)[0]
        raise CalibrationError(
            f"targets must be 0 or 1 where mask is True; received {int(strange.sum())} other values "
            f"(first: {targets[row, column]:g} for {findings[column]} at row {row}). Mask what is not labelled."
        )
    return targets, known


class _Fitted(NamedTuple):
    """What a ``FindingMap`` says about the fit itself."""

    method: Method
    slope: float
    intercept: float
    note: str
    fallback: bool = False
    slope_above: float | None = None
    knots: Knots = ()


def _fit_finding(logit: NDArray[np.float64], positive: NDArray[np.bool_], method: Choice) -> _Fitted:
    """What was asked for where the finding is eligible, else what ``auto`` gives, loudly."""
    if method not in ("beta", "isotonic"):
        return _fit_scaling(logit, positive, method)
    n_pos = int(np.count_nonzero(positive))
    fewest, least = min(n_pos, positive.size - n_pos), MIN_PLATT if method == "beta" else MIN_ISOTONIC
    counts = f"{n_pos} positives and {positive.size - n_pos} negatives"
    refused = f"{method} refused: {counts}, at least {least} of each are needed"
    if fewest >= least and np.ptp(logit) > 0:
        fitted = _fit_beta(logit, positive, counts) if method == "beta" else _fit_steps(logit, positive, counts)
        if fitted:
            return fitted
        refused = f"{method} refused: the logit ranks backwards"
    instead = _fit_scaling(logit, positive, "auto")
    return instead._replace(note=f"{refused}; {instead.note}", fallback=True)


def _fit_beta(logit: NDArray[np.float64], positive: NDArray[np.bool_], counts: str) -> _Fitted | None:
    below, above, intercept = fit_beta(logit, positive)
    if max(below, above) <= 1e-6:
        return None
    note = f"beta slopes {below:.3g} and {above:.3g}, intercept {intercept:.3g}, on {counts}"
    flat = "; flat on one side: ties there" if min(below, above) <= 0 else ""
    return _Fitted("beta", below, intercept, note + flat, slope_above=above)


def _fit_steps(logit: NDArray[np.float64], positive: NDArray[np.bool_], counts: str) -> _Fitted | None:
    knots = fit_isotonic(logit, positive)
    steps = len({p for _, p in knots})
    if steps < 2:
        return None
    note = f"isotonic, {steps} steps on {counts}; samples on one step tie, so the AUROC may differ a little from the logit's"
    return _Fitted("isotonic", 1.0, 0.0, note, knots=knots)


def _fit_scaling(logit: NDArray[np.float64], positive: NDArray[np.bool_], method: Choice) -> _Fitted:
    n_pos = int(np.count_nonzero(positive))
    fewest = min(n_pos, positive.size - n_pos)
    counts = f"{n_pos} positives and {positive.size - n_pos} negatives"
    if method == "none":
        return _Fitted("identity", 1.0, 0.0, "not calibrated, as asked")
    if fewest < MIN_FIT:
        return _uncalibrated(f"{counts}, at least {MIN_FIT} of each are needed")
    if np.ptp(logit) == 0:
        return _uncalibrated(f"the logit is {logit[0]:g} for all of {counts}")
    backwards = ""
    if method == "platt" or (method == "auto" and fewest >= MIN_PLATT):
        slope, intercept = fit_platt(logit, positive)
        if slope > 0:
            return _Fitted("platt", slope, intercept, f"Platt slope {slope:.3g}, intercept {intercept:.3g}, on {counts}")
        backwards = f"Platt's slope is {slope:.3g}: the logit ranks backwards; "
    temperature = fit_sigmoid_temperature(logit, positive)
    counted = ""
    if at_limit(temperature) and temperature < 1:
        soft = soft_targets(positive)
        temperature = fit_sigmoid_temperature(logit, soft)
        most, least = soft.max(), soft.min()
        counted = f"; the logits part the labels without error, which counts as {most:.3g} and {least:.3g}, not as 1 and 0"
    if at_limit(temperature):
        return _uncalibrated(f"{backwards}{_no_temperature(temperature)} on {counts}")
    why = f", too few for Platt's two numbers (< {MIN_PLATT})" if method == "auto" and not backwards else ""
    note = f"{backwards}temperature {temperature:.3g} on {counts}{why}{counted}"
    return _Fitted("temperature", 1 / temperature, 0.0, note, bool(backwards))


def _fit_classes(logits: NDArray[np.float64], classes: NDArray[np.float64], method: Choice) -> _Fitted:
    if method == "none":
        return _Fitted("identity", 1.0, 0.0, "not calibrated, as asked")
    if np.count_nonzero(classes.sum(axis=0) >= MIN_FIT) < 2:
        return _uncalibrated(f"at least two findings with {MIN_FIT} samples are needed")
    temperature = fit_softmax_temperature(logits, classes.argmax(axis=1))
    if at_limit(temperature):
        return _uncalibrated(_no_temperature(temperature))
    return _Fitted("temperature", 1 / temperature, 0.0, f"temperature {temperature:.3g}")


def _fit_multiclass(
    logits: LogitTable, targets: NDArray[np.float64], mask: NDArray[np.bool_], method: Choice
) -> tuple[FindingMap, ...]:
    """One fit for all findings, on the samples whose label is complete."""
    if method in ("platt", "beta", "isotonic"):
        raise CalibrationError(f"method {method!r} is for multilabel; use 'temperature' or 'auto' for multiclass.")
    complete = mask.all(axis=1)
    classes = targets[complete]
    wrong = int(np.count_nonzero(classes.sum(axis=1) != 1))
    if wrong:
        raise CalibrationError(
            f"a multiclass sample must have exactly one finding; {wrong} have none or several. Use task multilabel."
        )
    fitted = _fit_classes(logits.logits[complete], classes, method)
    n, masked = len(classes), int(np.count_nonzero(~complete))
    maps = []
    for finding, count in zip(logits.findings, classes.sum(axis=0).astype(int).tolist(), strict=True):
        here = fitted._replace(note=f"{fitted.note}; {count} of {n} samples")
        maps.append(_map(finding, here, count, n - count, masked))
    return tuple(maps)


def _no_temperature(temperature: float) -> str:
    """What a temperature at the edge of the search says about the logits."""
    if temperature > 1:
        return f"even the highest temperature tried ({temperature:.3g}) leaves it too sure: the logits say next to nothing"
    return (
        f"even the lowest temperature tried ({temperature:.2g}) leaves it too unsure: the logits part the labels without error"
    )


def _uncalibrated(why: str) -> _Fitted:
    return _Fitted("identity", 1.0, 0.0, f"NOT CALIBRATED: {why}", fallback=True)


def _map(finding: str, fitted: _Fitted, n_pos: int, n_neg: int, n_masked: int) -> FindingMap:
    method, slope, intercept, note, fallback, above, knots = fitted
    return FindingMap(finding, method, slope, intercept, n_pos, n_neg, n_masked, note, fallback, above, knots)
