import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_files import write_facts, write_index, write_model

from medclassify.errors import ReviewError, RunError
from medclassify.review import open_review_run, read_explanations


def test_a_run_is_opened_with_what_its_readers_need(run: Path) -> None:
    opened = open_review_run(run)
    assert opened.findings == ("effusion", "nodule")
    assert opened.attributes == ("sex",)
    assert opened.model_fingerprint == "m" * 64
    assert opened.window == "percentile"
    assert (opened.synthetic, opened.random_weights) == (True, True)
    assert opened.original("b") == ("/data/x.dcm", "CR")
    assert opened.of_sample("b")["finding"].tolist() == ["effusion", "nodule"]
    assert opened.of_sample("../../etc/passwd").empty


def test_what_fit_warned_of_is_known_by_finding(run: Path) -> None:
    assert open_review_run(run).doubts == {"nodule": ("nodule: NOT CALIBRATED: 3 positives", "nodule: chosen from 3 positives")}
    write_model(run, warning="effusion: the sensitivity may be anything")
    assert open_review_run(run).doubts["effusion"] == ("effusion: the sensitivity may be anything",)


def test_predictions_called_at_other_thresholds_than_the_frozen_ones_are_refused(run: Path) -> None:
    write_model(run, effusion=0.31)
    with pytest.raises(ReviewError, match=r"effusion was called at 0.3, and its operating point in model.json is 0.31"):
        open_review_run(run)


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"calibrator": {}, "operating_points": {}}'])
def test_a_model_json_that_is_none_is_refused(run: Path, text: str) -> None:
    (run / "model" / "model.json").write_text(text)
    with pytest.raises(ReviewError, match=r"model.json: calibrators and operating points cannot be read"):
        open_review_run(run)


def test_a_real_run_with_published_weights_raises_no_flag(run: Path) -> None:
    write_facts(run, {"synthetic": False, "weights": {"fallback": False}})
    opened = open_review_run(run)
    assert (opened.synthetic, opened.random_weights) == (False, False)


def test_a_stored_map_is_read_raw(run: Path) -> None:
    explanations = open_review_run(run).explanations
    assert ("a", "effusion") in explanations
    assert explanations.samples == {"a"}
    assert explanations.sanity is None
    saliency = explanations.read("a", "effusion")
    assert (saliency.finding, saliency.layer, saliency.score) == ("effusion", "conv_head", 2.5)
    np.testing.assert_array_equal(saliency.raw, np.ones((4, 5), dtype=np.float32))


def test_a_run_without_maps_has_none(tmp_path: Path) -> None:
    explanations = read_explanations(tmp_path)
    assert explanations.samples == frozenset()
    with pytest.raises(ReviewError, match="no saliency map of nodule in a"):
        explanations.read("a", "nodule")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"saliency": np.ones((4, 5))}, "must be finite float32"),
        ({"saliency": np.full((4, 5), np.nan, dtype=np.float32)}, "must be finite float32"),
        ({"saliency": np.ones(5, dtype=np.float32)}, "must be finite float32"),
        ({"other": np.ones((4, 5), dtype=np.float32)}, "not a saliency map"),
        ({"saliency": np.array([{"pickled": 1}], dtype=object)}, "not a saliency map"),
    ],
)
def test_a_file_that_is_no_map_is_refused(run: Path, arrays: dict, said: str) -> None:
    np.savez(run / "explain" / "a_effusion.npz", **arrays)
    with pytest.raises(ReviewError, match=said):
        open_review_run(run).explanations.read("a", "effusion")


def test_a_missing_map_is_said(run: Path) -> None:
    (run / "explain" / "a_effusion.npz").unlink()
    with pytest.raises(ReviewError, match=r"a_effusion.npz: not a saliency map"):
        open_review_run(run).explanations.read("a", "effusion")


def test_a_map_outside_the_folder_is_not_read(run: Path) -> None:
    np.savez(run / "secret.npz", saliency=np.ones((4, 5), dtype=np.float32))
    case = {"sample_id": "a", "finding": "effusion", "file": "../secret.npz", "layer": "x", "score": 1.0}
    write_index(run, {"limit": {}, "sanity": None, "cases": [case]})
    with pytest.raises(ReviewError, match="lies outside the folder"):
        open_review_run(run).explanations.read("a", "effusion")


