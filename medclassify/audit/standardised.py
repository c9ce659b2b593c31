"""Figures of a subgroup as they would be if it had the test set's mix of age and view: crude beside standardised."""

from dataclasses import dataclass

from medclassify.records import Estimate


@dataclass(frozen=True, slots=True)
class Standardised:
    """One figure of one subgroup, crude and standardised.

    Attributes:
        finding: The finding.
        attribute: The attribute.
        subgroup: The level.
        metric: ``auroc``, ``sensitivity`` or ``specificity``.
        by: The attributes whose mix is held equal; presence of the finding is always one more.
        crude: As it is.
        standardised: With the reference mix.
        n_eff_pos: Kish's effective number of positives under the weights, or None.
        n_eff_neg: The same for negatives.
        covered: Share of the reference mix, in [0, 1], for which the subgroup has samples at all.
    """

    finding: str
    attribute: str
    subgroup: str
    metric: str
    by: tuple[str, ...]
    crude: Estimate
    standardised: Estimate
    n_eff_pos: float | None
    n_eff_neg: float | None
    covered: float
