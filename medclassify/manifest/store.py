"""Manifests and exclusions as files."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_columns, read_header
from medclassify.manifest.handmade import complete
from medclassify.manifest.labels import parse_labels
from medclassify.manifest.patients import PatientHasher
from medclassify.manifest.stacks import read_slices_beside, write_slices
from medclassify.manifest.table import SCHEMA_VERSION, Manifest
from medclassify.records import Exclusion
from medclassify.runs import atomic_path, write_json

_METADATA_KEY = b"medclassify.manifest"


def write_manifest(manifest: Manifest, path: Path | str) -> None:
    """Writes a manifest, atomically, and beside it ``<name>.slices.parquet`` where it tells of series.

    Args:
        manifest: What to write.
        path: ``.parquet`` (facts about the table in its metadata) or ``.csv`` (facts beside it in ``<name>.csv.json``).

    Raises:
        ManifestError: The name ends in neither.
        StorageError: The disk is full, read-only or not there.
    """
    path = Path(path)
    facts = {
        "schema_version": SCHEMA_VERSION,
        "findings": list(manifest.findings),
        "source": manifest.source,
        "label_format": manifest.label_format,
        "notes": list(manifest.notes),
        "patient_source": manifest.patient_source,
    }
    _require_suffix(path)
    write_slices(path, manifest)
    if path.suffix == ".csv":
        write_json(_facts_beside(path), facts)
        with atomic_path(path) as temporary:
            manifest.frame.to_csv(temporary, index=False)
        return
    table = pa.Table.from_pandas(manifest.frame, preserve_index=False)
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(facts).encode()})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_manifest(path: Path | str, *, hasher: PatientHasher | None = None) -> Manifest:
    """Reads a manifest, this program's or a hand-made one.

    A hand-made table needs ``path`` and findings; ``sample_id`` and ``patient_id`` are made up for it as for an index, relative
    paths start at its folder, and columns that would name a person are left out with a note.

    Args:
        path: ``.parquet`` or ``.csv``.
        hasher: Hashes patient ids that are not hashes yet.

    Raises:
        ManifestError: It is not there, not a manifest, of a later version, or a value in it is not allowed.
    """
    path = Path(path)
    _require_suffix(path)
    frame, facts = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    if not facts:
        return complete(frame, path, hasher)
    if facts.get("schema_version") != SCHEMA_VERSION:
        raise ManifestError(
            f"{path}: manifest version {facts.get('schema_version')}, this program reads {SCHEMA_VERSION}. "
            f"Index the images again."
        )
    return Manifest(
        frame=_typed(frame, tuple(facts["findings"]), path),
        findings=tuple(facts["findings"]),
        source=facts["source"],
        label_format=facts["label_format"],
        notes=tuple(facts["notes"]),
        patient_source=facts["patient_source"],
        slices=read_slices_beside(path),
    )


def write_exclusions(path: Path | str, exclusions: Sequence[Exclusion]) -> None:
    """Writes ``exclusions.csv``: ``path, reason, detail``, sorted, atomically. Written also when there is none."""
    rows = sorted((exclusion.path, exclusion.reason, exclusion.detail) for exclusion in exclusions)
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "reason", "detail"))
        writer.writerows(rows)


def _require_suffix(path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        raise ManifestError(
            f"{path}: a manifest is a .parquet or a .csv file, received {path.suffix or 'no ending'!r}. Rename it."
        )


def _facts_beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    header, delimiter = read_header(path)
    frame = read_columns(path, range(len(header)), header, delimiter=delimiter, whole=True)
    beside = _facts_beside(path)
    try:
        return frame, json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"{beside}: the facts about {path.name} cannot be read ({error}). Index the images again."
        ) from error


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise ManifestError(
            f"{path}: no such manifest. Make one with: medclassify index SOURCE --labels FILE --out {path}"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise ManifestError(f"{path}: not a Parquet file ({' '.join(str(error).split())}). Index the images again.") from error
    return table.to_pandas(), json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"{}"))


def _typed(frame: pd.DataFrame, findings: tuple[str, ...], path: Path) -> pd.DataFrame:
    """Brings columns back to a manifest's types, whichever file they come from."""
    lines = frame.index
    columns: dict[str, pd.Series] = {}
    for name in frame.columns:
        if name in findings:
            values = frame[name]
            columns[name] = parse_labels(values, path, name) if values.dtype == "str" else values.astype("Int8")
        else:
            columns[name] = frame[name].astype("float64" if name == "age" else "str")
    # Relative paths start at the manifest: a folder of copies can be moved with its manifest.
    elsewhere = columns["path"].str.startswith("/")
    columns["path"] = columns["path"].where(elsewhere, f"{path.parent.absolute().as_posix()}/" + columns["path"])
    return pd.DataFrame(columns, index=lines).reset_index(drop=True)
