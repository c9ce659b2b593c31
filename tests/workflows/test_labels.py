"""A published layout from its files to a run: readers who differ, uncertain labels, and boxes."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.config import DataConfig
from medclassify.workflows.index import index_data

Cli = Callable[..., subprocess.CompletedProcess[str]]
FINDINGS = {"effusion": "Pleural effusion", "nodule": "Nodule/Mass"}
CONFIG = """
seed_everything: 1
data: {source: IMAGES, labels: LABELS, format: vindr-cxr-soft, image_size: 32, batch_size: 16, attributes: [sex]}
model: {backbone: test_efficientnet, weights: none}
trainer: {max_epochs: 1}
explain: {samples: 0}
audit: {bootstrap: 100}
"""


@pytest.fixture(scope="module")
def vindr(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom's labels as three readers of VinDr-CXR would give them; the third overlooks every fifth effusion."""
    truth = pd.read_csv(phantom / "labels.csv", dtype="str")
    rows = pd.DataFrame({"image_id": truth["path"].map(lambda path: Path(path).stem)}).assign(
        **{name: truth[column].astype(int) for column, name in FINDINGS.items()}
    )
    readers = [rows.assign(rad_id=f"R{number}") for number in (1, 2, 3)]
    overlooked = np.flatnonzero(rows["Pleural effusion"] == 1)[::5]
    readers[2].loc[overlooked, "Pleural effusion"] = 0
    folder = tmp_path_factory.mktemp("vindr")
    table = pd.concat(readers)[["image_id", "rad_id", *FINDINGS.values()]]
    table.to_csv(folder / "image_labels_train.csv", index=False)
    boxed = rows[rows["Nodule/Mass"] == 1]["image_id"]
    pd.DataFrame(
        {"image_id": boxed, "rad_id": "R1", "class_name": "Nodule/Mass", "x_min": 5, "y_min": 6, "x_max": 25, "y_max": 16}
    ).to_csv(folder / "annotations_train.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def config(vindr: Path, phantom: Path) -> Path:
    path = vindr / "vindr.yaml"
    path.write_text(
        CONFIG.replace("IMAGES", str(phantom / "images")).replace("LABELS", str(vindr / "image_labels_train.csv")),
        encoding="utf-8",
    )
    return path


def test_a_fit_learns_uncertain_labels_as_told_and_scores_certain_ones(cli: Cli, config: Path, tmp_path: Path) -> None:
    done = cli("fit", config, "--run_dir", tmp_path / "run", "--data.uncertain", "{Pleural effusion: ones}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = pd.read_parquet(tmp_path / "run" / "manifest.parquet")
    uncertain = manifest[manifest["Pleural effusion"] == -1]
    learnt = int((uncertain["split"] == "train").sum())
    assert 0 < learnt < len(uncertain)
    assert re.findall(r"uncertain: .*", done.stdout) == [f"uncertain: {learnt} Pleural effusion labels taken as 1 in train"]
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    scored = predictions[predictions["finding"] == "Pleural effusion"].set_index("sample_id")["target"]
    assert scored.reindex(uncertain["sample_id"][uncertain["split"] != "train"]).isna().all()
    assert scored.notna().any()

    boxes = pd.read_parquet(tmp_path / "run" / "manifest.boxes.parquet")
    positive = manifest["sample_id"][manifest["Nodule/Mass"] == 1]
    assert sorted(boxes["sample_id"]) == sorted(positive)
    assert boxes[["left", "top", "width", "height"]].drop_duplicates().to_numpy().tolist() == [[5, 6, 20, 10]]
    assert f"annotations_train.csv: {len(positive)} boxes on {len(positive)} images" in done.stdout


def test_a_misnamed_finding_stops_before_images_are_decoded(cli: Cli, config: Path, tmp_path: Path) -> None:
    done = cli("fit", config, "--run_dir", tmp_path / "run", "--data.uncertain", "{Pleural efusion: ones}", cwd=tmp_path)
    assert done.returncode == 1
    assert "data.uncertain names no finding 'Pleural efusion'; did you mean 'Pleural effusion'?" in done.stderr
    assert "preparing images" not in done.stdout + done.stderr


def test_index_keeps_boxes_beside_the_manifest_until_there_are_none(
    cli: Cli, vindr: Path, phantom: Path, tmp_path: Path
) -> None:
    words = ("index", phantom / "images", "--out", tmp_path / "m.parquet")
    labels = vindr / "image_labels_train.csv"
    done = cli(*words, "--labels", labels, "--format", "vindr-cxr-any", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "image_labels_train.csv: read as vindr-cxr-any, " in done.stdout
    assert (tmp_path / "m.boxes.parquet").is_file()
    done = cli(*words, "--labels", phantom / "labels.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "m.boxes.parquet").exists()


def test_a_damaged_file_is_told_once_and_a_typing_error_is_a_warning(
    phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its row in the table does find an image, which cannot be read; and one letter among labels hides a whole finding."""
    names = [path.name for path in sorted((phantom / "images").iterdir())[:20]]
    for name in names:
        shutil.copy(phantom / "images" / name, tmp_path / name)
    (tmp_path / names[3]).write_bytes((tmp_path / names[3]).read_bytes()[:300])
    rows = pd.DataFrame({"path": [*names, "gone.dcm"], "effusion": 1, "nodule": ["0"] * 20 + ["x"]})
    rows.to_csv(tmp_path / "labels.csv", index=False)
    indexed = index_data(DataConfig(source=str(tmp_path), labels=str(tmp_path / "labels.csv")))
    told = [(Path(each.path).name, each.reason) for each in indexed.exclusions if each.path != str(tmp_path / "labels.csv")]
    assert told == [(names[3], "unreadable: damaged or cut short"), ("gone.dcm", "no image")]
    shown = capsys.readouterr()
    assert "WARNING: labels.csv: column nodule is taken as an attribute because of 1 value that is no label" in shown.err
    assert "column nodule" not in shown.out.replace("attributes: nodule", "")
