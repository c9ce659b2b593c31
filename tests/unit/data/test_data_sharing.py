"""One store, several processes: built once, waited for, taken over from the dead, and never taken away from a reader."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from medclassify.data import prepare_store, store
from medclassify.dicom import NewInstance, write_image
from medclassify.records import Preprocessing

SMALL = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5), interpolation="bicubic", window="voi")
COUNT = 6
# Whoever builds stops after its first image until somebody lets it go on.
BUILDER = """
import sys, time
from pathlib import Path
from medclassify.data import prepare_store
from medclassify.records import Preprocessing
folder, name = Path(sys.argv[1]), sys.argv[2]
def told(done, total):
    if done == 1:
        (folder / f"{name}.builds").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
def waits(line):
    with open(folder / f"{name}.said", "a") as file:
        print(line, file=file)
samples = [(str(number), str(folder / f"{number}.dcm")) for number in range(SAMPLES)]
found, _ = prepare_store(samples, PREPROCESSING, cache=folder / "cache", progress=told, tell=waits)
print(int(found.images.sum()))
""".replace("SAMPLES", str(COUNT)).replace("PREPROCESSING", repr(SMALL))


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(folder), name], stdout=subprocess.PIPE, text=True)


def wait_for(condition) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.01)


def samples(folder: Path) -> list[tuple[str, str]]:
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 4096, (40, 30), dtype=np.uint16)
        write_image(folder / f"{number}.dcm", pixels, NewInstance(patient_id="p", window_center=2048, window_width=4096))
    return [(str(number), str(folder / f"{number}.dcm")) for number in range(COUNT)]


def test_of_three_processes_that_start_together_one_builds_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    expected, _ = prepare_store(samples(tmp_path), SMALL, cache=tmp_path / "alone")
    jobs = {name: start(tmp_path, name) for name in "abc"}
    try:
        wait_for(lambda: len(list(tmp_path.glob("*.said"))) == 2 and any(tmp_path.glob("*.builds")))
        (first,) = (path.stem for path in tmp_path.glob("*.builds"))
        jobs[first].kill()
        wait_for(lambda: len(list(tmp_path.glob("*.builds"))) == 2)
        (tmp_path / "go").touch()
        sums = {name: int(job.communicate(timeout=60)[0] or -1) for name, job in jobs.items() if name != first}
    finally:
        for job in jobs.values():
            job.kill()
            job.wait()
    assert jobs[first].returncode == -signal.SIGKILL
    assert list(sums.values()) == [int(expected.images.sum())] * 2
    assert len(list(tmp_path.glob("*.builds"))) == 2, "the third had to open what the second built"
    said = "".join(path.read_text() for path in tmp_path.glob("*.said"))
    assert said.count(f"prepared store of {COUNT} images: process {jobs[first].pid} on ") == 3
    assert said.count("is making it; waiting") == 2 and said.count("is gone; this process does it now") == 1
    kept = [path.name for path in (tmp_path / "cache" / "prepared").iterdir()]
    assert len(kept) == 1 and not kept[0].startswith("."), "what the dead one left is cleared away"


def test_a_store_that_stands_is_left_alone_by_one_that_comes_late(tmp_path: Path) -> None:
    built, _ = prepare_store(samples(tmp_path), SMALL, cache=tmp_path / "cache")
    (folder,) = (tmp_path / "cache" / "prepared").iterdir()
    before = os.stat(folder / "images.npy").st_ino
    late = folder.with_name(".late.part")
    late.mkdir()
    (late / "complete.json").write_text("{}")
    store._put(late, folder)
    assert os.stat(folder / "images.npy").st_ino == before and (folder / "index.parquet").is_file()
    assert built.images.sum() > 0


def test_the_index_is_written_in_groups_and_read_as_one(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    whole, _ = prepare_store(samples(tmp_path), SMALL, cache=tmp_path / "whole")
    monkeypatch.setattr(store, "_INDEX_ROWS", 4)
    groups, _ = prepare_store(samples(tmp_path), SMALL, cache=tmp_path / "groups")
    assert groups.index.drop(columns="sample_id").dtypes.equals(whole.index.drop(columns="sample_id").dtypes)
    assert groups.index.equals(whole.index) and len(groups.index) == COUNT
