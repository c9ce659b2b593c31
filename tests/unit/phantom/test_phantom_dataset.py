"""The dataset on disk: whole or not there, the same for any number of workers, readable by this library."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from medclassify.config import PhantomConfig
from medclassify.dicom import find_images, read_header, read_image
from medclassify.errors import ConfigError, RunError, StorageError
from medclassify.phantom import FINDINGS, dataset_name, draw_patient, mask_path, render_dataset
from medclassify.phantom.dataset import is_complete

CONFIG = PhantomConfig(patients=9, seed=4)
SMALL = PhantomConfig(patients=1, seed=8)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("phantom"), CONFIG, workers=2)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_every_byte_is_the_same_for_any_number_of_workers(dataset: Path, tmp_path: Path) -> None:
    alone = render_dataset(tmp_path, CONFIG, workers=1)
    assert alone.name == dataset.name == dataset_name(CONFIG)
    assert digests(alone) == digests(dataset)
    assert not leftovers(tmp_path)


def test_the_label_table_names_every_image_and_only_what_a_generic_file_needs(dataset: Path) -> None:
    labels = pd.read_csv(dataset / "labels.csv")
    assert list(labels.columns) == ["path", "patient_id", *FINDINGS]
    assert sorted(str(dataset / path) for path in labels.path) == [str(path) for path in find_images([dataset / "images"])]
    exams = [exam for number in range(CONFIG.patients) for exam in draw_patient(CONFIG, number)]
    assert labels[list(FINDINGS)].to_numpy().tolist() == [[exam.labels[name] for name in FINDINGS] for exam in exams]


def test_headers_say_what_was_drawn(dataset: Path) -> None:
    for number in range(CONFIG.patients):
        for exam in draw_patient(CONFIG, number):
            header = read_header(dataset / "images" / f"{exam.name}.dcm")
            site = exam.scene.site
            assert (header.sop_uid, header.study_uid, header.series_uid) == (exam.sop_uid, exam.study_uid, exam.series_uid)
            assert (header.patient_key, header.sex, header.age_years) == (exam.patient_id, exam.sex, exam.age)
            assert (header.view, header.site, header.manufacturer) == (exam.scene.view, site.name, site.manufacturer)
            assert (header.modality, header.photometric, header.bits_stored) == (site.modality, site.photometric, 12)
            assert (header.rows, header.columns) == site.shape
            assert header.spacing_mm == (site.spacing, site.spacing)


def test_the_files_come_in_several_transfer_syntaxes(dataset: Path) -> None:
    assert len({read_header(path).transfer_syntax for path in (dataset / "images").iterdir()}) >= 4


def test_this_library_reads_every_picture_with_dense_tissue_bright(dataset: Path) -> None:
    for path in sorted((dataset / "images").iterdir()):
        image = read_image(path)
        assert image.warnings == ()
        height, width = image.pixels.shape
        abdomen = image.pixels[-20:, width // 2 - 20 : width // 2 + 20].mean()
        lungs = np.percentile(image.pixels[height // 4 : height // 2, width // 4 : 3 * width // 4], 5)
        assert abdomen > 0.75
        assert lungs < 0.45


def test_a_mask_stands_for_each_finding_that_is_present_and_fits_the_picture(dataset: Path) -> None:
    truth = pd.read_csv(dataset / "truth.csv")
    for row in truth.to_dict("records"):
        shape = read_header(dataset / str(row["path"]))
        for finding in FINDINGS:
            path = mask_path(dataset, str(row["sop_uid"]), finding)
            assert path.is_file() == bool(row[finding])
            if row[finding]:
                mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
                assert mask.shape == (shape.rows, shape.columns)
                assert set(np.unique(mask)) == {0, 255}


def test_the_severity_stands_in_the_truth_table_where_a_finding_is_present(dataset: Path) -> None:
    truth = pd.read_csv(dataset / "truth.csv")
    for finding in FINDINGS:
        np.testing.assert_array_equal(truth[f"{finding}_severity"].notna(), truth[finding] == 1)


def test_it_says_that_it_is_synthetic_and_tables_hold_nothing_of_the_names(dataset: Path) -> None:
    assert "NOT FOR CLINICAL USE" in (dataset / "README.txt").read_text()
    assert b"CANARY" in next((dataset / "images").iterdir()).read_bytes()
    for path in dataset.iterdir():
        if path.is_file():
            assert "CANARY" not in path.read_text()


def test_a_complete_dataset_is_taken_as_it_is(dataset: Path) -> None:
    before = (dataset / "dataset.json").stat().st_mtime_ns
    calls: list[tuple[int, int]] = []
    assert render_dataset(dataset.parent, CONFIG, lambda done, total: calls.append((done, total))) == dataset
    assert (dataset / "dataset.json").stat().st_mtime_ns == before
    assert not calls


def test_progress_counts_every_picture(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    folder = render_dataset(tmp_path, SMALL, lambda done, total: calls.append((done, total)))
    total = len(list((folder / "images").iterdir()))
    assert calls == [(done, total) for done in range(total + 1)]


def test_each_config_has_its_own_folder() -> None:
    names = {
        dataset_name(config)
        for config in (
            SMALL,
            PhantomConfig(patients=2, seed=8),
            PhantomConfig(patients=1),
            PhantomConfig(patients=1, faults=("site_marker",)),
        )
    }
    assert len(names) == 4


def test_the_order_of_faults_does_not_matter() -> None:
    one, two = PhantomConfig(faults=("site_marker", "fainter_in_f")), PhantomConfig(faults=("fainter_in_f", "site_marker"))
    assert dataset_name(one) == dataset_name(two)


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            render_dataset(tmp_path, CONFIG, interrupt, workers=workers)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_lost_a_picture_is_rendered_again(tmp_path: Path) -> None:
    folder = render_dataset(tmp_path, SMALL)
    whole = digests(folder)
    next((folder / "images").iterdir()).unlink()
    assert not is_complete(folder, SMALL)
    assert digests(render_dataset(tmp_path, SMALL)) == whole


def test_a_dataset_of_another_version_is_rendered_again(tmp_path: Path) -> None:
    folder = render_dataset(tmp_path, SMALL)
    record = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(record | {"version": 0}))
    render_dataset(tmp_path, SMALL)
    assert is_complete(folder, SMALL)


def test_what_a_killed_renderer_left_is_swept_after_an_hour_and_never_taken(tmp_path: Path) -> None:
    old, young = (tmp_path / f".{dataset_name(SMALL)}.{name}.part" for name in ("1-old", "2-young"))
    for part in (old, young):
        (part / "images").mkdir(parents=True)
    for place in (old / "images", old):
        os.utime(place, (time.time() - 7200,) * 2)
    folder = render_dataset(tmp_path, SMALL)
    assert is_complete(folder, SMALL)
    assert not old.exists()
    assert young.exists()


def test_two_renderers_at_once_agree(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(render_dataset(tmp_path, SMALL, workers=1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / dataset_name(SMALL)] * 3
    assert is_complete(found[0], SMALL)
    assert not leftovers(tmp_path)


def test_a_script_without_a_main_guard_may_render(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib\nfrom medclassify.config import PhantomConfig\nfrom medclassify.phantom import render_dataset\n"
        f"print(render_dataset(pathlib.Path({str(tmp_path / 'cache')!r}), PhantomConfig(patients=8), workers=2))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert is_complete(Path(done.stdout.strip()), PhantomConfig(patients=8))


def test_the_split_column_is_there_only_under_its_fault(tmp_path: Path, dataset: Path) -> None:
    folder = render_dataset(tmp_path, PhantomConfig(patients=1, faults=("patient_in_two_splits",)))
    labels = pd.read_csv(folder / "labels.csv")
    assert labels.groupby("patient_id").split.nunique().max() == 2
    assert "split" not in pd.read_csv(dataset / "labels.csv").columns


def test_no_patients_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.phantom\.patients must be at least 1, received 0\."):
        render_dataset(tmp_path, PhantomConfig(patients=0))


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.phantom\.seed must be 0 or more, received -1\."):
        render_dataset(tmp_path, PhantomConfig(seed=-1))


def test_an_unknown_fault_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.phantom\.faults: blurry is not known; choose from fainter_in_f, "):
        render_dataset(tmp_path, PhantomConfig(faults=("blurry",)))  # type: ignore[arg-type]


def test_something_elses_folder_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / dataset_name(SMALL)
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(
        StorageError, match=r"something else stands where the rendered dataset belongs\. Move it away, then run again\."
    ):
        render_dataset(tmp_path, SMALL)
    assert (foreign / "thesis.txt").read_text() == "mine"
    assert not leftovers(tmp_path)


def test_a_place_that_is_no_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written \(Not a directory\)\. Check the folder and its permissions\."):
        render_dataset(tmp_path / "file", SMALL)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, repository: Path, workers: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code = (
        "import sys, pathlib\nfrom medclassify.config import PhantomConfig\nfrom medclassify.phantom import render_dataset\n"
        "from medclassify.errors import StorageError\n"
        f"disk = pathlib.Path({str(disk)!r})\n"
        "try:\n"
        f"    render_dataset(disk, PhantomConfig(patients=9), workers={workers})\n"
        "except StorageError as error:\n    print(error)\n"
        "print(sorted(disk.iterdir()))\n"
    )
    command = f"mount -t tmpfs -o size=600k tmpfs {disk} && exec {sys.executable} -c '{code.replace(chr(39), chr(34))}'"
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no one mount a small disk")
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, env=environment, check=False)
    said = done.stdout.splitlines()
    assert len(said) == 2, done.stderr
    assert "the disk is full. A dataset needs about 0.25 MB a picture: free some space, or set MEDCLASSIFY_CACHE." in said[0]
    assert said[1] == "[]"


def test_a_worker_that_dies_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pydicom.py").write_text("raise ImportError('no pydicom here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"a rendering process ended with 1:\n(.*\n)+ImportError: no pydicom here"):
        render_dataset(tmp_path / "cache", CONFIG, workers=2)
    assert not (tmp_path / "cache").exists() or not leftovers(tmp_path / "cache")


def test_a_killed_worker_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("this system does not list a process's children")

    def kill(done: int, total: int) -> None:
        if done == 1:
            children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()
            workers = [pid for pid in children if b"phantom.workers" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            os.kill(int(workers[0]), signal.SIGKILL)

    message = r"a rendering process was killed by signal 9; nothing was kept\. Run again, with more memory if it was short\."
    with pytest.raises(RunError, match=message):
        render_dataset(tmp_path, CONFIG, kill, workers=2)
    assert list(tmp_path.iterdir()) == []
