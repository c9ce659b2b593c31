"""Conformal sets: which answers remain at a stated share of errors in each class, and which samples go to a person."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medclassify.calibration.calibrator import SCHEMA_VERSION, check_document, refuse_test
from medclassify.calibration.fit import check_targets
from medclassify.errors import CalibrationError
from medclassify.records import ConformalRule, ConformalSet, ProbabilityTable, Split

CURVE_ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Levels whose rules are kept beside the chosen one, for the curve of workload against missed findings."""
_LABELS = (ConformalSet.PRESENT, ConformalSet.ABSENT)


def fit_conformal(
    prob: ProbabilityTable,
    targets: NDArray[np.float64],
    mask: NDArray[np.bool_],
    patients: Sequence[str],
    *,
    alpha: float,
    split: Split = Split.CALIBRATE,
) -> tuple[ConformalRule, ...]:
    """Fits class-conditional split-conformal rules, each finding by itself.

    Of the n samples of a class, k = ⌈(n + 1)(1 − alpha)⌉ must keep their own label: ``present`` is kept down to the k-th
    highest probability of the positives, ``absent`` up to the k-th lowest of the negatives; where k > n, always. A new
    sample of that class then has its own label in its set with a probability of at least 1 − alpha.

    That holds between samples which could have come in any order. Images of one patient could not, so of each patient and
    class one image counts, drawn by a hash of its id: the promise is for an image of a new patient. The calibrator has
    seen these samples; its one to three numbers a finding change the order of none, and only the order counts here.

    Args:
        prob: Calibrated probabilities (N, K) of the calibrate split.
        targets: float64 (N, K) of 0 and 1 wherever ``mask`` is True.
        mask: bool (N, K), True where there is a label.
        patients: N patient ids.
        alpha: In (0, 1); 0.1 for sets that hold the truth nine times in ten, in each class.
        split: Where the samples are from.

    Returns:
        One a finding, in the order of the columns.

    Raises:
        CalibrationError: The arrays do not fit each other, alpha is out of range, or the split is test.

    Source:
        Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), chapter 4.5 (label-conditional); Dunn,
        Wasserman & Ramdas, JASA 118:2491 (2023), one draw a group.
    """
    refuse_test(split, "a conformal rule")
    if not 0 < alpha < 1:
        raise CalibrationError(f"alpha must lie between 0 and 1 (0.1 for one error in ten), received {alpha}.")
    if len(patients) != len(prob.sample_ids):
        raise CalibrationError(
            f"patients must have one id a sample: expected {len(prob.sample_ids)}, received {len(patients)}."
        )
    targets, mask = check_targets(prob.probabilities.shape, targets, mask, prob.findings)
    drawn = _drawing_order(prob.sample_ids)
    owners = np.unique(np.asarray(patients, str), return_inverse=True)[1]
    rules = []
    for column, finding in enumerate(prob.findings):
        p, known, positive = prob.probabilities[:, column], mask[:, column], targets[:, column] == 1
        of_class = [np.sort(p[_one_each(drawn, owners, known & rows)]) for rows in (positive, ~positive)]
        rules.append(_rule(finding, alpha, split, *of_class))
    return tuple(rules)


def conformal_sets(p: NDArray[np.float64], rule: ConformalRule) -> NDArray[np.str_]:
    """The set of each sample, as a value of `ConformalSet`.

    Args:
        p: float64 (n,), calibrated as the rule's own, before any shift of prevalence.
        rule: The finding's.

    Returns:
        str (n,).
    """
    present = np.ones(p.shape, bool) if rule.present_from is None else p >= rule.present_from
    absent = np.ones(p.shape, bool) if rule.absent_to is None else p <= rule.absent_to
    names = np.array([ConformalSet.NONE, ConformalSet.ABSENT, ConformalSet.PRESENT, ConformalSet.REFER], str)
    return names[2 * present.astype(int) + absent]


def conformal_to_json(rules: Sequence[ConformalRule], curve: Sequence[ConformalRule] = ()) -> dict[str, Any]:
    """The rules, and those of other levels for the curve, as values that JSON has; limits come back bit for bit."""
    listed = {name: [asdict(rule) | {"split": rule.split.value} for rule in each] for name, each in _named(rules, curve)}
    return {"kind": "conformal", "schema_version": SCHEMA_VERSION, **listed}


def conformal_from_json(value: Mapping[str, Any] | None) -> tuple[tuple[ConformalRule, ...], tuple[ConformalRule, ...]]:
    """Reads what ``conformal_to_json`` gave: the rules, and the curve's.

    Raises:
        CalibrationError: It is something else, of another version, incomplete, or names the test split.
    """
    content = check_document(value, "conformal")
    try:
        read = [tuple(_read(each) for each in content[name]) for name in ("rules", "curve")]
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError(f"conformal JSON is incomplete or changed ({error}). Fit the model again.") from error
    return read[0], read[1]


def _named(rules: Sequence[ConformalRule], curve: Sequence[ConformalRule]) -> tuple[tuple[str, Sequence[ConformalRule]], ...]:
    return ("rules", rules), ("curve", curve)


def _read(value: Mapping[str, Any]) -> ConformalRule:
    rule = ConformalRule(**{**value, "split": Split(value["split"])})
    refuse_test(rule.split, "a conformal rule")
    for name, limit in (("alpha", rule.alpha), ("present_from", rule.present_from), ("absent_to", rule.absent_to)):
        if limit is not None and not 0 <= limit <= 1:
            raise ValueError(f"{name} {limit} of {rule.finding} lies outside [0, 1]")
    return rule


def _rule(
    finding: str, alpha: float, split: Split, positives: NDArray[np.float64], negatives: NDArray[np.float64]
) -> ConformalRule:
    kept = [_rank(positives.size, alpha), _rank(negatives.size, alpha)]
    present_from = None if kept[0] is None else float(positives[-kept[0]])
    absent_to = None if kept[1] is None else float(negatives[kept[1] - 1])
    open_ = [f"'{label}'" for label, rank in zip(_LABELS, kept, strict=True) if rank is None]
    warning = ""
    if open_:
        warning = (
            f"{finding}: {' and '.join(open_)} always possible: {positives.size} and {negatives.size} patients with and "
            f"without the finding, and alpha {alpha:g} needs {_least(alpha)} of each"
        )
    return ConformalRule(finding, alpha, present_from, absent_to, split, positives.size, negatives.size, warning)


def _rank(size: int, alpha: float) -> int | None:
    """k = ⌈(n + 1)(1 − alpha)⌉, whatever rounding makes of it; None where k > n."""
    rank = max(1, int(np.ceil((size + 1) * (1 - alpha) - 1e-9)))
    return rank if rank <= size else None


def _least(alpha: float) -> int:
    """The fewest samples of a class of which one may be left out."""
    return int(np.ceil(1 / alpha - 1e-9)) - 1


def _drawing_order(sample_ids: Sequence[str]) -> NDArray[np.intp]:
    """Samples in an order that has nothing to do with time, score or place in the table, and is the same everywhere."""
    digests = [hashlib.sha256(sample.encode()).digest() for sample in sample_ids]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), np.intp)


def _one_each(drawn: NDArray[np.intp], owners: NDArray[np.intp], rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Of these rows, the first of each patient in drawing order."""
    candidates = drawn[rows[drawn]]
    return candidates[np.unique(owners[candidates], return_index=True)[1]]
