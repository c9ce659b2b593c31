import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from medclassify.calibration import Calibrator, FindingMap, raw_probabilities
from medclassify.errors import CalibrationError
from medclassify.records import LogitTable, Split

MODEL = "a1" * 32
MAPS = (
    FindingMap("effusion", "platt", 0.1 + 0.2, -1.25, 60, 240, 12, "Platt", False),
    FindingMap("nodule", "temperature", 1 / 3, 0.0, 20, 280, 0, "temperature 3", False),
    FindingMap("pneumothorax", "identity", 1.0, 0.0, 2, 298, 0, "NOT CALIBRATED: 2 positives", True),
)
CALIBRATOR = Calibrator("multilabel", Split.CALIBRATE, MODEL, MAPS)
LOGITS = LogitTable(
    ("s1", "s2", "s3", "s4"), ("effusion", "nodule", "pneumothorax"), np.random.default_rng(0).normal(0, 4, (4, 3)), MODEL
)


def test_every_finding_gets_its_own_map():
    found = CALIBRATOR.transform(LOGITS)
    z = LOGITS.logits
    expected = np.stack(
        [special.expit((0.1 + 0.2) * z[:, 0] - 1.25), special.expit(z[:, 1] / 3), special.expit(z[:, 2])], axis=1
    )
    assert found.probabilities == pytest.approx(expected, abs=1e-15)
    assert (found.sample_ids, found.findings) == (LOGITS.sample_ids, LOGITS.findings)
    assert found.calibrator_fingerprint == CALIBRATOR.fingerprint


def test_extreme_logits_stay_probabilities():
    extreme = replace(LOGITS, logits=np.array([[1e5, -1e5, 800.0]] * 4))
    for task in ("multilabel", "multiclass"):
        raw = raw_probabilities(extreme, task)
        assert np.isfinite(raw.probabilities).all()
        assert raw.calibrator_fingerprint == "raw"
    assert CALIBRATOR.transform(extreme).probabilities[0].tolist() == [1.0, 0.0, 1.0]


def test_raw_probabilities_are_sigmoid_or_softmax():
    assert raw_probabilities(LOGITS, "multilabel").probabilities == pytest.approx(special.expit(LOGITS.logits))
    assert raw_probabilities(LOGITS, "multiclass").probabilities == pytest.approx(special.softmax(LOGITS.logits, axis=1))
    with pytest.raises(CalibrationError, match="task must be 'multilabel' or 'multiclass'; received 'ordinal'"):
        raw_probabilities(LOGITS, "ordinal")  # type: ignore[arg-type]


def test_an_identity_calibrator_gives_raw_probabilities():
    identity = tuple(FindingMap(name, "identity", 1.0, 0.0, 0, 0, 0, "", False) for name in LOGITS.findings)
    found = Calibrator("multilabel", Split.CALIBRATE, MODEL, identity).transform(LOGITS)
    assert np.array_equal(found.probabilities, raw_probabilities(LOGITS, "multilabel").probabilities)


def test_multiclass_probabilities_add_up_to_one():
    maps = tuple(FindingMap(name, "temperature", 0.5, 0.0, 9, 9, 0, "", False) for name in LOGITS.findings)
    found = Calibrator("multiclass", Split.CALIBRATE, MODEL, maps).transform(LOGITS)
    assert found.probabilities == pytest.approx(special.softmax(LOGITS.logits / 2, axis=1))


def test_json_gives_back_an_equal_calibrator_bit_for_bit():
    text = json.dumps(CALIBRATOR.to_json(), allow_nan=False)
    back = Calibrator.from_json(json.loads(text))
    assert back == CALIBRATOR
    assert back.fingerprint == CALIBRATOR.fingerprint
    assert np.array_equal(back.transform(LOGITS).probabilities, CALIBRATOR.transform(LOGITS).probabilities)
    written = CALIBRATOR.to_json()
    assert (written["kind"], written["schema_version"], written["split"]) == ("calibrator", 1, "calibrate")
    assert written["findings"][0] == {
        "finding": "effusion",
        "method": "platt",
        "slope": 0.1 + 0.2,
        "intercept": -1.25,
        "n_pos": 60,
        "n_neg": 240,
        "n_masked": 12,
        "note": "Platt",
        "fallback": False,
    }


def test_the_fingerprint_follows_the_content():
    changed = replace(CALIBRATOR, maps=(replace(MAPS[0], intercept=-1.2500001), *MAPS[1:]))
    assert changed.fingerprint != CALIBRATOR.fingerprint
    assert len(CALIBRATOR.fingerprint) == 64


def test_notes_and_warnings():
    assert CALIBRATOR.notes == ("effusion: Platt", "nodule: temperature 3", "pneumothorax: NOT CALIBRATED: 2 positives")
    assert CALIBRATOR.warnings == ("pneumothorax: NOT CALIBRATED: 2 positives",)


def test_logits_of_another_model_are_refused():
    with pytest.raises(CalibrationError, match="fitted on logits of model a1a1a1a1a1a1; received logits of model b2b2b2b2b2b2"):
        CALIBRATOR.transform(replace(LOGITS, model_fingerprint="b2" * 32))


def test_logits_of_other_findings_are_refused():
    with pytest.raises(CalibrationError, match="is for effusion, nodule, pneumothorax; received logits of nodule, effusion"):
        CALIBRATOR.transform(replace(LOGITS, findings=("nodule", "effusion", "pneumothorax")))


def test_a_calibrator_of_the_test_split_cannot_be_made():
    with pytest.raises(CalibrationError, match="must not be chosen on the test split"):
        replace(CALIBRATOR, split=Split.TEST)


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 0.0), (-1.0, 0.0), (np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan)])
def test_a_map_that_would_turn_or_lose_the_ranking_cannot_be_made(slope, intercept):
    with pytest.raises(CalibrationError, match="effusion: slope must be above 0, and both numbers finite; received slope"):
        replace(MAPS[0], slope=slope, intercept=intercept)


def test_an_unknown_method_or_task_cannot_be_made():
    with pytest.raises(CalibrationError, match="effusion: method must be platt, .* or identity; received 'spline'"):
        replace(MAPS[0], method="spline")
    with pytest.raises(CalibrationError, match="task must be 'multilabel' or 'multiclass'; received 'x'"):
        replace(CALIBRATOR, task="x")
    with pytest.raises(CalibrationError, match="must have one temperature for all findings; received several"):
        replace(CALIBRATOR, task="multiclass")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: None, "calibrator JSON expected; received 'NoneType'"),
        (lambda c: [], "calibrator JSON expected; received 'list'"),
        (lambda c: c | {"kind": "operating_points"}, "calibrator JSON expected; received 'operating_points'"),
        (lambda c: c | {"schema_version": 2}, "schema version 2; this program reads 1"),
        (lambda c: {k: v for k, v in c.items() if k != "task"}, r"calibrator JSON is incomplete or changed \('task'\)"),
        (lambda c: c | {"findings": [{"finding": "x"}]}, "calibrator JSON is incomplete or changed"),
        (lambda c: c | {"split": "validation"}, "calibrator JSON is incomplete or changed"),
        (lambda c: c | {"split": "test"}, "must not be chosen on the test split"),
        (lambda c: c | {"findings": [c["findings"][0] | {"slope": "steep"}]}, "calibrator JSON is incomplete or changed"),
    ],
)
def test_json_that_is_something_else_is_refused(change, message):
    with pytest.raises(CalibrationError, match=message):
        Calibrator.from_json(change(CALIBRATOR.to_json()))