@pytest.mark.parametrize("index", [{}, [], {"limit": {"effusion": "much"}, "sanity": None, "cases": []}, "text"])
def test_an_index_that_is_none_is_refused(run: Path, index: object) -> None:
    write_index(run, index)
    with pytest.raises(ReviewError, match=r"index.json: not an index of saliency maps"):
        open_review_run(run)


def test_an_unfinished_run_is_refused(run: Path) -> None:
    (run / "provenance.json").unlink()
    with pytest.raises(RunError, match="the fit has not finished"):
        open_review_run(run)


def test_a_run_without_predictions_is_refused(run: Path) -> None:
    (run / "predictions.parquet").unlink()
    with pytest.raises(ReviewError, match=r"predictions.parquet: not there"):
        open_review_run(run)


def test_a_table_that_is_no_parquet_is_refused(run: Path) -> None:
    (run / "manifest.parquet").write_text("sample_id\n")
    with pytest.raises(ReviewError, match=r"manifest.parquet: not a table that can be read"):
        open_review_run(run)


def test_predictions_of_samples_that_the_manifest_lacks_are_refused(run: Path) -> None:
    pd.DataFrame({"sample_id": ["a"], "path": "/data/x.dcm", "modality": "CR"}).to_parquet(run / "manifest.parquet")
    with pytest.raises(ReviewError, match=r"2 predicted samples are not in the manifest \(first: b\)"):
        open_review_run(run)


def test_a_run_without_the_hash_of_its_model_is_refused(run: Path) -> None:
    (run / "provenance.json").write_text(json.dumps({"files": {}}))
    with pytest.raises(ReviewError, match=r"no model_sha256"):
        open_review_run(run)


def test_a_maps_verdict_is_the_methods_and_the_findings(run: Path) -> None:
    index = json.loads((run / "explain" / "index.json").read_text())
    explanations = open_review_run(run).explanations
    assert explanations.verdict("effusion") == (None, ("sanity check not run",)) and explanations.method == "grad_cam"
    own = {"effusion": {"passed": False, "reasons": ["not told"]}, "nodule": {"passed": True, "reasons": []}}
    write_index(run, {**index, "method": "occlusion", "sanity": {"passed": True, "reasons": [], "findings": own}})
    explanations = open_review_run(run).explanations
    assert explanations.method == "occlusion"
    assert explanations.verdict("nodule") == (True, ()) and explanations.verdict("effusion") == (False, ("not told",))
    write_index(run, {**index, "sanity": {"passed": False, "reasons": ["like random weights"], "findings": own}})
    assert open_review_run(run).explanations.verdict("nodule") == (False, ("like random weights",))


def test_similar_cases_are_those_of_the_sample_and_the_prototypes(run: Path) -> None:
    explanations = open_review_run(run).explanations
    assert explanations.neighbours("a").empty
    rows = [("a", "similar", "", 1, "t1"), ("b", "similar", "", 1, "t2"), ("", "prototype", "effusion", 1, "t3")]
    table = pd.DataFrame(rows, columns=["sample_id", "kind", "finding", "rank", "neighbour_id"]).assign(
        distance=0.1, labels="none"
    )
    table.to_parquet(run / "explain" / "neighbours.parquet")
    assert explanations.neighbours("a")["neighbour_id"].tolist() == ["t1", "t3"]
    (run / "explain" / "neighbours.parquet").write_bytes(b"no")
    with pytest.raises(ReviewError, match=r"neighbours.parquet: not a file of similar cases"):
        explanations.neighbours("a")


def test_weights_of_slices_are_those_of_the_series_and_finding(run: Path) -> None:
    explanations = open_review_run(run).explanations
    assert explanations.attention("a", "effusion") == {}
    rows = [("a", "s2", 0.75, 0.5), ("a", "s1", 0.25, 0.5), ("b", "s3", 1.0, 1.0)]
    table = pd.DataFrame(rows, columns=["sample_id", "slice_id", "effusion", "nodule"])
    table.to_parquet(run / "explain" / "attention.parquet")
    assert explanations.attention("a", "effusion") == {"s2": 0.75, "s1": 0.25}
    assert explanations.attention("c", "effusion") == {}
    with pytest.raises(ReviewError, match=r"attention.parquet: not a file of slices' weights"):
        explanations.attention("a", "mass")
    (run / "explain" / "attention.parquet").write_bytes(b"no")
    with pytest.raises(ReviewError, match=r"attention.parquet: not a file of slices' weights"):
        explanations.attention("a", "effusion")
