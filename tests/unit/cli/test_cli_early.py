"""What is mistyped is told at once: before torch, whose import takes seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from medclassify.runs import RunLayout, write_provenance

_PROGRAM = """
import sys
from medclassify.cli import main
code = main(sys.argv[1:])
heavy = {"torch", "pydicom", "timm"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def command(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    program = [sys.executable, "-c", _PROGRAM, *words.split()]
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    layout = RunLayout(tmp_path / "run")
    layout.model.mkdir(parents=True)
    layout.config.write_text("{}")
    (layout.model / "model.json").write_text(json.dumps({"findings": ["effusion", "nodule"]}))
    pd.DataFrame({"sample_id": ["a"], "sex": ["F"]}).to_parquet(layout.predictions)
    write_provenance(layout, {})
    (tmp_path / "plain.yaml").write_text("seed_everything: 1")
    (tmp_path / "here.dcm").write_bytes(b"")
    (tmp_path / "theirs.csv").write_text("score,target,sex\n0.1,0,F\n")
    return layout.root


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("predict RUN nope.dcm", "nope.dcm: no such file or folder. Check the path."),
        ("predict nowhere here.dcm", "nowhere: no such run directory"),
        ("predict RUN here.dcm --out p.xlsx", "--out p.xlsx: unknown kind of table '.xlsx'. Name it .parquet or .csv."),
        ("explain RUN here.dcm --out maps --finding efusion", "the model predicts effusion, nodule. Did you mean effusion?"),
        ("explain RUN here.dcm --out RUN", "run: exists and is not an empty folder. Choose another one with --out."),
        ("explain RUN nope.dcm --out maps", "nope.dcm: no such file or folder"),
        ("evaluate RUN --manifest .", "--manifest .: is a folder. Make a manifest of it first: medclassify index . --labels"),
        ("evaluate RUN --manifest nope.parquet", "--manifest nope.parquet: no such file. Make one with: medclassify index"),
        ("evaluate RUN --manifest here.dcm", "--manifest here.dcm: a manifest is a .parquet or a .csv file"),
        (
            "audit RUN --attributes sex,sexx",
            "--attributes sexx: no column of RUN/predictions.parquet. Its columns are sample_id",
        ),
        ("audit --predictions theirs.csv --attributes sexx", "'sexx' is not an attribute column; it has: sex."),
        ("index here.dcm --labels l.csv --out m.xlsx", "--out m.xlsx: unknown kind of table '.xlsx'"),
        ("index nope --labels l.csv", "nope: no such file or folder"),
        ("fit generic.yaml --data.source nope", "data.source nope: no such file or folder. Check the path."),
        ("fit plain.yaml --data.source .", "data.labels is not set, and . is not a manifest"),
        ("fit generic.yaml --data.source . --data.labels l.csv", "no label table: looked for l.csv. Check the name"),
    ],
)
def test_it_is_refused_before_anything_heavy_is_imported(run: Path, tmp_path: Path, words: str, message: str) -> None:
    done = command(tmp_path, words.replace("RUN", "run"))
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("medclassify: ") and message.replace("RUN", "run") in done.stderr, done.stderr


@pytest.mark.parametrize("verb", ["predict RUN here.dcm", "explain RUN here.dcm --out maps", "evaluate RUN"])
def test_a_model_that_was_changed_since_the_fit_is_refused(run: Path, tmp_path: Path, verb: str) -> None:
    path = run / "model" / "model.json"
    path.write_text(path.read_text().replace("nodule", "tumour"))
    done = command(tmp_path, verb.replace("RUN", "run"))
    assert done.returncode == 1 and "run/model/model.json: changed since the fit, so its thresholds" in done.stderr
    path.unlink()
    gone = command(tmp_path, verb.replace("RUN", "run"))
    assert "run/model/model.json: is not there. See what else is missing: medclassify verify run" in gone.stderr
