"""A table that grows a part at a time, written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medclassify.runs import atomic_path

_ROWS = 1 << 16  # of one group in the file, and what is held in memory


class TableWriter:
    """Appends rows to a Parquet or CSV file.

    Attributes:
        rows: How many there are by now.
        first: The first of them.
    """

    def __init__(self, path: Path, shown: int) -> None:
        self.rows, self.first = 0, pd.DataFrame()
        self._path, self._shown = path, shown
        self._parts: list[pd.DataFrame] = []
        self._held, self._written = 0, False
        self._parquet: Any = None

    def add(self, part: pd.DataFrame) -> None:
        """Appends rows, of the same columns each time."""
        if len(self.first) < self._shown:
            self.first = pd.concat([self.first, part.head(self._shown - len(self.first))], ignore_index=True)
        self._parts.append(part)
        self.rows += len(part)
        self._held += len(part)
        if self._held >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what is held."""
        if not self._parts:
            return
        rows = pd.concat(self._parts, ignore_index=True)
        self._parts, self._held = [], 0
        if self._path.suffix != ".parquet":
            rows.to_csv(self._path, index=False, mode="a" if self._written else "w", header=not self._written)
        else:
            table = pa.Table.from_pandas(rows, preserve_index=False)
            self._parquet = self._parquet or pq.ParquetWriter(self._path, table.schema)
            self._parquet.write_table(table.cast(self._parquet.schema))
        self._written = True

    def close(self) -> None:
        """Ends the file."""
        self.flush()
        if self._parquet:
            self._parquet.close()


@contextmanager
def growing_table(out: Path, shown: int) -> Iterator[TableWriter]:
    """Yields a writer; the table has its name when all is written.

    Args:
        out: ``.parquet`` or ``.csv``.
        shown: How many rows ``first`` shall hold.

    Raises:
        StorageError: The disk is full, read-only or not there.
    """
    with atomic_path(out) as temporary:
        writer = TableWriter(temporary, shown)
        try:
            yield writer
            writer.flush()
        finally:
            writer.close()


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Writes Parquet or CSV, by the name's suffix, whole or not at all."""
    with atomic_path(out) as temporary:
        if out.suffix == ".parquet":
            table.to_parquet(temporary)
        else:
            table.to_csv(temporary, index=False)
