"""AUROCs that show how a subgroup's scores lie against everyone else's."""

from numpy.typing import ArrayLike

from medclassify.errors import MetricError
from medclassify.metrics.auroc import auroc
from medclassify.metrics.checks import Patients, check_binary, check_patients, scored
from medclassify.records import Estimate


def cross_aurocs(
    y: ArrayLike, score: ArrayLike, in_group: ArrayLike, *, patients: Patients = None, level: float = 0.95
) -> dict[str, Estimate]:
    """Three AUROCs of one subgroup.

    Args:
        y: (n,) of 0 and 1.
        score: float64 or integer (n,).
        in_group: (n,) of 0 and 1, membership of the subgroup.
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        ``subgroup``: within the subgroup. ``bpsn``: background positives against subgroup negatives; low where the
        subgroup's negatives are scored too high (false alarms). ``bnsp``: background negatives against subgroup
        positives; low where the subgroup's positives are scored too low (misses).

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Borkan et al., WWW Companion, 491 (2019).
    """
    samples, group = scored(y, score, patients), check_binary(in_group, "in_group")
    if group.size != samples.positive.size:
        raise MetricError(f"in_group must have one value a label: expected {samples.positive.size}, received {group.size}.")
    codes, _ = check_patients(patients, group.size)
    kept = {"subgroup": group, "bpsn": group != samples.positive, "bnsp": group == samples.positive}
    return {
        name: auroc(samples.positive[rows], samples.score[rows], patients=None if codes is None else codes[rows], level=level)
        for name, rows in kept.items()
    }
