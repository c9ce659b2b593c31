"""The prepared store: one memory-mapped array of all images, and a Parquet index beside it.

Random reads from a memory-mapped array run at the speed of memory; nothing decodes DICOM inside an epoch. A store is named
after everything it was made from, so it is never stale: another file, window or size is another store. It takes size² bytes an
image (49 KiB at 224) in the cache folder.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medclassify.data.prepare import PreparedImage
from medclassify.data.workers import Prepared, prepare_in_workers
from medclassify.errors import ManifestError
from medclassify.records import Exclusion, PreparedGeometry, Preprocessing
from medclassify.runs import one_works, storage_error, write_json

_FORMAT = 3
_LATER = ("mean", "std", "neighbours")  # what is done to an image after it left the store
_COMPLETE = "complete.json"
_INDEX_ROWS = 4096
Progress = Callable[[int, int], None]
Decode = Callable[[Sequence[str], Preprocessing, Path], Generator[Prepared, None, None]]
"""Paths, preprocessing and a folder for pieces → for each path, in order, the prepared image or why there is none."""


def decode_here(paths: Sequence[str], preprocessing: Preprocessing, pieces: Path) -> Generator[Prepared, None, None]:
    """Decodes on this machine, on every core."""
    return prepare_in_workers(paths, preprocessing)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedStore:
    """Prepared images.

    Attributes:
        images: uint8 (N, C, S, S), memory-mapped, read-only; or ``NeighbouredImages`` of them.
        index: One row an image, in the array's order: ``sample_id``, geometry, ``applied``, ``warnings``, ``pixel_sha256``.
        stacks: Where samples are series: sample → which images it is made of, in order, int64. Images have ids of slices then.
    """

    images: NDArray[np.uint8]
    index: pd.DataFrame
    stacks: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it lies, for ``open_store``."""
        return Path(str(cast(np.memmap, self.images).filename)).parent

    @property
    def sample_ids(self) -> list[str]:
        """The samples whose images are here: series, or the images themselves."""
        return list(self.stacks) or self.index["sample_id"].tolist()

    def pixel_hashes(self) -> dict[str, str]:
        """Sample → what is the same for two samples of the same stored values (``prepare.PreparedImage``)."""
        hashes = self.index["pixel_sha256"]
        if not self.stacks:
            return dict(zip(self.index["sample_id"], hashes, strict=True))
        return {sample: hashlib.sha256("".join(hashes.iloc[rows]).encode()).hexdigest() for sample, rows in self.stacks.items()}

    def rows(self, sample_ids: Sequence[str]) -> NDArray[np.int64]:
        """Where the given images stand in ``images``: int64 (n,).

        Raises:
            ManifestError: A sample is not in the store.
        """
        positions = pd.Index(self.index["sample_id"]).get_indexer(pd.Index(sample_ids))
        if (positions < 0).any():
            first = np.asarray(sample_ids)[positions < 0][0]
            raise ManifestError(
                f"{int((positions < 0).sum())} samples are not in the prepared store (first: {first}). Prepare them first."
            )
        return positions.astype(np.int64)

    def geometry(self, row: int) -> PreparedGeometry:
        """Where the original of one row lies in its square."""
        facts = self.index.iloc[row]
        return PreparedGeometry(**{name: int(facts[name]) for name in PreparedGeometry.__slots__})


def prepare_store(
    samples: Sequence[tuple[str, str]],
    preprocessing: Preprocessing,
    *,
    cache: Path,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    decode: Decode = decode_here,
) -> tuple[PreparedStore, list[Exclusion]]:
    """Decodes the samples once, or opens the store an earlier call made of the same files.

    Several processes, on one machine or on many that share ``cache``, may call it at once: one decodes, the others wait for it
    and map the same file (one copy of its pages a machine, whatever the number of processes). See ``runs.one_works`` for what
    the file system must keep; a store that stands is never written to or taken away.

    Args:
        samples: (sample_id, path) pairs.
        preprocessing: What the network expects.
        cache: Folder of stores.
        progress: Called with (done, total).
        tell: Called with a line where this process waits for another, or takes over from one that is gone.
        decode: Who decodes. It is given a folder of its own beside the store, for pieces that outlive a call that broke off;
            the folder is removed once the store stands.

    Returns:
        The store, and the files that could not be read, each with its reason; the rest goes on without them.

    Raises:
        ConfigError: The preprocessing names something that is not known.
        ManifestError: Not one file could be read.
        RunError: No decoding process can be started.
        StorageError: The cache is full or cannot be written.
    """
    folder = cache / "prepared" / store_key(samples, preprocessing)
    try:
        with one_works(
            folder.with_name(f".{folder.name}.lock"),
            (folder / _COMPLETE).is_file,
            f"prepared store of {len(samples)} images",
            tell,
        ) as alone:
            if alone:
                _build(folder, samples, preprocessing, progress, decode)
    except OSError as error:
        raise storage_error(error, folder) from error
    excluded = [Exclusion(**row) for row in json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))["exclusions"]]
    return open_store(folder), excluded


