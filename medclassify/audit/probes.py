"""Can an attribute be read off the embeddings? A linear probe on frozen features; encoded is not the same as used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medclassify.records import Estimate, Status

NOT_USED = "encoded is not the same as used"


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


def probe_from_json(stored: Mapping[str, Any]) -> AttributeProbe:
    """Reads what ``dataclasses.asdict`` made of a probe."""
    estimates = {name: _estimate(stored[name]) for name in ("model", "initial", "permuted")}
    return AttributeProbe(**{**stored, **estimates, "levels": tuple(stored["levels"])})


def _estimate(stored: Mapping[str, Any] | None) -> Estimate | None:
    return None if stored is None else Estimate(**{**stored, "status": Status(stored["status"])})
