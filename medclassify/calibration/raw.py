"""Probabilities as the network gives them, before any calibration."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from medclassify.errors import CalibrationError
from medclassify.records import LogitTable, ProbabilityTable

Task = Literal["multilabel", "multiclass"]


def raw_probabilities(logits: LogitTable, task: Task) -> ProbabilityTable:
    """Sigmoid of each logit (multi-label), or softmax over each sample's logits (multi-class).

    Args:
        logits: float64 (N, K).
        task: What the network was trained for.

    Returns:
        float64 (N, K), with ``"raw"`` in place of a calibrator's fingerprint.

    Raises:
        CalibrationError: The task is not known.
    """
    return ProbabilityTable(logits.sample_ids, logits.findings, activate(logits.logits, task), "raw")


def activate(logits: NDArray[np.float64], task: Task) -> NDArray[np.float64]:
    """Sigmoid or softmax of float64 (N, K)."""
    if check_task(task) == "multilabel":
        return special.expit(logits)
    return special.softmax(logits, axis=1)


def check_task(task: str) -> str:
    """Returns the task.

    Raises:
        CalibrationError: It is not known.
    """
    if task not in ("multilabel", "multiclass"):
        raise CalibrationError(f"task must be 'multilabel' or 'multiclass'; received {task!r}.")
    return task
