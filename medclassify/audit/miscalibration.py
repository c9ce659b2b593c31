"""Where probabilities are wrong on the whole: calibration intercepts that differ from 0, all of them looked at together."""

from collections.abc import Sequence

from scipy import special

from medclassify import metrics
from medclassify.records import EstimateRow, Status

_Z_95 = 1.959964


def miscalibrated_rows(estimates: Sequence[EstimateRow], level: float = 0.05) -> list[EstimateRow]:
    """The calibration intercepts whose difference from 0 holds after Holm's adjustment over all findings and subgroups.

    Args:
        estimates: All estimates; only stable intercepts take part.
        level: Of the family.

    Returns:
        The rows, in order; above 0 the probabilities are too low there.
    """
    rows = [row for row in estimates if row.metric == "calibration_intercept" and row.estimate.status is Status.OK]
    p = metrics.adjusted_p([_p(row) for row in rows])
    return [row for row, adjusted in zip(rows, p, strict=True) if adjusted is not None and adjusted < level]


def _p(row: EstimateRow) -> float | None:
    found = row.estimate
    if found.value is None or found.ci_low is None or found.ci_high is None or found.ci_high <= found.ci_low:
        return None
    return float(2 * special.ndtr(-abs(found.value) * 2 * _Z_95 / (found.ci_high - found.ci_low)))
