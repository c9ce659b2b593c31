"""Can an attribute be read off the embeddings? A linear probe on frozen features; encoded is not the same as used."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.audit.attributes import MISSING
from medclassify.records import Estimate, Status

NOT_USED = "encoded is not the same as used"
LEAST_TRAIN, LEAST_TEST = 20, 5
"""A level with fewer samples to learn from, or patients to be tested on, is left out."""
_STRENGTH = 0.01
"""sklearn's C, on standardised features: as strongly held as the head's own probe usually is (recipes: 0.0001 to 1)."""


@dataclass(frozen=True, slots=True)
class AttributeProbe:
    """How well a linear probe tells the levels of one attribute apart, on the test split.

    Attributes:
        attribute: The attribute.
        levels: Its levels, those with too few samples left out.
        n_train: Samples the probe learnt from.
        n_test: Samples it was tested on.
        model: AUROC (Hand and Till's mean over pairs of levels) on the model's embeddings.
        initial: The same on the embeddings of the weights that training started from; None where the model kept them.
        initial_name: What those weights were: ``ImageNet-frozen``, ``random initial weights``.
        permuted: The same on the model's embeddings, learnt from attributes dealt to patients by lot: what chance gives.
        note: What a reader must know, or "".
    """

    attribute: str
    levels: tuple[str, ...]
    n_train: int
    n_test: int
    model: Estimate
    initial: Estimate | None
    initial_name: str
    permuted: Estimate
    note: str = ""


@dataclass(frozen=True, eq=False)
class Embedded:
    """Samples of one split with their embeddings.

    Attributes:
        model: float32 (N, D), of the model.
        initial: float32 (N, D), of the weights that training started from; None where they are not at hand.
        level: (N,) text, each sample's level of the attribute.
        patients: (N,) ids.
    """

    model: NDArray[np.float32]
    initial: NDArray[np.float32] | None
    level: NDArray[np.object_]
    patients: Collection[Any]


def probe_attribute(
    attribute: str, train: Embedded, test: Embedded, *, initial_name: str, resamples: int = 2000, seed: int = 0
) -> AttributeProbe | None:
    """Learns to tell an attribute's levels apart from embeddings of one split, and tests that on another.

    A logistic regression with an L2 penalty on standardised features (Alain & Bengio, ICLR workshop, 2017). That an attribute
    can be read off says that it is encoded; whether the network's answer rests on it is another question.

    Args:
        attribute: Its name.
        train: To learn from.
        test: Other patients.
        initial_name: What the initial weights were.
        resamples: Patient resamples of the intervals.
        seed: Of resampling, and of the lot that deals attributes for the permuted probe.

    Returns:
        None where fewer than two levels have samples enough.
    """
    levels = [level for level in dict.fromkeys(test.level.tolist()) if level != MISSING and _enough(level, train, test)]
    if len(levels) < 2:
        return None
    learnt, tested = (np.isin(part.level, levels) for part in (train, test))
    number = {level: place for place, level in enumerate(levels)}
    truth, asked = (np.array([number[level] for level in part.level[rows]]) for part, rows in ((train, learnt), (test, tested)))
    patients = [str(each) for each, kept in zip(test.patients, tested, strict=True) if kept]
    options: dict[str, Any] = {"patients": patients, "resamples": resamples, "seed": seed}
    lot = np.random.default_rng(seed).permutation(truth)
    model = _probe(train.model[learnt], truth, test.model[tested], asked, options)
    permuted = _probe(train.model[learnt], lot, test.model[tested], asked, options)
    initial = None
    if train.initial is not None and test.initial is not None:
        initial = _probe(train.initial[learnt], truth, test.initial[tested], asked, options)
    gone = sorted(set(test.level.tolist()) - set(levels))
    note = f"left out, missing or too few: {', '.join(gone)}" if gone else ""
    counts = int(learnt.sum()), int(tested.sum())
    return AttributeProbe(attribute, tuple(levels), *counts, model, initial, initial_name, permuted, note)


def _enough(level: str, train: Embedded, test: Embedded) -> bool:
    patients = {one for one, here in zip(test.patients, test.level == level, strict=True) if here}
    return int(np.count_nonzero(train.level == level)) >= LEAST_TRAIN and len(patients) >= LEAST_TEST


def _probe(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    unseen: NDArray[np.float32],
    asked: NDArray[np.intp],
    options: dict[str, Any],
) -> Estimate:
    from sklearn.linear_model import LogisticRegression  # half a second to import

    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    model = LogisticRegression(C=_STRENGTH, max_iter=300).fit((features - mean) / spread, labels)
    return metrics.hand_till(asked, model.predict_proba((unseen - mean) / spread).astype(np.float64), **options)


def probe_from_json(stored: Mapping[str, Any]) -> AttributeProbe:
    """Reads what ``dataclasses.asdict`` made of a probe."""
    estimates = {name: _estimate(stored[name]) for name in ("model", "initial", "permuted")}
    return AttributeProbe(**{**stored, **estimates, "levels": tuple(stored["levels"])})


def _estimate(stored: Mapping[str, Any] | None) -> Estimate | None:
    return None if stored is None else Estimate(**{**stored, "status": Status(stored["status"])})
