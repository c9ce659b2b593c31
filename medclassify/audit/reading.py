"""Predictions from a file."""

from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError


def read_table(path: Path) -> pd.DataFrame:
    """Reads a .csv, .tsv (also .gz) or .parquet file.

    Raises:
        ManifestError: It is not there, is of another kind, or cannot be read.
    """
    if not path.is_file():
        raise ManifestError(
            f"{path}: no such predictions table (nor a run's folder). Name a .csv, .tsv or .parquet table that is there."
        )
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    try:
        if kind == "parquet":
            return pd.read_parquet(path)
        if kind in {"csv", "tsv"}:
            ids = dict.fromkeys(("sample_id", "patient_id", "finding"), "string")
            table = pd.read_csv(path, sep="," if kind == "csv" else "\t", dtype=ids)  # pyright: ignore[reportArgumentType]
            _refuse_semicolons(path, table)
            return table
    except pd.errors.EmptyDataError as error:
        raise ManifestError(f"{path}: the table holds no rows. Give a table with one row a sample (and finding).") from error
    except (ValueError, OSError) as error:
        raise ManifestError(
            f"{path}: cannot be read as {kind} ({str(error).splitlines()[0]}). Export the table again."
        ) from error
    raise ManifestError(f"{path}: predictions are read from .csv, .tsv or .parquet, received .{kind}. Export the table as one.")


def _refuse_semicolons(path: Path, table: pd.DataFrame) -> None:
    """A spreadsheet of some countries writes them, with a comma in every number."""
    if len(table.columns) == 1 and ";" in str(table.columns[0]):
        raise ManifestError(f"{path}: its columns are separated by semicolons. Export it with commas, and points in numbers.")
