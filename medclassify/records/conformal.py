"""The rule that says which answers a finding's probability leaves open."""

from dataclasses import dataclass
from enum import StrEnum

from medclassify.records.sample import Split


class ConformalSet(StrEnum):
    """The labels that a sample's probability is compatible with."""

    PRESENT = "present"
    ABSENT = "absent"
    REFER = "refer"
    """Both: the model cannot say at this level; a person must."""
    NONE = "none"
    """Neither: unlike the calibrate split's samples with the finding and unlike those without it; a person must look."""


@dataclass(frozen=True, slots=True)
class ConformalRule:
    """Two limits of one finding's calibrated probability p, one a class, and where they came from.

    Attributes:
        finding: The finding it is for.
        alpha: The share of each class that may be left out of its set, in (0, 1).
        present_from: ``present`` belongs to the set where p ≥ this; None: always.
        absent_to: ``absent`` belongs to the set where p ≤ this; None: always.
        split: The split it was fitted on; never ``test``.
        n_pos: Patients with the finding that it was fitted on, one image each.
        n_neg: Patients without it, one image each.
        warning: Why it says less than one would hope, or "".
    """

    finding: str
    alpha: float
    present_from: float | None
    absent_to: float | None
    split: Split
    n_pos: int
    n_neg: int
    warning: str = ""
