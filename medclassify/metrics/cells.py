"""The small-cell rule: which numbers may be shown, which only with a warning, and which are not numbers at all."""

import numpy as np

from medclassify.metrics.checks import ScoredSamples, distinct
from medclassify.records import Estimate, Status

MIN_CELL = 5
"""Fewer positives or negatives than this: ``not_estimable``."""
STABLE_CELL = 20
"""Fewer than this: ``unstable``."""
MIN_DENOMINATOR = 10
"""A rate with a smaller denominator is ``not_estimable``."""


def not_estimable(note: str) -> Estimate:
    """An estimate that is not there, and why."""
    return Estimate(None, None, None, "", Status.NOT_ESTIMABLE, note)


def status_of(count: int, least: int = MIN_CELL) -> Status:
    """The status of a number that rests on ``count`` independent units."""
    if count < least:
        return Status.NOT_ESTIMABLE
    return Status.OK if count >= STABLE_CELL else Status.UNSTABLE


def cell_status(samples: ScoredSamples, least: int = MIN_CELL) -> tuple[Status, str]:
    """Applies the rule to positives and negatives.

    Where patients repeat, patients are counted in place of images: six images of one patient are one observation.

    Returns:
        The status, and a note such as ``n_pos=0`` (empty where the status is ok).
    """
    status, notes = Status.OK, []
    for name, rows in (("n_pos", samples.positive), ("n_neg", ~samples.positive)):
        images = int(np.count_nonzero(rows))
        units = images if samples.patients is None else distinct(samples.patients[rows])
        here = status_of(units, least)
        if here is not Status.OK:
            status = worst(status, here)
            notes.append(f"{name}={images}" if units == images else f"{name}={images} of {units} patients")
    return status, ", ".join(notes)


def worst(*statuses: Status) -> Status:
    """The least trustworthy of several statuses."""
    order = (Status.OK, Status.UNSTABLE, Status.NOT_ESTIMABLE)
    return max(statuses, key=order.index)


def join_notes(*notes: str) -> str:
    """Notes that say something, in one line."""
    return "; ".join(note for note in notes if note)
