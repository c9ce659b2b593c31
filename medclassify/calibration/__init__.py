"""From logits to probabilities to decisions, fitted on the calibrate split and stored as JSON."""

from medclassify.calibration.calibrator import Calibrator, FindingMap
from medclassify.calibration.conformal import (
    CURVE_ALPHAS,
    conformal_from_json,
    conformal_sets,
    conformal_to_json,
    fit_conformal,
)
from medclassify.calibration.fit import fit_calibrator
from medclassify.calibration.frozen import decision_fingerprint, require_frozen
from medclassify.calibration.operating_points import (
    choose_operating_points,
    operating_points_from_json,
    operating_points_to_json,
)
from medclassify.calibration.prevalence import (
    PrevalenceShift,
    correctable,
    prevalence_shifts,
    shift_points,
    shift_probabilities,
)
from medclassify.calibration.raw import raw_probabilities

__all__ = [
    "CURVE_ALPHAS",
    "Calibrator",
    "FindingMap",
    "PrevalenceShift",
    "choose_operating_points",
    "conformal_from_json",
    "conformal_sets",
    "conformal_to_json",
    "correctable",
    "decision_fingerprint",
    "fit_calibrator",
    "fit_conformal",
    "operating_points_from_json",
    "operating_points_to_json",
    "prevalence_shifts",
    "raw_probabilities",
    "require_frozen",
    "shift_points",
    "shift_probabilities",
]
