"""Real Dask schedulers and workers in processes of their own: killed workers, killed commands, files that kill."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.data import pieces, prepare_store
from medclassify.data.marks import KILLED_ITS_WORKER
from medclassify.data.store import Decode
from medclassify.dicom import NewInstance, write_image
from medclassify.records import Exclusion, Preprocessing
from medclassify.workflows.cluster import connect
from medclassify.workflows.on_cluster import decode_on

pytest.importorskip("distributed")
NAME = "CAN" + "ARY^NAME"
SMALL = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5), interpolation="bicubic", window="voi")
# Workers take their time, so that there is a midst to be killed in, and die of one file as of too little memory.
FAULTY = """
import os, signal, time
from medclassify.data import marks, workers
def prepare_in_workers(paths, preprocessing, **options):
    for number, path in enumerate(paths):
        time.sleep(0.01)
        if "killer" in path:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from workers.prepare_in_workers([path], preprocessing, **options)
marks.prepare_in_workers = prepare_in_workers
"""


@dataclass
class Site:
    """A scheduler, its workers, and what they print."""

    address: str
    workers: list[subprocess.Popen[bytes]]
    logs: Path

    def said(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.logs.glob("*.log"))


@contextmanager
def cluster(folder: Path, environment: dict[str, str], workers: int, *options: str) -> Iterator[Site]:
    def start(name: str, *words: str) -> subprocess.Popen[bytes]:
        with open(folder / f"{name}.log", "wb") as log:
            command = [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *words[1:], "--no-dashboard"]
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder)

    (folder / "preload.py").write_text(FAULTY)
    file = folder / "scheduler.json"
    scheduler = start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    plan = ["worker", "--scheduler-file", str(file), "--nthreads", "1", "--death-timeout", "30"]
    plan += ["--preload", str(folder / "preload.py"), "--local-directory", str(folder / "scratch"), *options]
    started = [start(f"worker{number}", *plan) for number in range(workers)]
    try:
        until = time.monotonic() + 60
        while not file.is_file():
            assert time.monotonic() < until and scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        yield Site(str(file), started, folder)
    finally:
        for process in (*started, scheduler):
            process.kill() if "--no-nanny" in options else process.terminate()
        for process in (*started, scheduler):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:  # a nanny that was just starting a worker
                process.kill()
                process.wait()


@pytest.fixture
def environment(state: dict[str, str]) -> dict[str, str]:
    return {**state, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "60s"}


def images(folder: Path, count: int, names: Callable[[int], str] = str) -> list[tuple[str, str]]:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 4096, (40, 30 + number % 7), dtype=np.uint16)
        facts = NewInstance(patient_id=NAME, sop_uid=f"2.25.{number + 1}", window_center=2048, window_width=4096)
        write_image(folder / f"{names(number)}.dcm", pixels, facts)
    return [(f"{number}", str(folder / f"{names(number)}.dcm")) for number in range(count)]


def test_a_worker_killed_midway_loses_nothing_and_nothing_is_there_twice(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_FEWEST", 8)
    samples = images(tmp_path / "images", 96)
    (tmp_path / "images" / "5.dcm").write_text("no image")
    expected, left_out = prepare_store(samples, SMALL, cache=tmp_path / "here")
    with cluster(tmp_path, environment, 2, "--no-nanny") as site, connect(site.address) as dask:
        until = time.monotonic() + 60
        while dask.threads() < 2:
            assert time.monotonic() < until, site.said()
            time.sleep(0.05)

        def kill(done: int, total: int) -> None:
            if done == 8:
                site.workers[0].kill()

        store, exclusions = prepare_store(
            samples, SMALL, cache=tmp_path / "there", progress=kill, decode=partial(decode_on, dask)
        )
        assert site.workers[0].wait(timeout=10) == -signal.SIGKILL and site.workers[1].poll() is None
        _goes_on_from_its_pieces(samples[:24], tmp_path / "broken off", partial(decode_on, dask))
        said = site.said()
    assert store.images.shape == (95, 1, 64, 64) and store.index.equals(expected.index) and exclusions == left_out
    np.testing.assert_array_equal(store.images, expected.images)
    kept = list((tmp_path / "there" / "prepared").iterdir())
    assert [path.name for path in kept] == [store.folder.name], "pieces and lock are cleared away"
    assert "Registered to" in said and NAME not in said and "images/" not in said


def _goes_on_from_its_pieces(samples: list[tuple[str, str]], cache: Path, decode: Decode) -> None:
    written: dict[Path, int] = {}

    def stop(done: int, total: int) -> None:
        if done == 9:  # one piece has been read
            raise KeyboardInterrupt

    def compare(done: int, total: int) -> None:
        assert written == {path: path.stat().st_mtime_ns for path in written}, "a finished piece was made again"

    with pytest.raises(KeyboardInterrupt):
        prepare_store(samples, SMALL, cache=cache, progress=stop, decode=decode)
    written |= {path: path.stat().st_mtime_ns for path in cache.rglob("*.npz")}
    assert len(written) >= 2
    store, _ = prepare_store(samples, SMALL, cache=cache, progress=compare, decode=decode)
    assert len(store.index) == 23 and not any(path.exists() for path in written)


@pytest.mark.slow  # workers start again and again
def test_a_file_that_kills_its_workers_is_left_out(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_FEWEST", 8)
    samples = images(tmp_path / "images", 24, lambda number: "killer" if number == 11 else f"{number}")
    with cluster(tmp_path, environment, 2) as site, connect(site.address) as dask:
        store, exclusions = prepare_store(samples, SMALL, cache=tmp_path / "cache", decode=partial(decode_on, dask))
    path = samples[11][1]
    assert exclusions == [
        Exclusion(path, KILLED_ITS_WORKER, f"{path}: {KILLED_ITS_WORKER}. Leave it out, or give the workers more memory.")
    ]
    assert store.index["sample_id"].tolist() == [sample for sample, _ in samples if sample != "11"]


@pytest.mark.slow  # three commands that load torch
def test_predict_on_a_cluster_gives_the_rows_that_it_gives_here(
    fitted: tuple[Path, str], cli, phantom: Path, tmp_path: Path, state: dict[str, str]
) -> None:
    fresh = {**state, "MEDCLASSIFY_CACHE": str(tmp_path / "cache")}
    with cluster(tmp_path, fresh, 2, "--no-nanny") as site:
        words = ("predict", fitted[0], phantom / "images", "--out")
        here = cli(*words, "here.parquet", cwd=tmp_path, **fresh)
        there = cli(*words, "there.parquet", "--scheduler", site.address, cwd=tmp_path, MEDCLASSIFY_CACHE=str(tmp_path / "c2"))
        assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
        job = subprocess.Popen(
            [sys.executable, "-m", "medclassify", *map(str, words), "killed.csv", "--scheduler", site.address],
            cwd=tmp_path, env=fresh, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        kept = tmp_path / ".killed.csv.pieces"
        until = time.monotonic() + 200
        while not list(kept.glob("*/*.npz")):
            assert time.monotonic() < until and job.poll() is None
            time.sleep(0.01)
        job.kill()
        job.wait()
        again = cli(*words, "killed.csv", "--scheduler", site.address, cwd=tmp_path, **fresh)
        said = site.said()
    assert again.returncode == 0, again.stderr
    assert "of 149 images were scored by an earlier call" in again.stdout and "had begun it and is gone" in again.stdout
    ours, theirs = pd.read_parquet(tmp_path / "here.parquet"), pd.read_parquet(tmp_path / "there.parquet")
    killed = pd.read_csv(tmp_path / "killed.csv")
    for table in (theirs, killed):
        assert table[["sample_id", "finding"]].equals(ours[["sample_id", "finding"]].astype(table["finding"].dtype))
        np.testing.assert_allclose(table["logit"], ours["logit"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(table["prob_cal"], ours["prob_cal"], rtol=0, atol=1e-6)
    assert not kept.exists() and NAME not in said


def test_prepare_makes_the_store_that_fit_takes(
    fitted: tuple[Path, str], cli, small_config: Path, tmp_path: Path, state: dict[str, str]
) -> None:
    stores = Path(state["MEDCLASSIFY_CACHE"]) / "prepared"
    # beside the stores other tests may have kept embeddings
    before = {path.parent.name: path.stat().st_ino for path in stores.glob("*/images.npy")}
    done = cli("prepare", small_config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.parent.name: path.stat().st_ino for path in stores.glob("*/images.npy")} == before
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("wrote "))
    assert Path(line.split()[1]).name in before and "149 images" in line
    assert done.stdout.splitlines()[-1] == f"next: medclassify fit {small_config}"