def open_store(folder: Path) -> PreparedStore:
    """Opens a store that another process, on this machine or on one that shares the cache, has made or opened.

    Raises:
        StorageError: This machine does not see it.
    """
    try:
        images = np.load(folder / "images.npy", mmap_mode="r")
        index = pd.read_parquet(folder / "index.parquet")
    except OSError as error:
        raise storage_error(error, folder) from error
    return PreparedStore(images[: len(index)], index)


def store_key(samples: Iterable[tuple[str, str]], preprocessing: Preprocessing) -> str:
    """Names a store after all that it is made from: ids, paths, sizes and times of the files, and how they are prepared."""
    made_from = {name: value for name, value in asdict(preprocessing).items() if name not in _LATER}
    digest = hashlib.sha256(json.dumps({"format": _FORMAT, **made_from}).encode())
    for sample_id, path in samples:
        try:
            facts = os.stat(path)
            stamp = f"{facts.st_size}\0{facts.st_mtime_ns}"
        except OSError:
            stamp = "gone"
        digest.update(f"{sample_id}\0{path}\0{stamp}\n".encode())
    return digest.hexdigest()[:32]


def _build(
    folder: Path, samples: Sequence[tuple[str, str]], preprocessing: Preprocessing, progress: Progress | None, decode: Decode
) -> None:
    for left in folder.parent.glob(f".{folder.name}.*.part"):  # of a builder that was killed
        shutil.rmtree(left, ignore_errors=True)
    temporary, pieces = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part"), folder.with_name(f".{folder.name}.pieces")
    temporary.mkdir(parents=True)
    try:
        with closing(decode([path for _, path in samples], preprocessing, pieces)) as results:
            exclusions = _write(temporary, zip(results, samples, strict=True), len(samples), progress)
        write_json(temporary / _COMPLETE, {"format": _FORMAT, "exclusions": [asdict(exclusion) for exclusion in exclusions]})
        _put(temporary, folder)
        shutil.rmtree(pieces, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(
    folder: Path, results: Iterable[tuple[Prepared, tuple[str, str]]], total: int, progress: Progress | None
) -> list[Exclusion]:
    """Images and index as they come: what is held is one group of index rows, and pages that the system may write and drop."""
    images, row, exclusions = None, 0, []
    with closing(_IndexWriter(folder / "index.parquet")) as index:
        for done, (result, (sample_id, _)) in enumerate(results, start=1):
            if isinstance(result, Exclusion):
                exclusions.append(result)
            else:
                if images is None:
                    images = _allocate(folder / "images.npy", (total, *result.pixels.shape))
                images[row] = result.pixels
                index.add(_index_row(sample_id, result))
                row += 1
            if progress:
                progress(done, total)
    if images is None:
        first = f" (first: {exclusions[0].detail})" if exclusions else ""
        raise ManifestError(f"none of the {total} images could be read{first}. Check the files, or leave them out.")
    images.flush()
    return exclusions


def _put(temporary: Path, folder: Path) -> None:
    """Gives a store its name. One that stands is left alone: somebody may be reading it."""
    try:
        os.rename(temporary, folder)  # replaces nothing but an empty folder
    except OSError:
        if (folder / _COMPLETE).is_file():
            return
        if not folder.exists():
            raise
        os.rename(folder, temporary.with_suffix(".broken.part"))  # somebody has taken files out of it
        os.rename(temporary, folder)
        shutil.rmtree(temporary.with_suffix(".broken.part"), ignore_errors=True)


class _IndexWriter:
    """Index rows to Parquet, some thousand at a time: a million as Python objects would take more than a gigabyte."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, []
        self.writer: pq.ParquetWriter | None = None

    def add(self, row: dict[str, object]) -> None:
        self.rows.append(row)
        if len(self.rows) == _INDEX_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self.writer:
            self.writer.close()

    def _flush(self) -> None:
        if self.rows:
            table = pa.Table.from_pandas(pd.DataFrame(self.rows), preserve_index=False)
            self.writer = writer = self.writer or pq.ParquetWriter(self.path, table.schema)
            writer.write_table(table)
            self.rows = []


def _allocate(path: Path, shape: tuple[int, ...]) -> np.memmap:
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with open(path, "rb+") as file:  # claim the space now: writing to an unclaimed page of a full disk kills the process
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return images


def _index_row(sample_id: str, image: PreparedImage) -> dict[str, object]:
    return {
        "sample_id": sample_id,
        **asdict(image.geometry),
        "applied": "; ".join(image.applied),
        "warnings": "; ".join(image.warnings),
        "pixel_sha256": image.pixel_sha256,
    }
