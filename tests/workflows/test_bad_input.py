"""Bad input: one line, exit code 1, nothing half-written, and the rest goes on where it can."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from outcomes import nothing_left, one_line

from medclassify.config import PhantomConfig
from medclassify.phantom import render_dataset


def fit(cli, config: Path, folder: Path, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return cli("fit", config, "--run_dir", folder / "run", *words, cwd=folder, **environment)


def test_a_folder_with_no_images(cli, small_config: Path, phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("nothing here")
    done = fit(cli, small_config, tmp_path, "--data.source", tmp_path / "empty", "--data.labels", phantom / "labels.csv")
    one_line(done, "no DICOM, PNG or JPEG image found")
    assert not (tmp_path / "run").exists()


def test_no_such_folder(cli, small_config: Path, phantom: Path, tmp_path: Path) -> None:
    done = fit(cli, small_config, tmp_path, "--data.source", "nowhere", "--data.labels", phantom / "labels.csv")
    one_line(done, "nowhere")
    nothing_left(tmp_path)


def test_no_labels_named(cli, phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        f"data: {{source: {phantom / 'images'}}}\nmodel: {{backbone: test_efficientnet, weights: none}}"
    )
    one_line(fit(cli, tmp_path / "c.yaml", tmp_path), "data.labels is not set", "--data.labels FILE")


def test_labels_that_match_no_image(cli, small_config: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,patient_id,effusion\nother/a.dcm,p1,1\nother/b.dcm,p2,0\n")
    one_line(fit(cli, small_config, tmp_path, "--data.labels", tmp_path / "labels.csv"), "labels.csv", "a.dcm")
    nothing_left(tmp_path, ignore=["labels.csv"])


def test_a_label_file_that_is_not_there(cli, small_config: Path, tmp_path: Path) -> None:
    one_line(fit(cli, small_config, tmp_path, "--data.labels", "none.csv"), "no label table", "none.csv")


def test_a_corrupt_file_among_good_ones_is_counted_and_the_rest_goes_on(
    cli, small_config: Path, phantom: Path, tmp_path: Path
) -> None:
    dataset = tmp_path / "dataset"
    shutil.copytree(phantom, dataset, ignore=shutil.ignore_patterns("masks"))
    first, second = sorted((dataset / "images").iterdir())[:2]
    first.write_bytes(first.read_bytes()[: len(first.read_bytes()) // 2])  # pixel data cut off: the header still reads
    second.write_bytes(b"\0" * 128 + b"DICM" + b"garbage" * 50)
    words = ("--data.source", dataset / "images", "--data.labels", dataset / "labels.csv", "--trainer.max_epochs", "1")
    done = fit(cli, small_config, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    excluded = pd.read_csv(tmp_path / "run" / "exclusions.csv")
    assert set(excluded["path"].map(os.path.basename)) >= {first.name, second.name}
    manifest = pd.read_parquet(tmp_path / "run" / "manifest.parquet")
    total = len(list((dataset / "images").iterdir()))
    assert len(manifest) == total - 2
    assert "1 left out: unreadable" in done.stderr


def test_one_class_only(cli, small_config: Path, phantom: Path, tmp_path: Path) -> None:
    labels = pd.read_csv(phantom / "labels.csv")
    labels["path"], labels["effusion"] = [str(phantom / path) for path in labels["path"]], 0
    labels.to_csv(tmp_path / "labels.csv", index=False)
    done = fit(cli, small_config, tmp_path, "--data.labels", tmp_path / "labels.csv")
    one_line(done, "effusion")
    nothing_left(tmp_path, ignore=["labels.csv"])


def test_patients_in_two_splits(cli, small_config: Path, tmp_path: Path) -> None:
    config = PhantomConfig(patients=70, seed=5, faults=("patient_in_two_splits",))
    dataset = render_dataset(tmp_path / "phantom", config)
    source = ("--data.source", dataset / "images", "--data.labels", dataset / "labels.csv")
    one_line(fit(cli, small_config, tmp_path, *source), "in both", "allow")
    assert not (tmp_path / "run").exists()
    reason = "a planted fault, for a test"
    allowed = fit(cli, small_config, tmp_path, *source, "--allow-leakage", reason, "--trainer.max_epochs", "1")
    assert allowed.returncode == 0, allowed.stderr
    assert reason in (tmp_path / "run" / "audit" / "report.html").read_text() and reason in allowed.stderr


def test_an_unknown_key(cli, small_config: Path, tmp_path: Path) -> None:
    one_line(fit(cli, small_config, tmp_path, "--trainer.max_epoch", "3"), "did you mean --trainer.max_epochs?")
    nothing_left(tmp_path)


def test_an_attribute_that_is_no_column(cli, small_config: Path, tmp_path: Path) -> None:
    one_line(fit(cli, small_config, tmp_path, "--data.attributes", "[sex, race]"), "'race' is not a column")
    assert not (tmp_path / "run").exists()


def test_weights_that_cannot_be_had(program, small_config: Path, tmp_path: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}
    done = fit(program, small_config, tmp_path, "--model.weights", "imagenet", **nobody)
    one_line(done, "is not cached and cannot be downloaded", "--model.weights FILE.safetensors")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(cli, small_config: Path, fitted: tuple[Path, str], tmp_path: Path) -> None:
    run, _ = fitted
    one_line(cli("fit", small_config, "--run_dir", run, cwd=tmp_path), "holds a run already")
    one_line(cli("fit", run / "config.yaml", "--ckpt_path", "last", cwd=tmp_path), "has finished already")
    one_line(cli("fit", small_config, "--ckpt_path", "last", cwd=tmp_path), "no unfinished run of small")


@pytest.mark.parametrize("verb", ["predict", "verify", "evaluate", "explain"])
def test_a_folder_that_is_no_run(verb: str, cli, tmp_path: Path, phantom: Path) -> None:
    words = {"predict": ["a.dcm"], "explain": ["a.dcm", "--out", "maps"]}.get(verb, [])
    one_line(cli(verb, tmp_path / "none", *words, cwd=tmp_path), "no such run directory")
    one_line(cli(verb, phantom, *words, cwd=tmp_path), "not a run directory")


def test_a_full_disk(cli, small_config: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small disk needs root and mount")
    try:
        full_cache = cli(
            "fit", small_config, "--run_dir", tmp_path / "run", cwd=tmp_path, MEDCLASSIFY_CACHE=str(disk / "cache")
        )
        one_line(full_cache, "the disk is full")
        assert not (tmp_path / "run").exists() and not list(disk.rglob("*.part*"))
        shutil.rmtree(disk / "cache", ignore_errors=True)
        full_run = cli("fit", small_config, "--run_dir", disk / "run", cwd=tmp_path)
        one_line(full_run, "the disk is full")
        assert not (disk / "run" / "provenance.json").exists() and not list(disk.rglob("*.part*"))
    finally:
        subprocess.run(["umount", disk], check=True)


STAGES = {
    "reading": "random initial weights",
    "preparing": "manifest: ",
    "training": "fine-tuning: ",
    "later": "kept epoch",
}


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_leaves_nothing_half_written_and_the_run_can_go_on(
    stage: str, cli, state, small_config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    environment = {**state, "MEDCLASSIFY_CACHE": str(tmp_path / "cache")}  # its own: preparing must take its time
    words = [sys.executable, "-m", "medclassify", "fit", str(small_config), "--run_dir", str(run), "--trainer.max_epochs", "3"]
    with subprocess.Popen(
        words,
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a suite that runs in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if STAGES[stage] in line:
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert "stopped" in next(line for line in errors.splitlines() if line.startswith("medclassify: "))
    assert not list(tmp_path.rglob("*.part*")) and not (run / "provenance.json").exists()
    if (run / "config.yaml").exists():
        again = ("fit", run / "config.yaml", "--run_dir", run, "--ckpt_path", "last")
        resumed = cli(*again, cwd=tmp_path, MEDCLASSIFY_CACHE=environment["MEDCLASSIFY_CACHE"])
        assert resumed.returncode == 0, resumed.stderr
        assert (run / "provenance.json").is_file()
    else:
        assert "Nothing was written" in errors


def test_being_told_to_stop_ends_with_a_line_as_ctrl_c_does(state, small_config: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "medclassify", "fit", str(small_config), "--run_dir", str(tmp_path / "run")]
    with subprocess.Popen(words, env=state, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "random initial weights" in line:
                break
        process.terminate()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "medclassify: stopped while reading the data" in errors, errors


def test_a_killed_fit_resumes_to_the_same_weights_as_an_unbroken_one(cli, state, small_config: Path, tmp_path: Path) -> None:
    def words(run: Path, *more: str) -> list[str]:
        return ["fit", str(small_config), "--run_dir", str(run), "--trainer.max_epochs", "4", *more]

    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    whole = cli(*words(unbroken), cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "medclassify", *words(killed)]
    with subprocess.Popen(
        command, env=state, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 2/4" in line:
                break
        process.kill()
    done = cli(*words(killed, "--ckpt_path", "last"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ours, theirs = (pd.read_parquet(run / "predictions.parquet") for run in (killed, unbroken))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-4, atol=1e-5)
