"""What was read of a folder's headers the last time, so that only what is new is read again."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medclassify import __version__
from medclassify.runs import atomic_path

_FORMAT = 1  # to be raised when a header is read otherwise
_METADATA_KEY = b"medclassify.headers"
_JUST_WRITTEN_NS = 2_000_000_000  # some file systems count time in steps of two seconds


class HeaderCache:
    """The headers of one folder, in ``<cache>/headers/<hash of the folder's path>.parquet``.

    It names no patient: ids are hashed, and with another key nothing in it is used. A file counts as unchanged while its size
    and its time of change are.

    Args:
        folder: The folder that is indexed.
        cache: The folder of caches.
        fingerprint: Of the key that patient ids are hashed with.
    """

    def __init__(self, folder: Path, cache: Path, fingerprint: str) -> None:
        name = hashlib.sha256(os.path.abspath(folder).encode(errors="surrogateescape")).hexdigest()[:32]
        self.path = cache / "headers" / f"{name}.parquet"
        self._facts = {"format": _FORMAT, "version": __version__, "key": fingerprint}

    def lookup(self, paths: Sequence[str], stamps: NDArray[np.int64]) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """What is known of files that have not changed.

        Args:
            paths: The files that are there.
            stamps: int64 (N, 2): size in bytes and time of change in ns, of each.

        Returns:
            The rows as ``store`` got them, and bool (N,): which files they are.
        """
        known = self._read()
        if known is None:
            return pd.DataFrame(), np.zeros(len(paths), np.bool_)
        row = pd.Index(known["path"]).get_indexer(pd.Index(paths, dtype="str"))
        there = row >= 0
        there[there] = (known[["size", "mtime_ns"]].to_numpy()[row[there]] == stamps[there]).all(axis=1)
        return known.drop(columns=["size", "mtime_ns"]).iloc[row[there]].reset_index(drop=True), there

    def store(self, rows: pd.DataFrame, stamps: NDArray[np.int64], started_ns: int) -> None:
        """Keeps what was read, in the place of what was kept before.

        Args:
            rows: A ``header_table``, with ``path`` as it is looked up and bool ``image``, False for a file that is none.
            stamps: int64 (N, 2), as in ``lookup``.
            started_ns: When reading began: a file that was written just then may change again within one tick of the clock.
        """
        settled = stamps[:, 1] < started_ns - _JUST_WRITTEN_NS
        table = pa.Table.from_pandas(rows.assign(size=stamps[:, 0], mtime_ns=stamps[:, 1])[settled], preserve_index=False)
        table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(self._facts).encode()})
        with atomic_path(self.path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def _read(self) -> pd.DataFrame | None:
        try:
            table = pq.read_table(self.path)
            if json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"{}")) == self._facts:
                return table.to_pandas()
        except FileNotFoundError:
            pass
        except (OSError, ValueError, pa.ArrowException):  # a cache that cannot be used is made again
            pass
        return None


def file_stamps(paths: Sequence[str]) -> NDArray[np.int64]:
    """Size and time of change in ns of each file: int64 (N, 2); −1 where the file system does not tell."""
    stamps = np.full((len(paths), 2), -1, np.int64)
    for row, path in enumerate(paths):
        try:
            facts = os.stat(path)
        except OSError:
            continue
        stamps[row] = facts.st_size, facts.st_mtime_ns
    return stamps
