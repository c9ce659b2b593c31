"""What is refused before torch is imported: that takes far longer than these checks, and a typing error should not wait."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from medclassify.config import DataConfig
from medclassify.errors import ConfigError, ManifestError, RunError, StorageError
from medclassify.runs import RunLayout, read_provenance, sha256_file

PHANTOM = "phantom"
TABLES = (".parquet", ".csv")


def finished_run(folder: Path) -> RunLayout:
    """Opens a finished run whose model is the one that its fit wrote.

    ``model.json`` holds thresholds, calibrator and the hash of the weights, so its own hash speaks for the whole model.

    Raises:
        RunError: It is no finished run, or its model was changed or lost since.
    """
    run = RunLayout.open(folder)
    path = run.model / "model.json"
    if not path.is_file():
        raise RunError(f"{path}: is not there. See what else is missing: medclassify verify {folder}")
    if sha256_file(path) != read_provenance(run)["files"].get("model/model.json"):
        raise RunError(
            f"{path}: changed since the fit, so its thresholds and probabilities are not those that were tested. "
            f"See what else was changed: medclassify verify {folder}"
        )
    return run


def require_finding(run: RunLayout, finding: str | None) -> None:
    """Refuses a finding that the run's model does not predict.

    Raises:
        ConfigError: The model has no such finding.
    """
    known = json.loads((run.model / "model.json").read_text(encoding="utf-8"))["findings"]
    if finding is not None and finding not in known:
        raise ConfigError(f"--finding {finding!r}: the model predicts {', '.join(known)}.{_meant(finding, known)}")


def require_table_name(out: Path) -> None:
    """Refuses the name of a table that could not be written.

    Raises:
        ConfigError: It ends in neither ``.parquet`` nor ``.csv``.
    """
    if out.suffix not in TABLES:
        raise ConfigError(f"--out {out}: unknown kind of table {out.suffix!r}. Name it .parquet or .csv.")


def require_new_file(out: Path) -> None:
    """Refuses to write over a config that a person may have edited.

    Raises:
        ConfigError: It is there.
    """
    if out.exists():
        raise ConfigError(f"--out {out}: exists, and may have been edited. Choose another name, or remove it.")


def require_new_folder(out: Path) -> None:
    """Refuses a folder that holds something.

    Raises:
        RunError: It is not empty, or no folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: exists and is not an empty folder. Choose another one with --out.")


def require_sources(sources: Sequence[str]) -> None:
    """Refuses files and folders that are not there.

    Raises:
        StorageError: The first that is missing.
    """
    for source in sources:
        if not Path(source).exists():
            raise StorageError(f"{source}: no such file or folder. Check the path.")


def require_manifest(path: Path | None) -> None:
    """Refuses what cannot be a manifest.

    Raises:
        ManifestError: It is a folder, not there, or of another kind.
    """
    if path is None:
        return
    make = f"medclassify index {path if path.is_dir() else 'SOURCE'} --labels FILE --out manifest.parquet"
    if path.is_dir():
        raise ManifestError(f"--manifest {path}: is a folder. Make a manifest of it first: {make}")
    if not path.is_file():
        raise ManifestError(f"--manifest {path}: no such file. Make one with: {make}")
    if path.suffix not in TABLES:
        raise ManifestError(f"--manifest {path}: a manifest is a .parquet or a .csv file. Make one with: {make}")


def default_folder(run_folder: Path, manifest: Path | None) -> Path:
    """Where ``evaluate`` writes when nothing is said: beside the run."""
    root = RunLayout(run_folder).root
    return root.with_name(f"{root.name}-on-{manifest.stem if manifest else 'test'}")


def require_columns(attributes: Sequence[str], run: RunLayout) -> None:
    """Refuses attributes that are no columns of a run's predictions.

    Raises:
        ConfigError: The first that is not a column.
    """
    import pyarrow.parquet as pq

    known = pq.read_schema(run.predictions).names
    for name in attributes:
        if name not in known:
            columns = ", ".join(known)
            raise ConfigError(
                f"--attributes {name}: no column of {run.predictions}. Its columns are {columns}.{_meant(name, known)}"
            )


def require_data(data: DataConfig) -> None:
    """Refuses a source or labels that are not there, before weights are looked for.

    Raises:
        StorageError: ``data.source`` is not there.
        ConfigError: Labels are needed and not named.
        ManifestError: The label table is not there.
    """
    source = Path(data.source)
    if data.source == PHANTOM:
        return
    if not source.exists():
        raise StorageError(f"data.source {source}: no such file or folder. Check the path.")
    if not (source.suffix in TABLES and source.is_file()):
        locate_labels(data.labels, [source])


def locate_labels(labels: str | None, sources: Sequence[Path]) -> Path:
    """The label table, looked for where one stands and then inside the sources.

    Raises:
        ConfigError: It is not named.
        ManifestError: It is in none of these places.
    """
    if not labels:
        raise ConfigError(
            f"data.labels is not set, and {sources[0]} is not a manifest. Name the label table with --data.labels FILE."
        )
    places = dict.fromkeys([Path(labels), *(source / labels for source in sources if source.is_dir())])
    for candidate in places:
        if candidate.is_file():
            return candidate
    raise ManifestError(f"no label table: looked for {', '.join(map(str, places))}. Check the name that you gave for it.")


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""
