import copy

import pytest

from medclassify.calibration import decision_fingerprint, require_frozen
from medclassify.errors import CalibrationError

MODEL = {
    "findings": ["a"],
    "calibrator": {"findings": [{"slope": 1.5}]},
    "operating_points": {"points": [{"threshold": 0.25}]},
    "conformal": {"rules": [{"present_from": 0.1}]},
    "prevalence": {},
}


def frozen() -> dict:
    return copy.deepcopy(MODEL) | {"decisions_sha256": decision_fingerprint(MODEL)}


def test_a_frozen_model_is_taken_and_its_hash_told():
    assert require_frozen(frozen(), "model.json") == decision_fingerprint(MODEL)
    assert decision_fingerprint(MODEL | {"backbone": "another"}) == decision_fingerprint(MODEL)  # it does not decide


@pytest.mark.parametrize("part", ["calibrator", "operating_points", "conformal", "prevalence"])
def test_a_change_of_any_part_that_decides_is_found(part):
    changed = frozen()
    changed[part] = {"points": [{"threshold": 0.2500000001}]}
    with pytest.raises(CalibrationError, match=r"m/model.json: .* are not those frozen before the test split was read \(hash"):
        require_frozen(changed, "m/model.json")


def test_a_model_of_an_earlier_version_has_no_hash():
    assert require_frozen({"calibrator": {}, "operating_points": {}}, "model.json") == ""
