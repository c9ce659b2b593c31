"""Decoding in processes of their own: a crash, a hang or a greedy file costs itself and nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from medclassify.data import prepare_image, prepare_store, workers
from medclassify.data.workers import prepare_in_workers
from medclassify.dicom import NewInstance, write_image
from medclassify.errors import ConfigError, RunError
from medclassify.records import Exclusion, Preprocessing

SMALL = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5), interpolation="bicubic", window="voi")
# A decoder with faults planted by the name of the file; everything around it is the real thing.
FAULTY = """
import ctypes, os, signal, sys
from pathlib import Path
from medclassify.data import decoding, prepare
def prepare_image(path, preprocessing):
    name = Path(path).stem
    if name == "crash": ctypes.string_at(0)
    if name == "hang": os.kill(os.getpid(), signal.SIGSTOP)
    if name == "leave": os._exit(7)
    if name == "greedy": bytearray(1 << 42)
    if name == "faulty": raise KeyError("CANARY^NAME")
    if name == "noisy": os.write(1, b"garbage " * 9000)
    if name == "unlucky" and not Path(path + ".seen").exists():
        Path(path + ".seen").touch()
        ctypes.string_at(0)
    return prepare.prepare_image(path, preprocessing)
decoding.prepare_image = prepare_image
sys.exit(decoding.main())
"""


def write(folder: Path, name: str, shape: tuple[int, int] = (40, 30), syntax: str = "explicit") -> str:
    pixels = np.random.default_rng(len(name) + shape[0]).integers(0, 4096, shape, dtype=np.uint16)
    instance = NewInstance(patient_id="p", window_center=2048, window_width=4096, transfer_syntax=syntax)
    write_image(folder / f"{name}.dcm", pixels, instance)
    return str(folder / f"{name}.dcm")


def prepare_all(paths: list[str], preprocessing: Preprocessing = SMALL, seconds: float = 120) -> list[workers.Prepared]:
    with closing(prepare_in_workers(paths, preprocessing, seconds=seconds)) as results:
        return list(results)


def children() -> set[int]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return {int(number) for number in listed.split()}


def test_results_are_those_of_the_reader_in_the_order_given(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{i}", (1400, 1400) if i % 5 == 0 else (20 + i, 30)) for i in range(14)]
    paths.insert(3, str(tmp_path / "gone \udcff.dcm"))
    before = children()
    results = prepare_all(paths)
    for path, result in zip(paths, results, strict=True):
        if path is paths[3]:
            assert isinstance(result, Exclusion)
            assert (result.reason, result.path) == ("unreadable: no image in it", path)
            assert result.detail.endswith("no such file. Check the path.")
            continue
        expected = prepare_image(path, SMALL)
        assert not isinstance(result, Exclusion)
        np.testing.assert_array_equal(result.pixels, expected.pixels)
        for name in ("geometry", "applied", "warnings", "pixel_sha256"):
            assert getattr(result, name) == getattr(expected, name)
    assert children() == before
    assert prepare_all([]) == []


def test_each_planted_fault_costs_its_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()  # other tests may have left a server or a browser running
    monkeypatch.setattr(workers, "_PROGRAM", FAULTY)
    faults = {
        "crash": f"decoder crashed (signal {signal.SIGSEGV.value})",
        "hang": "took longer than 2 s",
        "leave": "decoder crashed (exit code 7)",
        "greedy": "needs too much memory",
        "faulty": "reader failed (KeyError)",
    }
    names = ["a", "crash", "b", "hang", "c", "leave", "greedy", "d", "faulty", "e", "noisy", "unlucky", "f"]
    paths = [write(tmp_path, name) for name in names]
    found = {}
    for path, result in zip(paths, prepare_all(paths, seconds=2), strict=True):
        if isinstance(result, Exclusion):
            found[Path(path).stem] = result.reason
            assert result.path == path and result.detail.startswith(f"{path}: ")
            assert "CANARY" not in result.detail and "\n" not in result.detail
        else:
            np.testing.assert_array_equal(result.pixels, prepare_image(path, SMALL).pixels)
    assert found == faults
    assert children() == before


def test_a_store_goes_on_without_a_file_that_crashes_its_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [(name, write(tmp_path, name)) for name in ("a", "crash", "b")]
    monkeypatch.setattr(workers, "_PROGRAM", FAULTY)
    for _ in range(2):
        store, exclusions = prepare_store(samples, SMALL, cache=tmp_path / "cache")
        assert store.index["sample_id"].tolist() == ["a", "b"] and store.images.shape == (2, 1, 64, 64)
        assert [(e.path, e.reason) for e in exclusions] == [(samples[1][1], "decoder crashed (signal 11)")]


def test_a_process_killed_while_it_decodes_is_replaced_and_its_file_is_tried_again(tmp_path: Path) -> None:
    large = write(tmp_path, "large", (1400, 1400), "jpeg2000")
    paths = [write(tmp_path, "a"), large, write(tmp_path, "b")]
    killed: list[int] = []

    def kill(times: int) -> None:
        until = time.monotonic() + 100
        while len(killed) < times and time.monotonic() < until:
            for child in children() - set(killed):
                if large in _open_files(child):  # in the midst of it
                    os.kill(child, signal.SIGSEGV)
                    killed.append(child)
            time.sleep(0.001)

    for times in (1, 2):
        killed.clear()
        killer = threading.Thread(target=kill, args=(times,))
        killer.start()
        results = prepare_all(paths)
        killer.join()
        assert len(killed) == times
        assert not isinstance(results[0], Exclusion) and not isinstance(results[2], Exclusion)
        if times == 1:
            assert not isinstance(results[1], Exclusion)
        else:
            assert isinstance(results[1], Exclusion) and results[1].reason == "decoder crashed (signal 11)"


def _open_files(process: int) -> list[str]:
    found = []
    try:
        for link in Path(f"/proc/{process}/fd").iterdir():
            found.append(os.readlink(link))
    except OSError:
        pass
    return found


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MEMORY_A_FILE", 1 << 26)
    results = prepare_all([write(tmp_path, "small"), write(tmp_path, "large", (6000, 6000))])
    assert not isinstance(results[0], Exclusion)
    assert isinstance(results[1], Exclusion)
    assert results[1].reason in ("needs too much memory", "unreadable: damaged or cut short")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_job_leaves_no_process_and_no_half_written_store(tmp_path: Path, how: signal.Signals) -> None:
    paths = [write(tmp_path, f"{i}") for i in range(8)]
    script = f"""
