"""A fitted calibrator: what it does to each finding's logit, and where it came from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from medclassify.calibration.isotonic import Knots, apply_isotonic
from medclassify.calibration.raw import Task, activate, check_task
from medclassify.errors import CalibrationError
from medclassify.records import LogitTable, ProbabilityTable, Split

SCHEMA_VERSION = 1
Method = Literal["platt", "temperature", "beta", "isotonic", "identity"]


@dataclass(frozen=True, slots=True)
class FindingMap:
    """What is done to one finding's logit z: p = sigmoid(slope · z + intercept), or softmax of slope · z.

    ``beta``: p = sigmoid(slope · ln s − slope_above · ln(1 − s) + intercept) with s = sigmoid(z). ``isotonic``: straight lines
    between knots.

    Attributes:
        finding: Its name.
        method: ``platt``, ``temperature`` (intercept 0, slope 1/T), ``beta``, ``isotonic`` or ``identity`` (slope 1, intercept
            0).
        slope: Greater than 0: a calibrator never turns a ranking round. Of ``beta`` the slope far below 0, which may be 0.
        intercept: In units of the logit.
        n_pos: Positives it was fitted on.
        n_neg: Negatives it was fitted on.
        n_masked: Samples of the split left out for want of a label.
        note: What was chosen, and why.
        fallback: The method is not the one asked for, or nothing could be fitted: to be shown loudly.
        slope_above: Of ``beta`` alone: the slope far above 0; one of the two is above 0.
        knots: Of ``isotonic`` alone: (logit, probability), neither ever falling.
    """

    finding: str
    method: Method
    slope: float
    intercept: float
    n_pos: int
    n_neg: int
    n_masked: int
    note: str
    fallback: bool = False
    slope_above: float | None = None
    knots: Knots = ()

    def __post_init__(self) -> None:
        if self.method not in ("platt", "temperature", "beta", "isotonic", "identity"):
            raise CalibrationError(
                f"{self.finding}: method must be platt, temperature, beta, isotonic or identity; received {self.method!r}."
            )
        if (self.slope_above is not None) != (self.method == "beta") or bool(self.knots) != (self.method == "isotonic"):
            raise CalibrationError(
                f"{self.finding}: slope_above belongs to beta and knots to isotonic, and {self.method} has other ones. "
                "Fit the calibrator again."
            )
        self._require_rising()

    def _require_rising(self) -> None:
        above = self.slope if self.slope_above is None else self.slope_above
        rises = min(self.slope, above) >= 0 and max(self.slope, above) > 0
        if self.knots:
            ends = np.array(self.knots, np.float64)
            rises = bool(np.isfinite(ends).all() and (np.diff(ends, axis=0) >= 0).all() and 0 < ends[0, 1] < ends[-1, 1] < 1)
        if not (np.isfinite([self.slope, self.intercept, above]).all() and rises):
            raise CalibrationError(
                f"{self.finding}: slope must be above 0, and both numbers finite; received slope {self.slope}, "
                f"intercept {self.intercept}{', or knots that fall' if self.knots else ''}. Fit the calibrator again."
            )

    def probability(self, logit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of one finding (multi-label), float64 (n,)."""
        if self.knots:
            return apply_isotonic(logit, self.knots)
        if self.slope_above is None:
            return special.expit(self.slope * logit + self.intercept)
        # ln s = -softplus(-z) and -ln(1 - s) = softplus(z), which do not lose a confident network's digits
        both = self.slope_above * np.logaddexp(0, logit) - self.slope * np.logaddexp(0, -logit)
        return special.expit(both + self.intercept)

    @property
    def temperature(self) -> float:
        """1/slope; above 1 the network was too sure of itself."""
        return 1 / self.slope


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Turns logits into calibrated probabilities.

    Attributes:
        task: ``multilabel`` (a sigmoid a finding) or ``multiclass`` (a softmax; every finding has the same temperature).
        split: The split it was fitted on; never ``test``.
        model_fingerprint: SHA-256 of the weights whose logits it was fitted on.
        maps: One a finding, in the order of the columns.
    """

    task: Task
    split: Split
    model_fingerprint: str
    maps: tuple[FindingMap, ...]

    def __post_init__(self) -> None:
        check_task(self.task)
        refuse_test(self.split, "a calibrator")
        if self.task == "multiclass" and len({(each.slope, each.intercept) for each in self.maps}) > 1:
            raise CalibrationError("a multiclass calibrator must have one temperature for all findings; received several.")

    @property
    def findings(self) -> tuple[str, ...]:
        return tuple(each.finding for each in self.maps)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen for each finding and why, one line each."""
        return tuple(f"{each.finding}: {each.note}" for each in self.maps)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notes that must not be overlooked: findings left uncalibrated or fitted another way than asked."""
        return tuple(f"{each.finding}: {each.note}" for each in self.maps if each.fallback)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the JSON, in hex."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def transform(self, logits: LogitTable) -> ProbabilityTable:
        """Calibrates.

        Args:
            logits: float64 (N, K), of the same model and findings as at the fit.

        Returns:
            float64 (N, K) with the same ids; the order of samples by a finding's probability is that of its logit
            (multi-label); samples on one step of an isotonic curve tie.

        Raises:
            CalibrationError: The logits are of another model, or of other findings.
        """
        if logits.findings != self.findings:
            raise CalibrationError(
                f"the calibrator is for {', '.join(self.findings)}; received logits of {', '.join(logits.findings)}. "
                "Use the calibrator that was stored with this model."
            )
        if logits.model_fingerprint != self.model_fingerprint:
            raise CalibrationError(
                f"the calibrator was fitted on logits of model {self.model_fingerprint[:12]}; received logits of model "
                f"{logits.model_fingerprint[:12]}. Use the calibrator that was stored with this model, or fit one."
            )
        z = logits.logits
        if self.task == "multilabel":
            p = np.stack([each.probability(z[:, column]) for column, each in enumerate(self.maps)], axis=1)
        else:
            p = activate(z * [each.slope for each in self.maps], self.task)
        return ProbabilityTable(logits.sample_ids, logits.findings, p, self.fingerprint)

    def to_json(self) -> dict[str, Any]:
        """Everything, as values that JSON has; ``from_json`` gives back an equal calibrator."""
        return {
            "kind": "calibrator",
            "schema_version": SCHEMA_VERSION,
            "task": self.task,
            "split": self.split.value,
            "model_fingerprint": self.model_fingerprint,
            "findings": [_stored(each) for each in self.maps],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> "Calibrator":
        """Reads what ``to_json`` gave.

        Raises:
            CalibrationError: It is something else, of another version, or incomplete.
        """
        content = check_document(value, "calibrator")
        try:
            maps = tuple(FindingMap(**_read(each)) for each in content["findings"])
            return cls(content["task"], Split(content["split"]), content["model_fingerprint"], maps)
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(f"calibrator JSON is incomplete or changed ({error}). Fit the model again.") from error


def _stored(each: FindingMap) -> dict[str, Any]:
    """What a map has; the fields of one method stand in its own maps alone."""
    fields = asdict(each)
    return {name: value for name, value in fields.items() if not (name in ("slope_above", "knots") and value in (None, ()))}


def _read(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A map's fields; JSON has lists where knots are pairs."""
    return {**stored, "knots": tuple((float(z), float(p)) for z, p in stored.get("knots", ()))}


def check_document(value: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any]:
    """Returns a stored document after looking at its kind and version.

    Raises:
        CalibrationError: It is not there, or not what is expected.
    """
    if not isinstance(value, Mapping) or value.get("kind") != kind:
        found = value.get("kind") if isinstance(value, Mapping) else type(value).__name__
        raise CalibrationError(f"{kind} JSON expected; received {found!r}. Fit the model again, or name another file.")
    if value.get("schema_version") != SCHEMA_VERSION:
        raise CalibrationError(
            f"{kind} JSON has schema version {value.get('schema_version')!r}; this program reads {SCHEMA_VERSION}. "
            "Use the version that wrote it, or fit again."
        )
    return value


def refuse_test(split: Split, what: str) -> None:
    """Raises where something is to be chosen on the test split."""
    if split is Split.TEST:
        raise CalibrationError(
            f"{what} must not be chosen on the test split, which is read once, at the end. Use the calibrate split."
        )
