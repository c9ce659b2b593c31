"""Predict goes on after a stop, mixes no two models or sources, and writes each image once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.errors import ManifestError, RunError
from medclassify.manifest import keep_samples, read_manifest
from medclassify.workflows import score_pieces
from medclassify.workflows.predict import predict
from medclassify.workflows.score_pieces import ScoredPiece, pieces_of, read_scores
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.tables import growing_table


@pytest.fixture
def run(fitted: tuple[Path, str], state: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", state["MEDCLASSIFY_KEY_FILE"])
    return fitted[0]


def test_a_stopped_predict_goes_on_and_ends_with_the_table_of_one_that_was_not(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, written = [str(run / "manifest.parquet")], []
    whole = predict(run, source, tmp_path / "whole.parquet")
    assert (whole.rows, len(whole.first), len(whole.files)) == (149 * 5, 20, 149)
    real = score_pieces.write_arrays

    def stop(target: Path, *rest) -> None:  # type: ignore[no-untyped-def]
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(target)
        real(target, *rest)

    monkeypatch.setattr(score_pieces, "write_arrays", stop)
    with pytest.raises(RunError, match=r"stopped. 2 finished pieces are kept in .*: the same command goes on from there"):
        predict(run, source, tmp_path / "stopped.parquet")
    assert not (tmp_path / "stopped.parquet").exists()
    before = {path: path.stat().st_mtime_ns for path in written}
    monkeypatch.setattr(score_pieces, "write_arrays", lambda target, *rest: (written.append(target), real(target, *rest)))
    capsys.readouterr()
    predict(run, source, tmp_path / "stopped.parquet")
    assert "going on: 64 of 149 images were scored by an earlier call" in capsys.readouterr().out
    assert len(written) == 5 and len(set(written)) == 5 and set(written[:2]) == set(before)
    ours, theirs = pd.read_parquet(tmp_path / "stopped.parquet"), pd.read_parquet(tmp_path / "whole.parquet")
    pd.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1e-6)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "pieces and lock are cleared away"


def test_pieces_are_named_after_model_and_files(run: Path, tmp_path: Path) -> None:
    scorer, manifest = Scorer.of_run(run / "model"), read_manifest(run / "manifest.parquet")
    other = replace(scorer, bundle=replace(scorer.bundle, fingerprint="of other weights"))
    fewer = keep_samples(manifest, manifest.frame["sample_id"][1:])
    folders = {
        pieces_of(samples, model, tmp_path)[0].path.parent
        for samples, model in ((manifest, scorer), (manifest, other), (fewer, scorer), (manifest, scorer))
    }
    assert len(folders) == 3
    pieces = pieces_of(manifest, scorer, tmp_path)
    assert [piece.start for piece in pieces] == [0, 32, 64, 96, 128] and pieces[-1].stop == 149


def test_a_piece_that_does_not_hold_its_samples_is_refused(run: Path, tmp_path: Path) -> None:
    scorer, manifest = Scorer.of_run(run / "model"), read_manifest(run / "manifest.parquet")
    ids = manifest.frame["sample_id"].tolist()
    for samples, logits in ((ids[:3], 2), (ids[1:4], 3)):
        facts = {"samples": samples, "exclusions": []}
        score_pieces.write_arrays(tmp_path / "p.npz", facts, {"scored": np.ones(3, bool), "logits": np.zeros((logits, 5))})
        with pytest.raises(RunError, match="does not hold each of its samples once. Remove its folder"):
            list(read_scores([ScoredPiece(0, 3, tmp_path / "p.npz", tuple(ids[:3]), ())], manifest, scorer))


def test_no_readable_image_keeps_nothing(run: Path, tmp_path: Path) -> None:
    pd.DataFrame({"path": ["gone.dcm"], "effusion": [1]}).to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(ManifestError, match=r"nothing of 1 image could be read \(first: .*no such file"):
        predict(run, [str(tmp_path / "m.csv")], tmp_path / "p.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_that_grows_in_parts_is_the_table(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medclassify.workflows.tables._ROWS", 7)
    table = pd.DataFrame({"a": np.arange(25), "b": [f"{n}, x" if n % 3 else None for n in range(25)]})
    with growing_table(tmp_path / name, 4) as writer:
        for start in range(0, 25, 5):
            writer.add(table.iloc[start : start + 5])
    read = pd.read_csv(tmp_path / name) if name.endswith("csv") else pd.read_parquet(tmp_path / name)
    pd.testing.assert_frame_equal(read, table)
    assert writer.rows == 25 and writer.first["a"].tolist() == [0, 1, 2, 3]
