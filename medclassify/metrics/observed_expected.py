"""Observed over expected: do as many samples have the finding as the probabilities add up to?"""

import numpy as np
from numpy.typing import ArrayLike

from medclassify.metrics.cells import cell_status, join_notes, not_estimable
from medclassify.metrics.checks import Patients, check_level, predicted
from medclassify.metrics.clustered import variance_of_total
from medclassify.metrics.proportions import t_quantile
from medclassify.records import Estimate, Status


def oe_ratio(y: ArrayLike, p: ArrayLike, *, patients: Patients = None, level: float = 0.95) -> Estimate:
    """Positives over the sum of probabilities; 1 is right, above 1 the model gives too little risk.

    The interval is the delta method's on the log scale, with t, and with variance between patients where they repeat. The
    variance is never taken below that of labels drawn from the probabilities times the ratio: where no label was a surprise,
    residuals are small and tell nothing of how large they may be.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1].
        patients: (n,) ids, or None where no patient repeats.
        level: Confidence level.

    Returns:
        ``not_estimable`` below 5 positives or negatives and where all p are 0, ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Debray et al., BMJ 356:i6460 (2017), for the log scale.
    """
    samples = predicted(y, p, patients)
    check_level(level)
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    observed, expected = samples.n_pos, float(samples.score.sum())
    if expected == 0:
        return not_estimable(join_notes(note, "every p is 0"))
    ratio = observed / expected
    variance, units = variance_of_total(samples.positive - ratio * samples.score, samples.patients)
    shares = np.minimum(ratio * samples.score, 1)
    drawn = float((shares * (1 - shares)).sum())
    half = t_quantile(level, units - 1) * max(variance, drawn) ** 0.5 / observed
    method = "log-delta" if samples.patients is None else "log-delta by patient"
    return Estimate(ratio, float(ratio * np.exp(-half)), float(ratio * np.exp(half)), method, status, note)