import sys, warnings
from pathlib import Path
from medclassify.data import prepare_store
from medclassify.records import Preprocessing
def told(done, total): print(done, flush=True)
samples = [(str(number), path) for number, path in enumerate({paths!r} * 2000)]
prepare_store(samples, {SMALL!r}, cache=Path({str(tmp_path / "cache")!r}), progress=told)
"""
    job = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert job.stdout is not None and job.stdout.readline()
        decoders = {int(n) for n in Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()}
        assert decoders
        job.send_signal(how)
        assert job.wait(timeout=60) != 0
    finally:
        job.kill()
        job.wait()
    until = time.monotonic() + 20
    while any(_lives(decoder) for decoder in decoders) and time.monotonic() < until:
        time.sleep(0.05)
    assert [decoder for decoder in decoders if _lives(decoder)] == []
    kept = list((tmp_path / "cache" / "prepared").iterdir())
    assert kept == [] if how is signal.SIGINT else all(path.suffix in (".part", ".lock") for path in kept)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_no_fault_of_a_file_stops_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()  # other tests may have left a server or a browser running
    path = write(tmp_path, "a")
    wrong = Preprocessing(image_size=64, mean=SMALL.mean, std=SMALL.std, interpolation="bicubic", window="brain")
    with pytest.raises(ConfigError, match="window must be one of"):
        prepare_all([path], wrong)
    monkeypatch.setattr(workers, "_PROGRAM", "import no_such_module")
    with pytest.raises(RunError, match=r"a decoding process did not start \(ModuleNotFoundError.*\)\. Run again"):
        prepare_all([path])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(RunError, match=r"a decoding process cannot be started \(No such file or directory\)"):
        prepare_all([path])
    assert children() == before


def test_a_decoding_process_loads_no_network_stack() -> None:
    code = "import sys, medclassify.data.decoding; print({'torch', 'monai', 'pandas', 'scipy'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "set()"


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import medclassify.data

    assert set(medclassify.data.__all__) <= set(dir(medclassify.data))
    with pytest.raises(AttributeError, match="no attribute 'prepare_images'"):
        medclassify.data.prepare_images  # noqa: B018
