"""The threshold that turns a probability into a decision."""

from dataclasses import dataclass

from medclassify.records.sample import Split


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A frozen threshold and where it came from.

    Attributes:
        finding: The finding it is for.
        threshold: Calibrated probability in [0, 1]; a sample is called positive when its probability is ≥ threshold.
        criterion: The rule in words, e.g. ``sensitivity >= 0.90``.
        split: The split it was chosen on; never ``test``.
        n_pos: Positives it was chosen from.
        n_neg: Negatives it was chosen from.
        warning: Why it should be doubted, or "".
    """

    finding: str
    threshold: float
    criterion: str
    split: Split
    n_pos: int
    n_neg: int
    warning: str = ""
