"""Makes the runs that are missing, one process each; leaves alone those that are finished, or whose scores are kept."""

import importlib.util
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.accuracy.arms import DEFAULT, PEERS, RECIPES, REPOSITORY, WEIGHTS, Collection, overrides, run_name
from benchmarks.accuracy.kept import keep_scores, kept_file, public_key
from benchmarks.harness import NotMeasurableError


def complete(collection: Collection, arms: tuple[str, ...], data: Path, runs: Path) -> None:
    """Makes the runs of these arms that are not finished, seed by seed, so that an interrupted evening can be compared.

    Args:
        collection: The data set.
        arms: Keys of ``RECIPES``, or ``PEERS``, which need the default's run of the same seed.
        data: The test data.
        runs: The folder of runs.

    Raises:
        NotMeasurableError: A library is missing, a run failed, or a finished run was made with another config.
    """
    for arm in arms:
        require_library(arm)
    missing = [(seed, arm) for seed in collection.seeds for arm in arms if not _finished(collection, arm, seed, data, runs)]
    for done, (seed, arm) in enumerate(missing):
        name, started = run_name(collection, arm, seed), time.perf_counter()
        print(f"  {name} ({done + 1} of {len(missing)} missing runs) ...", flush=True)
        command = _command(collection, arm, seed, data, runs)
        log = runs / f"{name}.log"
        runs.mkdir(parents=True, exist_ok=True)
        with public_key(runs), log.open("w", encoding="utf-8") as output:
            code = subprocess.run(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        if code:
            last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise NotMeasurableError(f"{name} ended with {code}: {' '.join(last)} (all of it: {log})")
        keep_scores(collection, arm, seed, runs)
        print(f"  {name}: {(time.perf_counter() - started) / 60:.1f} minutes", flush=True)


def require_library(arm: str) -> None:
    """Tells what to install for a peer that is not there.

    Raises:
        NotMeasurableError: The library of that name is missing.
    """
    if arm in PEERS and importlib.util.find_spec(arm) is None:
        raise NotMeasurableError(f"{arm} is not installed: pip install {arm}")


def is_finished(run: Path) -> bool:
    """Whether a run came to its end: its provenance is what is written last."""
    return (run / "provenance.json").is_file()


def differences(collection: Collection, arm: str, seed: int, data: Path, run: Path) -> list[str]:
    """The keys in which a run was made with another config than its name says; paths count by their last part.

    A key that the run's ``config.yaml`` does not know is younger than the run, and is left out.
    """
    import yaml

    from medclassify.config import load_config

    wanted = _flat(asdict(load_config(collection.config_path, overrides(collection, arm, seed, data))))
    made = _flat(yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")))
    return [key for key in wanted if key != "run_dir" and key in made and _plain(wanted[key]) != _plain(made[key])]


def _finished(collection: Collection, arm: str, seed: int, data: Path, runs: Path) -> bool:
    run = runs / run_name(collection, arm, seed)
    if not is_finished(run):
        return kept_file(collection, arm, seed).is_file()
    changed = differences(collection, arm, seed, data, run) if arm in RECIPES else []
    if changed:
        raise NotMeasurableError(f"{run}: made with another {', '.join(changed)}; move it away to have it made again")
    return True


def _command(collection: Collection, arm: str, seed: int, data: Path, runs: Path) -> list[str]:
    out = runs / run_name(collection, arm, seed)
    if arm in PEERS:
        default = runs / run_name(collection, DEFAULT, seed)
        if not is_finished(default):
            kept = kept_file(collection, DEFAULT, seed)
            only = f"; of it only {kept} is here: move that away to have it made again" if kept.is_file() else ""
            raise NotMeasurableError(f"{arm} gets the minutes of {default.name}, which is not finished{only}")
        return [
            sys.executable,
            "-m",
            "benchmarks.accuracy.peers",
            arm,
            str(default),
            str(out),
            "--weights",
            str(data / WEIGHTS),
        ]
    words = [*overrides(collection, arm, seed, data), "--run_dir", str(out)]
    again = ["--ckpt_path", "last"] if (out / "config.yaml").exists() else []
    return [sys.executable, "-m", "medclassify", "fit", str(collection.config_path), *words, *again]


def _flat(tree: dict[str, Any], before: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return leaves


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return Path(value).name if isinstance(value, str) and "/" in value else value
