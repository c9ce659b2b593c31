"""A demonstration dataset on disk: rendered once by as many processes as there are cores, whole or not there."""

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from medclassify.config import PhantomConfig
from medclassify.errors import ConfigError, StorageError
from medclassify.phantom.files import FULL_CACHE
from medclassify.phantom.kinds import kind_of
from medclassify.phantom.workers import run_workers
from medclassify.runs import core_count, storage_error

Progress = Callable[[int, int], object]
"""Called with the number of pictures done and the number in all."""

_FAULTS = ("fainter_in_f", "label_noise_site_b", "site_marker", "patient_in_two_splits")
_RECORD = "dataset.json"
_ABANDONED_S = 3600.0


def render_dataset(
    out: Path | str, config: PhantomConfig, progress: Progress | None = None, *, workers: int | None = None
) -> Path:
    """Renders the dataset of a config below ``out``, or returns the one that is already there.

    The folder holds ``images/`` (of CT a folder an examination), ``masks/<sop_uid>_<finding>.png``, ``labels.csv`` (generic
    label file), ``truth.csv`` (what was drawn, for tests of the tests), ``README.txt`` and ``dataset.json``. It appears by a
    rename when all of it is written: a folder that is there is whole. Two renderers at the same time do the work twice and
    agree.

    Args:
        out: The folder of rendered datasets, e.g. a cache; each config has its own folder in it.
        config: How many patients, which seed, which faults.
        progress: Told of each picture.
        workers: Processes; the cores this process may use when left out. The result does not depend on it.

    Returns:
        The dataset's folder.

    Raises:
        ConfigError: Fewer than one patient, or a fault that is not known.
        StorageError: The disk is full, read-only or not there.
    """
    _check(config)
    folder = Path(out) / dataset_name(config)
    if is_complete(folder, config):
        return folder
    part = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        _sweep(folder)
        (part / "images").mkdir(parents=True)
        (part / "masks").mkdir()
        _render(part, config, progress, workers or core_count())
        return _publish(part, folder, config)
    except OSError as error:
        raise storage_error(error, folder, remedy=FULL_CACHE) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def dataset_name(config: PhantomConfig) -> str:
    """The folder name of a config's dataset."""
    text = json.dumps(_facts(config), sort_keys=True)
    return f"patients{config.patients}-seed{config.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def is_complete(folder: Path, config: PhantomConfig) -> bool:
    """Whether a folder holds the whole dataset of this config, as this version renders it."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        images = record.pop("images")
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return record == _facts(config) and images == sum(1 for _ in (folder / "images").rglob("*.dcm"))


def _check(config: PhantomConfig) -> None:
    if config.patients < 1:
        raise ConfigError(f"data.phantom.patients must be at least 1, received {config.patients}.")
    if config.seed < 0:
        raise ConfigError(f"data.phantom.seed must be 0 or more, received {config.seed}.")
    unknown = sorted(set(config.faults) - set(_FAULTS))
    if unknown:
        raise ConfigError(f"data.phantom.faults: {', '.join(unknown)} is not known; choose from {', '.join(_FAULTS)}.")
    if config.faults and config.kind != "chest_xray":
        raise ConfigError(f"data.phantom.faults are planted in radiographs alone, received kind {config.kind}.")


def _facts(config: PhantomConfig) -> dict[str, object]:
    kind = kind_of(config)
    of_ct = {} if config.kind == "chest_xray" else {"kind": config.kind, "matrix": config.matrix}
    return {
        "what": f"synthetic {kind.what}, not for clinical use",
        "version": kind.version,
        "patients": config.patients,
        "seed": config.seed,
        "faults": sorted(set(config.faults)),
        **of_ct,
    }


def _render(part: Path, config: PhantomConfig, progress: Progress | None, workers: int) -> None:
    kind = kind_of(config)
    exams = [exam for number in range(config.patients) for exam in kind.draw(config, number)]
    workers = max(1, min(workers, config.patients // 4))
    if progress:
        progress(0, len(exams))
    names = kind.write_share(part, config, 0, 1) if workers == 1 else run_workers(part, config, workers)
    with closing(names):  # an interrupt ends the workers here and now: what they still write could not be removed
        for done, _ in enumerate(names, start=1):
            if progress:
                progress(done, len(exams))
    kind.write_tables(part, config, exams)
    images = sum(exam.files for exam in exams)
    (part / _RECORD).write_text(json.dumps(_facts(config) | {"images": images}, indent=2) + "\n", encoding="utf-8")


def _publish(part: Path, folder: Path, config: PhantomConfig) -> Path:
    """Renames the finished folder; where another renderer was faster, its dataset is taken."""
    if folder.exists() and not is_complete(folder, config):
        if not (folder / _RECORD).exists() and any(folder.iterdir()):
            raise StorageError(
                f"{folder}: something else stands where the rendered dataset belongs. Move it away, then run again."
            )
        shutil.rmtree(folder)
    try:
        os.rename(part, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not is_complete(folder, config):
            raise
    return folder


def _sweep(folder: Path) -> None:
    """Removes what killed renderers of this dataset left behind; a living one wrote within the hour."""
    for part in folder.parent.glob(f".{folder.name}.*.part"):
        newest = max((place.stat().st_mtime for place in (part, part / "images") if place.exists()), default=0.0)
        if time.time() - newest > _ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)
