"""CT examinations from DICOM series to judged series and slices: every verb takes them as it takes images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.config import PhantomConfig
from medclassify.errors import ManifestError
from medclassify.manifest import is_of_series, read_manifest
from medclassify.phantom import render_dataset
from medclassify.records import Split
from medclassify.review import read_explanations
from medclassify.workflows.evaluate import evaluate
from medclassify.workflows.explain import explain
from medclassify.workflows.fit import fit
from medclassify.workflows.predict import predict
from medclassify.workflows.summary import prediction_lines
from medclassify.workflows.verify import verify_run

CONFIG = """
seed_everything: 0
data:
  {source: SOURCE/images, labels: SOURCE/labels.csv, findings: [any], ct_windows: [brain, subdural, bone],
   image_size: 32, batch_size: 16, attributes: [sex],
   fractions: {train: 0.4, tune: 0.2, calibrate: 0.2, test: 0.2}}
model: {backbone: test_efficientnet, weights: none}
trainer: {max_epochs: 1, enable_progress_bar: false}
explain: {samples: 2}
audit: {bootstrap: 100}
"""


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = PhantomConfig(kind="head_ct", patients=12, matrix=32)
    return render_dataset(tmp_path_factory.mktemp("heads"), config, workers=1)


@pytest.fixture(scope="module")
def run_of(heads: Path, tmp_path_factory: pytest.TempPathFactory):
    """Fits a run with these words over the config."""
    folder = tmp_path_factory.mktemp("runs")
    config = folder / "ct.yaml"
    config.write_text(CONFIG.replace("SOURCE", str(heads)))

    def of(name: str, *words: str) -> Path:
        fit(config, [*words, "--run_dir", str(folder / name)])
        return folder / name

    return of


@pytest.fixture(scope="module")
def series_run(run_of) -> Path:
    return run_of("series", "--data.sample", "series")


@pytest.fixture(scope="module")
def beside_run(run_of) -> Path:
    """Slices with their neighbours."""
    return run_of("beside", "--data.ct_windows", "[brain]", "--data.neighbours", "1")


def scores(path: Path) -> pd.Series:
    return pd.read_parquet(path).set_index(["sample_id", "finding"])["logit"]


def test_series_are_learnt_kept_and_found(series_run: Path, heads: Path) -> None:
    manifest = read_manifest(series_run / "manifest.parquet")
    studies = pd.read_csv(heads / "studies.csv").set_index("study_uid")
    assert is_of_series(manifest) and len(manifest) == len(studies)
    assert manifest.frame.set_index("study_uid")["any"].to_dict() == studies["any"].to_dict()
    assert manifest.slices is not None and len(manifest.slices) == len(pd.read_csv(heads / "labels.csv"))
    order = pd.read_csv(heads / "slices.csv").set_index("path")["height_mm"]
    for _, part in manifest.slices.groupby("stack"):  # by where they lie, whatever their files are called
        heights = [order[f"images/{Path(path).parent.name}/{Path(path).name}"] for path in part["path"]]
        assert heights == sorted(heights)
    exclusions = pd.read_csv(series_run / "exclusions.csv")
    assert exclusions["reason"].tolist() == ["localizer"] * len(studies)
    metrics = json.loads((series_run / "metrics.json").read_text())
    assert metrics["training"]["attention"]["epochs"] >= 1 and metrics["training"]["attention"]["slice_loss"] == 0.5
    assert {"finding", "series", "hits", "by_chance"} == set(metrics["found_slices"][0])
    assert (series_run / "audit" / "report.html").is_file()
    leakage = json.loads((series_run / "leakage.json").read_text())
    assert (
        leakage["checked"]["pixel_hash"] == len(studies)
        and "near_duplicate: pictures were not compared: samples are series, or nothing is prepared." in leakage["unchecked"]
    )
    case = json.loads((series_run / "explain" / "index.json").read_text())["cases"][0]
    with np.load(series_run / "explain" / case["file"]) as arrays:
        assert arrays["saliency"].shape == (32, 32) and len(arrays["attention"]) == case["slices"]
        assert arrays["attention"].argmax() == case["slice"] and arrays["attention"].sum() == pytest.approx(1)
        assert arrays["share"].sum() == pytest.approx(case["score"], abs=1e-5)
        weights = read_explanations(series_run / "explain").attention(case["sample_id"], case["finding"])
        np.testing.assert_allclose(list(weights.values()), arrays["attention"], rtol=1e-6)
        assert max(weights, key=weights.__getitem__) == case["slice_id"]
    kept = pd.read_parquet(series_run / "explain" / "attention.parquet")
    assert set(kept["sample_id"]) == set(pd.read_parquet(series_run / "predictions.parquet")["sample_id"])
    assert verify_run(series_run) > 10


def test_series_are_scored_against_masks_watched_for_shortcuts_and_have_similar_series(series_run: Path) -> None:
    """All on the slice that attention peaks on; what is similar is a series."""
    explained, found = series_run / "explain", json.loads((series_run / "metrics.json").read_text())["found_slices"]
    places = pd.read_csv(explained / "localisation.csv")
    assert set(places.loc[places["attribute"] == "all", "n"]) == {found[0]["hits"]}
    shares = pd.read_csv(explained / "shortcuts.csv")
    predictions = pd.read_parquet(series_run / "predictions.parquet")
    tested = predictions[predictions["split"] == "test"]
    assert shares["n"].max() == tested["decision"].sum()
    neighbours = pd.read_parquet(explained / "neighbours.parquet")
    train = set(read_manifest(series_run / "manifest.parquet").of_split(Split.TRAIN).frame["sample_id"])
    assert set(neighbours["neighbour_id"]) <= train
    assert set(neighbours.loc[neighbours["kind"] == "similar", "sample_id"]) == set(tested["sample_id"])


def test_predict_scores_a_series_as_the_fit_did_and_goes_on_without_a_damaged_slice(
    series_run: Path, heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "images"
    shutil.copytree(heads / "images", copy)
    damaged = sorted(copy.iterdir())[0] / "005.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    predicted = predict(series_run, [str(copy)], tmp_path / "p.parquet")
    fitted, again = scores(series_run / "predictions.parquet"), scores(tmp_path / "p.parquet")
    whole = read_manifest(series_run / "manifest.parquet").slices
    assert whole is not None and len(again) == whole["stack"].nunique()
    shown = capsys.readouterr()
    assert f"scored {len(again)} series ({len(whole) - 1} slices) for any" in shown.out
    assert "WARNING: any: NOT CALIBRATED" in shown.err  # its column prob_cal holds raw probabilities
    touched = whole["stack"][whole["path"].str.endswith(f"{damaged.parent.name}/005.dcm")].iloc[0]
    known = fitted.drop(touched, errors="ignore")
    np.testing.assert_allclose(again.loc[known.index], known, atol=1e-5)
    assert [each.reason for each in predicted.exclusions if each.path == str(damaged)] != []
    assert sum(each.reason == "localizer" for each in predicted.exclusions) == len(again)


def test_evaluate_and_explain_take_series(
    series_run: Path, heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = evaluate(series_run, None, tmp_path / "evaluated")
    fitted = scores(series_run / "predictions.parquet")
    again = scores(folder / "predictions.parquet")
    np.testing.assert_allclose(again, fitted.loc[again.index], atol=1e-5)
    exam = sorted((heads / "images").iterdir())[0]
    explained = explain(series_run, [str(exam)], tmp_path / "maps")
    assert explained.maps == 1 and len(list((tmp_path / "maps").glob("*.png"))) == 1
    [sample] = pd.read_csv(tmp_path / "maps" / "files.csv").to_dict("records")
    assert f"{exam.name}/{Path(sample['path']).name}: {sample['sample_id']}_*.png" in capsys.readouterr().out


def test_series_are_told_apart_by_their_folders_in_the_order_in_which_they_were_named(
    series_run: Path, heads: Path, tmp_path: Path
) -> None:
    exams = sorted((heads / "images").iterdir())[:4]
    for named in (exams, exams[::-1]):
        predicted = predict(series_run, [str(exam) for exam in named], tmp_path / "p.csv")
        assert [Path(path).parent.name for path in predicted.files["path"]] == [exam.name for exam in named]
        lines = prediction_lines(predicted).splitlines()
        assert lines[0].startswith("middle slice ")
        assert [line.split("/")[0] for line in lines[1:]] == [exam.name for exam in named]


def test_slices_with_neighbours_are_scored_as_the_fit_did(
    beside_run: Path, heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = json.loads((beside_run / "model" / "model.json").read_text())
    assert model["preprocessing"]["neighbours"] == 1 and model["preprocessing"]["ct_windows"] == ["brain"]
    predict(beside_run, [str(heads / "images")], tmp_path / "p.parquet")
    fitted, again = scores(beside_run / "predictions.parquet"), scores(tmp_path / "p.parquet")
    np.testing.assert_allclose(again.loc[fitted.index], fitted, atol=1e-5)
    alone = sorted((heads / "images").iterdir())[0]
    predict(beside_run, [str(alone / "004.dcm")], tmp_path / "one.parquet")  # by itself it has no neighbours but itself
    assert "scored 1 slice for any" in capsys.readouterr().out
    assert not np.isclose(scores(tmp_path / "one.parquet"), again.loc[scores(tmp_path / "one.parquet").index]).any()


def test_a_model_of_slices_does_not_take_a_manifest_of_series(beside_run: Path, series_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="its samples are series, and the model judges slices"):
        evaluate(beside_run, series_run / "manifest.parquet", tmp_path / "out")


def test_real_slices_are_scored(series_run: Path, beside_run: Path, real_data: Path, tmp_path: Path) -> None:
    for run in (series_run, beside_run):
        predicted = predict(run, [str(real_data / "ct")], tmp_path / f"{run.name}.csv")
        assert predicted.rows == 20 and not predicted.exclusions
