"""Scores by sample and finding. Logits and probabilities are different types, so neither is ever guessed from its values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medclassify.errors import MetricError


def _check(values: NDArray[np.float64], sample_ids: tuple[str, ...], findings: tuple[str, ...], name: str) -> None:
    if values.dtype != np.float64:
        raise MetricError(f"{name} must be float64 (float32 makes ties), received {values.dtype}.")
    if values.shape != (len(sample_ids), len(findings)):
        raise MetricError(
            f"{name} must have one row a sample and one column a finding: expected "
            f"({len(sample_ids)}, {len(findings)}), received {values.shape}."
        )
    if len(set(sample_ids)) != len(sample_ids):
        raise MetricError(f"{name}: sample ids must be unique; {len(sample_ids) - len(set(sample_ids))} stand twice.")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise MetricError(f"{name} holds {bad} values that are not finite. Score these samples again or leave them out.")


@dataclass(frozen=True, slots=True, eq=False)
class LogitTable:
    """What a network says, before any sigmoid.

    Attributes:
        sample_ids: N unique ids.
        findings: K names.
        logits: float64 (N, K).
        model_fingerprint: SHA-256 of the weights that made them.
    """

    sample_ids: tuple[str, ...]
    findings: tuple[str, ...]
    logits: NDArray[np.float64]
    model_fingerprint: str

    def __post_init__(self) -> None:
        _check(self.logits, self.sample_ids, self.findings, "logits")


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityTable:
    """Probabilities, calibrated or raw, with the same ids as the logits they came from.

    Attributes:
        sample_ids: N unique ids.
        findings: K names.
        probabilities: float64 (N, K) in [0, 1].
        calibrator_fingerprint: SHA-256 of the calibrator's JSON, or ``"raw"``.
    """

    sample_ids: tuple[str, ...]
    findings: tuple[str, ...]
    probabilities: NDArray[np.float64]
    calibrator_fingerprint: str

    def __post_init__(self) -> None:
        _check(self.probabilities, self.sample_ids, self.findings, "probability")
        outside = (self.probabilities < 0) | (self.probabilities > 1)
        if outside.any():
            largest = float(np.abs(self.probabilities[outside]).max())
            raise MetricError(
                f"probability holds {int(outside.sum())} values outside [0, 1] (largest {largest:.3g}): "
                "these look like logits; calibrate them first."
            )
