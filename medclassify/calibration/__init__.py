"""From logits to probabilities to decisions, fitted on the calibrate split and stored as JSON."""

from medclassify.calibration.calibrator import Calibrator, FindingMap
from medclassify.calibration.fit import fit_calibrator
from medclassify.calibration.operating_points import (
    choose_operating_points,
    operating_points_from_json,
    operating_points_to_json,
)
from medclassify.calibration.raw import raw_probabilities

__all__ = [
    "Calibrator",
    "FindingMap",
    "choose_operating_points",
    "fit_calibrator",
    "operating_points_from_json",
    "operating_points_to_json",
    "raw_probabilities",
]
