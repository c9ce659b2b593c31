"""A threshold that is changed after the test split was read is found out, even where file hashes were written anew."""

import json
from pathlib import Path

import pytest

from medclassify.calibration import decision_fingerprint
from medclassify.errors import CalibrationError, RunError
from medclassify.runs import RunLayout, write_json, write_provenance
from medclassify.workflows.verify import verify_run

MODEL = {"calibrator": {"kind": "calibrator"}, "operating_points": {"points": [{"finding": "a", "threshold": 0.25}]}}


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    layout = RunLayout(tmp_path / "run")
    layout.model.mkdir(parents=True)
    layout.config.write_text("seed_everything: 1\n")
    frozen = decision_fingerprint(MODEL)
    write_json(layout.model / "model.json", {**MODEL, "decisions_sha256": frozen})
    write_provenance(layout, {"decisions_sha256": frozen})
    return layout


def change(layout: RunLayout, **facts) -> None:
    """Edits model.json and writes every file's hash anew, as one who wants to hide it would."""
    path = layout.model / "model.json"
    write_json(path, json.loads(path.read_text()) | facts)
    told = json.loads(layout.provenance.read_text())
    write_provenance(layout, {"decisions_sha256": told["decisions_sha256"]})


def test_an_unchanged_run_passes(run):
    assert verify_run(run.root) == 2


def test_a_changed_file_is_found_by_its_hash(run):
    path = run.model / "model.json"
    path.write_text(path.read_text().replace("0.25", "0.20"))
    with pytest.raises(RunError, match=r"1 changed \(model/model.json\)"):
        verify_run(run.root)


def test_a_threshold_changed_with_its_file_hash_is_found_by_the_frozen_one(run):
    change(run, operating_points={"points": [{"finding": "a", "threshold": 0.2}]})
    with pytest.raises(CalibrationError, match=r"model.json: .* are not those frozen before the test split was read"):
        verify_run(run.root)


def test_a_frozen_hash_written_anew_is_not_the_one_that_provenance_told(run):
    points = {"points": [{"finding": "a", "threshold": 0.2}]}
    change(run, operating_points=points, decisions_sha256=decision_fingerprint(MODEL | {"operating_points": points}))
    with pytest.raises(RunError, match="thresholds or calibrator were changed after the test split was read"):
        verify_run(run.root)
