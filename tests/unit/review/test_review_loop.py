"""From images to labels and back: what was read is what ``index`` reads; and what the owner does from the command line."""

import io
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_files import write_run

from medclassify.cli import main
from medclassify.dicom import NewInstance, write_image
from medclassify.manifest import read_manifest, write_manifest
from medclassify.records import Answer, Identity, Presence, Verdict
from medclassify.review import Desk, answer_to, named_reader, open_review_run, open_review_store

NASTY = "<script>alert('x')</script> '; DROP TABLE events; -- ../../etc/passwd =1+1 \x00 漢字"
FIRST = (Answer("effusion", Presence.ABSENT, 60, comment=NASTY), Answer("nodule", Presence.ABSENT, 20))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four radiographs whose headers name a patient, and their labels."""
    folder = tmp_path / "images"
    folder.mkdir()
    rows = []
    for k in range(4):
        pixels = np.random.default_rng(k).integers(0, 4096, (64, 64)).astype(np.uint16)
        who = NewInstance(
            photometric="MONOCHROME2",
            patient_id=f"CANARY-{k}",
            patient_name="CANARY^Jane",
            birth_date="19500101",
            accession="CANARY-ACC",
            view="PA",
        )
        write_image(folder / f"{k}.dcm", pixels, who)
        rows.append({"path": f"{k}.dcm", "split": "test" if k < 2 else "train", "effusion": k % 2, "nodule": 0})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


def indexed(images: Path, labels: Path, out: Path) -> pd.DataFrame:
    assert main(["index", str(images), "--labels", str(labels), "--out", str(out)]) == 0
    return read_manifest(out).frame


@pytest.fixture
def run(images: Path, tmp_path: Path) -> Path:
    """A run whose model calls an effusion in every image, and no nodule."""
    frame = indexed(images, images / "labels.csv", tmp_path / "manifest.parquet")
    predictions = pd.DataFrame(
        [
            {
                "sample_id": row["sample_id"], "patient_id": row["patient_id"], "finding": finding, "target": row[finding],
                "logit": 0.0, "prob_raw": p, "prob_cal": p, "threshold": t, "decision": p >= t,
                "split": row["split"], "view": "PA",
            }
            for _, row in frame.iterrows()
            for finding, p, t in (("effusion", 0.9, 0.3), ("nodule", 0.1, 0.5))
        ]
    )  # fmt: skip
    root = write_run(tmp_path / "run", predictions)
    write_manifest(read_manifest(tmp_path / "manifest.parquet"), root / "manifest.parquet")
    return root


def read(run: Path, who: Identity, verdicts: dict[str, Verdict]) -> None:
    """Reads every sample; the verdict on the effusion is given by split."""
    opened = open_review_run(run)
    desk = Desk(opened, open_review_store(opened.layout))
    for sample_id, split in opened.predictions.drop_duplicates("sample_id")[["sample_id", "split"]].itertuples(index=False):
        reading, items = desk.reveal(who, desk.lock_first(who, desk.open(who, sample_id), FIRST, seconds=1))
        given = [
            answer_to(items[0], verdicts[split], confidence=90, comment=NASTY),
            answer_to(items[1], Verdict.ACCEPT, confidence=9),
        ]
        desk.answer(who, reading, given, seconds=1)


def test_what_was_read_is_what_index_reads(run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(run, named_reader("Dr Ida"), {"train": Verdict.REJECT, "test": Verdict.ACCEPT})
    labels, again = tmp_path / "reviewed.csv", tmp_path / "again.parquet"
    assert main(["review", str(run), "--labels", str(labels)]) == 0
    said = capsys.readouterr().out
    assert "4 of them read: 8 labels from readers, 2 of them new or changed" in said
    assert f"next: medclassify index IMAGES --labels {labels} --out reviewed.parquet" in said
    before = read_manifest(run / "manifest.parquet").frame.set_index("sample_id")
    after = indexed(images, labels, again).set_index("sample_id").loc[before.index]
    assert after["effusion"].tolist() == [1 if split == "test" else 0 for split in before["split"]]
    assert after["split"].tolist() == before["split"].tolist()
    assert after["patient_id"].tolist() == before["patient_id"].tolist()
    assert set(after["reviewed"]) == {"yes"}


def test_nobodys_name_reaches_store_or_files(run: Path, tmp_path: Path) -> None:
    read(run, named_reader("Dr Ida"), {"train": Verdict.REJECT, "test": Verdict.ACCEPT})
    assert main(["review", str(run), "--export", str(tmp_path / "all.csv")]) == 0
    assert main(["review", str(run), "--export", str(tmp_path / "all.parquet")]) == 0
    assert main(["review", str(run), "--labels", str(tmp_path / "reviewed.csv")]) == 0
    written = [*run.glob("reviews.sqlite*"), *(tmp_path / name for name in ("all.csv", "all.parquet", "reviewed.csv"))]
    assert len(written) >= 4
    for path in written:
        assert b"CANARY" not in path.read_bytes(), path.name
    assert pd.read_parquet(tmp_path / "all.parquet")["comment"].iloc[0] == NASTY


def test_no_labels_are_written_of_nothing(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(run), "--labels", str(tmp_path / "reviewed.csv")]) == 1
    assert "no sample has been read to its end, so there are no new labels" in capsys.readouterr().err
    assert not (tmp_path / "reviewed.csv").exists()


def test_the_chain_is_checked_from_the_command_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(run, named_reader("Dr Ida"), {"train": Verdict.REJECT, "test": Verdict.ACCEPT})
    assert main(["review", str(run), "--verify"]) == 0
    assert "16 lines, unbroken and unchanged. Head: " in capsys.readouterr().out
    with sqlite3.connect(run / "reviews.sqlite") as store:
        store.execute("DROP TRIGGER events_no_update")
        store.execute("UPDATE events SET reader = 'Dr Oz' WHERE number = 7")
    assert main(["review", str(run), "--verify"]) == 1
    said = capsys.readouterr().err
    assert "the chain of readings is broken: line 7 was changed after it was stored. The 6 lines before it are" in said


def test_accounts_are_made_from_the_command_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["review", str(run)]
    assert main([*words, "--address", "0.0.0.0"]) == 1
    assert "open to others without anyone signing in. Add an account first: medclassify review" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main([*words, "--add-account", "ida"]) == 1
    assert "ida: a password has 15 to 1000 characters" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert main([*words, "--add-account", "ida", "--roles", "reader", "auditor"]) == 0
    assert main([*words, "--add-account", "eve", "--oidc", "eve@hospital.example"]) == 0
    assert main([*words, "--close-account", "eve"]) == 0
    assert main([*words, "--close-account", "nobody"]) == 1
    assert main([*words, "--address", "hospital"]) == 1
    assert "not an address" in capsys.readouterr().err


def test_the_test_split_is_shared_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(run), "--assign", "ida", "oz", "--per-sample", "1"]) == 0
    assert "assigned 2 samples of the test split, 1 readers each: ida 1, oz 1" in capsys.readouterr().out
    assert main(["review", str(run), "--assign", "ida"]) == 1
    assert "2 readers a sample are wanted, and 1 are named" in capsys.readouterr().err
