"""From DICOM files to a calibrated, tested, audited run; then every verb that uses the run."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from outcomes import one_line
from pydicom import dcmread
from safetensors.numpy import load_file

from medclassify.manifest import read_manifest, write_manifest
from medclassify.runs import RunLayout, verify

Fitted = tuple[Path, str]


def test_the_run_directory_is_the_contract(fitted: Fitted) -> None:
    run, _ = fitted
    promised = [
        *("config.yaml", "manifest.parquet", "exclusions.csv", "leakage.json", "checkpoints/last.ckpt", "logs/metrics.csv"),
        *("model/model.safetensors", "model/model.json", "predictions.parquet", "metrics.json", "provenance.json"),
        *("audit/report.html", "audit/estimates.csv", "audit/gaps.csv", "audit/audit.json", "explain/sanity.json"),
        *("explain/localisation.csv", "explain/shortcuts.csv", "explain/shortcut_cases.csv", "explain/neighbours.parquet"),
    ]
    assert [name for name in promised if not (run / name).is_file()] == []
    assert list((run / "logs").glob("events.out.tfevents*"))
    assert not list(run.rglob("*.part*"))
    assert json.loads((run / "leakage.json").read_text())["clean"] is True
    assert not [path for path in (run / "model").iterdir() if path.suffix not in (".json", ".safetensors")]


def test_splits_are_by_patient(fitted: Fitted) -> None:
    manifest = pd.read_parquet(fitted[0] / "manifest.parquet")
    assert set(manifest["split"]) == {"train", "tune", "calibrate", "test"}
    assert (manifest.groupby("patient_id")["split"].nunique() == 1).all()
    assert manifest["patient_id"].str.fullmatch("[0-9a-f]{16}").all()


def test_predictions_are_tidy_and_join_by_sample(fitted: Fitted) -> None:
    run, _ = fitted
    predictions = pd.read_parquet(run / "predictions.parquet")
    assert list(predictions.columns) == [
        *("sample_id", "patient_id", "finding", "target", "logit", "prob_raw", "prob_cal", "threshold", "decision", "split"),
        *("conformal_set", "sex", "age_band", "view", "site"),
    ]
    assert set(predictions["conformal_set"]) <= {"present", "absent", "refer", "none"}
    assert not predictions.duplicated(["sample_id", "finding"]).any()
    assert "train" not in set(predictions["split"])
    np.testing.assert_allclose(predictions["prob_raw"], 1 / (1 + np.exp(-predictions["logit"])), rtol=1e-12)
    assert (predictions["decision"] == (predictions["prob_cal"] >= predictions["threshold"])).all()
    manifest = pd.read_parquet(run / "manifest.parquet").set_index("sample_id")
    for row in predictions.sample(30, random_state=0).to_dict("records"):
        assert row["target"] == manifest.loc[row["sample_id"], row["finding"]]


def test_thresholds_come_from_the_calibrate_split(fitted: Fitted) -> None:
    points = json.loads((fitted[0] / "model" / "model.json").read_text())["operating_points"]
    assert "calibrate" in json.dumps(points) and '"test"' not in json.dumps(points)


def test_a_synthetic_looking_run_of_files_is_not_called_synthetic_and_weights_are_told(fitted: Fitted) -> None:
    provenance = json.loads((fitted[0] / "provenance.json").read_text())
    assert provenance["synthetic"] is False and provenance["weights"]["source"] == "random"
    assert provenance["weights"]["fallback"] is False
    assert "random initial weights, as configured" in fitted[1]


def test_the_console_ends_with_the_next_command(fitted: Fitted) -> None:
    run, output = fitted
    assert output.rstrip().splitlines()[-1].strip() == f"medclassify review {run}"
    assert "leakage check clean" in output and "AUROC (95% CI)" in output


def test_a_clean_run_verifies_and_a_changed_one_does_not(fitted: Fitted, cli, tmp_path: Path) -> None:
    run, _ = fitted
    assert verify(RunLayout(run)).clean
    done = cli("verify", run, cwd=tmp_path)
    assert done.returncode == 0 and "nothing was changed, lost or added" in done.stdout
    report = run / "audit" / "gaps.csv"
    before = report.read_bytes()
    try:
        report.write_bytes(before + b" ")
        failed = cli("verify", run, cwd=tmp_path)
        assert failed.returncode == 1 and "1 changed (audit/gaps.csv)" in failed.stderr
        report.unlink()
        (run / "audit" / "notes.txt").write_text("mine")
        failed = cli("verify", run, cwd=tmp_path)
        assert failed.returncode == 1 and "1 missing (audit/gaps.csv); 1 added (audit/notes.txt)" in failed.stderr
    finally:
        report.write_bytes(before)
        (run / "audit" / "notes.txt").unlink(missing_ok=True)


def test_predict_scores_files_as_the_fit_did(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    run, _ = fitted
    known = pd.read_parquet(run / "predictions.parquet")
    manifest = pd.read_parquet(run / "manifest.parquet").set_index("sample_id")
    sample = known["sample_id"].iloc[0]
    (tmp_path / "notes.txt").write_text("no image")
    done = cli("predict", run, manifest.loc[sample, "path"], "--out", "p.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scored = pd.read_csv(tmp_path / "p.csv")
    expected = known[known["sample_id"] == sample]
    np.testing.assert_allclose(scored["prob_cal"], expected["prob_cal"], atol=1e-6)
    assert scored["sample_id"].eq(sample).all() and scored["target"].isna().all()
    assert "next: medclassify explain" in done.stdout
    none = cli("predict", run, "notes.txt", cwd=tmp_path)
    one_line(none, "no image: the file cannot be read: notes.txt: ")
    odd = cli("predict", run, manifest.loc[sample, "path"], "--out", "p.xlsx", cwd=tmp_path)
    assert odd.returncode == 1 and "--out p.xlsx: unknown kind of table '.xlsx'. Name it .parquet or .csv." in odd.stderr


def test_predict_goes_on_past_a_broken_file_and_lists_it(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    *images, another = sorted((phantom / "images").iterdir())[:4]
    folder = tmp_path / "new"
    folder.mkdir()
    for image in images:
        (folder / image.name).write_bytes(image.read_bytes())
    (folder / "broken.dcm").write_bytes(another.read_bytes()[:-3000])
    done = cli("predict", fitted[0], folder, "--out", "p.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert pd.read_parquet(tmp_path / "p.parquet")["sample_id"].nunique() == 3
    assert "broken.dcm" in (tmp_path / "p.exclusions.csv").read_text()
    assert "1 left out: unreadable" in done.stderr


def test_predict_names_the_files_in_the_order_given(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    first, second, third, *_ = sorted((phantom / "images").iterdir())
    (tmp_path / "folder").mkdir()
    for image in (first, second):
        (tmp_path / "folder" / image.name).write_bytes(image.read_bytes())
    done = cli("predict", fitted[0], third, tmp_path / "folder", "--out", "p.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    named = [Path(path).name for path in pd.read_csv(tmp_path / "p.files.csv")["path"]]
    assert named == [third.name, first.name, second.name]
    shown = [line.split()[0] for line in done.stdout.splitlines() if line.endswith(("negative", "POSITIVE"))]
    assert list(dict.fromkeys(shown)) == named
    assert (
        pd.read_csv(tmp_path / "p.csv")["sample_id"].drop_duplicates().tolist()
        == pd.read_csv(tmp_path / "p.files.csv")["sample_id"].tolist()
    )


def test_a_model_of_radiographs_scores_no_ct_slice(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    model = json.loads((fitted[0] / "model" / "model.json").read_text())
    assert set(model["modalities"]) <= {"CR", "DX"} and model["modalities"]
    learnt = " and ".join(model["modalities"])
    for number, image in enumerate(sorted((phantom / "images").iterdir())[:2]):
        dataset = dcmread(image)
        if number:
            dataset.Modality = "CT"
        dataset.save_as(tmp_path / f"{number}.dcm")
    done = cli("predict", fitted[0], tmp_path / "0.dcm", tmp_path / "1.dcm", "--out", "p.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"WARNING: 1 left out: CT, while the model learnt from {learnt} (first: " in done.stderr
    assert pd.read_csv(tmp_path / "p.csv")["sample_id"].nunique() == 1
    assert pd.read_csv(tmp_path / "p.exclusions.csv")["path"].map(os.path.basename).tolist() == ["1.dcm"]
    alone = cli("explain", fitted[0], tmp_path / "1.dcm", "--out", tmp_path / "maps", cwd=tmp_path)
    one_line(alone, "no image can be scored: all are CT, while the model learnt from")


def test_explain_writes_maps_in_the_images_own_geometry(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    from medclassify.dicom import read_header

    image = sorted((phantom / "images").iterdir())[0]
    words = ("--finding", "effusion", "--dicom")
    done = cli("explain", fitted[0], image, "--out", tmp_path / "maps", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "explanation sanity check of this model by grad_cam: " in done.stdout
    objects = sorted((tmp_path / "maps" / "dicom").iterdir())
    assert [path.name.split(".", 1)[1] for path in objects] == ["pr.dcm", "sc.dcm"]
    assert {dcmread(path).StudyInstanceUID for path in objects} == {dcmread(image).StudyInstanceUID}
    named = [path for path in (tmp_path / "maps").rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]
    assert set(named) == set(objects)  # the study's own name, and nowhere else
    saliency = np.load(next((tmp_path / "maps").glob("*.npz")), allow_pickle=False)["saliency"]
    header = read_header(image)
    assert saliency.shape == (header.rows, header.columns) and saliency.dtype == np.float32
    assert next((tmp_path / "maps").glob("*.png")).read_bytes().startswith(b"\x89PNG")
    files = pd.read_csv(tmp_path / "maps" / "files.csv")
    assert [Path(path).name for path in files["path"]] == [image.name]
    assert f"{image.name}: {files['sample_id'][0]}_*.png" in done.stdout
    assert (tmp_path / "maps" / f"{files['sample_id'][0]}_effusion.png").is_file()
    again = cli("explain", fitted[0], image, "--out", tmp_path / "maps", cwd=tmp_path)
    assert again.returncode == 1 and "not an empty folder" in again.stderr
    unknown = cli("explain", fitted[0], image, "--out", tmp_path / "x", "--finding", "efusion", cwd=tmp_path)
    assert unknown.returncode == 1 and "the model predicts" in unknown.stderr


def test_explain_says_what_it_does_not_score_and_does_not_list(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    images = sorted((phantom / "images").iterdir())[:25]
    done = cli("explain", fitted[0], *images, "--out", tmp_path / "maps", "--finding", "effusion", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    learnt = pd.read_parquet(fitted[0] / "manifest.parquet").query("split == 'train'")["sample_id"]
    train = int(pd.read_csv(tmp_path / "maps" / "files.csv")["sample_id"].isin(learnt).sum())
    assert 0 < train < 25
    assert f"  {train} of 25 are of the run's train split: not scored against known places" in done.stdout
    assert f"  … and 5 more, in {tmp_path / 'maps' / 'files.csv'}" in done.stdout
    assert set(pd.read_csv(tmp_path / "maps" / "localisation.csv")["finding"]) == {"effusion"}  # the one that was asked for


def test_index_then_evaluate_warns_of_patients_it_has_seen(fitted: Fitted, cli, tmp_path: Path, phantom: Path) -> None:
    done = cli("index", phantom / "images", "--labels", phantom / "labels.csv", "--out", "m.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scored = cli("evaluate", fitted[0], "--manifest", "m.parquet", "--out", "external", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    assert "were in the run's train, tune or calibrate split" in scored.stderr
    assert (tmp_path / "external" / "audit" / "report.html").is_file()
    report = (tmp_path / "external" / "audit" / "report.html").read_text()
    assert "patients here were in the run" in report and "Not checked" not in report
    own = cli("evaluate", fitted[0], "--manifest", fitted[0] / "manifest.parquet", "--out", "own", cwd=tmp_path)
    assert own.returncode == 0, own.stderr
    splits = pd.read_parquet(fitted[0] / "manifest.parquet")["split"]
    aside = f"{(splits == 'test').sum()} test samples evaluated, {(splits != 'test').sum()} of other splits set aside"
    assert aside in own.stdout and "figures are too good" not in own.stderr
    assert set(pd.read_parquet(tmp_path / "own" / "predictions.parquet")["split"]) == {"test"}
    assert json.loads((tmp_path / "own" / "audit" / "audit.json").read_text())["facts"]["leakage"]["clean"] is True
    fewer = read_manifest(tmp_path / "m.parquet")
    first, *others = fewer.findings
    write_manifest(replace(fewer, frame=fewer.frame.drop(columns=first), findings=tuple(others)), tmp_path / "fewer.parquet")
    lacking = cli("evaluate", fitted[0], "--manifest", "fewer.parquet", "--out", "lacking", cwd=tmp_path)
    assert lacking.returncode == 1 and f"has no column for {first}, which the model predicts" in lacking.stderr
    assert not (tmp_path / "lacking").exists()
    full = cli("evaluate", fitted[0], "--manifest", "m.parquet", "--out", "external", cwd=tmp_path)
    assert full.returncode == 1 and "exists and is not an empty folder" in full.stderr


def test_audit_of_a_run_and_of_a_foreign_table(fitted: Fitted, cli, tmp_path: Path) -> None:
    done = cli("audit", fitted[0], "--out", tmp_path / "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, again = ((folder / "report.html").read_text() for folder in (fitted[0] / "audit", tmp_path / "again"))
    assert again.count(", audited again") == 2  # the window's title and the heading
    assert again.replace(", audited again", "") == first  # nothing that the first report told is lost
    table = pd.read_parquet(fitted[0] / "predictions.parquet")
    one = table[(table["finding"] == "cardiomegaly") & (table["split"] == "test")]
    one.rename(columns={"prob_cal": "probability"})[["patient_id", "target", "probability", "sex"]].to_csv(
        tmp_path / "t.csv", index=False
    )
    foreign = cli("audit", "--predictions", "t.csv", "--attributes", "sex", cwd=tmp_path)
    assert foreign.returncode == 0, foreign.stderr
    assert (tmp_path / "t-audit" / "report.html").is_file()
    neither = cli("audit", cwd=tmp_path)
    assert neither.returncode == 1 and "needs either RUN or --predictions FILE" in neither.stderr


def test_a_multiclass_fit_has_probabilities_that_add_up(cli, tmp_path: Path, phantom: Path, small_config: Path) -> None:
    labels = pd.read_csv(phantom / "labels.csv")
    labels["path"] = [str(phantom / path) for path in labels["path"]]
    labels["enlarged"], labels["ordinary"] = labels["cardiomegaly"], 1 - labels["cardiomegaly"]
    labels[["path", "patient_id", "enlarged", "ordinary"]].to_csv(tmp_path / "two.csv", index=False)
    words = ("--data.labels", tmp_path / "two.csv", "--data.task", "multiclass", "--run_dir", tmp_path / "run")
    done = cli("fit", small_config, *words, "--trainer.max_epochs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    sums = predictions.groupby("sample_id")[["prob_raw", "prob_cal"]].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-9)


def test_weights_of_the_bundle_are_the_kept_epochs(fitted: Fitted) -> None:
    import torch

    run, _ = fitted
    kept = torch.load(run / "checkpoints" / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    bundle = load_file(run / "model" / "model.safetensors")
    for name, value in bundle.items():
        np.testing.assert_array_equal(value, kept[f"network.{name}"].numpy())


def test_no_personal_data_in_anything_written(fitted: Fitted, phantom: Path) -> None:
    run, output = fitted
    header = next((phantom / "images").iterdir()).read_bytes()
    assert b"CANARY" in header  # the word is there to be leaked
    assert "CANARY" not in output and "PHANTOM0" not in output
    leaks = [path for path in run.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]
    assert leaks == []
    manifest = pd.read_parquet(run / "manifest.parquet")
    assert not manifest.astype(str).apply(lambda column: column.str.contains("CANARY|PHANTOM0")).any().any()


@pytest.mark.parametrize("verb", ["index", "fit", "evaluate", "predict", "audit", "explain", "review", "verify"])
def test_help_has_a_worked_example(verb: str, cli, tmp_path: Path) -> None:
    done: subprocess.CompletedProcess[str] = cli(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0 and f"example: medclassify {verb}" in done.stdout


def test_explanations_are_checked_scored_and_have_similar_cases(fitted: Fitted) -> None:
    run, output = fitted
    sanity = json.loads((run / "explain" / "sanity.json").read_text())
    assert sanity["method"] == "grad_cam" and sanity["passed"] is (not sanity["reasons"])
    manifest = pd.read_parquet(run / "manifest.parquet").set_index("sample_id")
    table = pd.read_csv(run / "explain" / "localisation.csv")
    whole = table[table["attribute"] == "all"].set_index(["finding", "metric"])
    test = manifest[manifest["split"] == "test"]
    for finding in ("effusion", "nodule"):
        assert whole.loc[(finding, "energy"), "n"] == (test[finding] == 1).sum()
    assert set(table["attribute"]) == {"all", "sex", "age_band", "view", "site"}
    assert "scoring maps against" in output and "chance" in output
    near = pd.read_parquet(run / "explain" / "neighbours.parquet")
    assert set(near["kind"]) == {"similar", "counter", "prototype"}
    assert set(manifest.loc[near["neighbour_id"], "split"]) == {"train"}
    assert set(near.loc[near["kind"] == "similar", "sample_id"]) == set(test.index)
    report = (run / "audit" / "report.html").read_text()
    assert "Maps against known places of the finding" in report and "Better than both?" in report
