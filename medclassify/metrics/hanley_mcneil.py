"""How wide an AUROC's interval will be, before there is a model: from counts and an assumed AUROC."""

import math

from medclassify.errors import MetricError
from medclassify.metrics.proportions import normal_quantile


def expected_auroc_interval(auroc: float, n_pos: float, n_neg: float, level: float = 0.95) -> tuple[float, float, float]:
    """Standard error and interval that an AUROC of this size would have.

    The variance is Hanley & McNeil's (1982, Radiology 143:29–36, formula 1) under their exponential model, the interval is
    made on the logit scale as `auroc` makes it.

    Args:
        auroc: The assumed AUROC, in (0, 1).
        n_pos: Independent positives, at least 1.
        n_neg: Independent negatives, at least 1.
        level: Confidence level.

    Returns:
        Standard error, lower and upper limit.

    Raises:
        MetricError: The AUROC is not inside (0, 1), or a class is empty.
    """
    if not 0 < auroc < 1:
        raise MetricError(f"auroc must lie between 0 and 1; received {auroc}.")
    if n_pos < 1 or n_neg < 1:
        raise MetricError(f"an AUROC needs a positive and a negative; received {n_pos:g} and {n_neg:g}.")
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = auroc * (1 - auroc) + (n_pos - 1) * (q1 - auroc**2) + (n_neg - 1) * (q2 - auroc**2)
    error = math.sqrt(spread / (n_pos * n_neg))
    centre = math.log(auroc / (1 - auroc))
    reach = normal_quantile(level) * error / (auroc * (1 - auroc))
    return error, 1 / (1 + math.exp(reach - centre)), 1 / (1 + math.exp(-centre - reach))
