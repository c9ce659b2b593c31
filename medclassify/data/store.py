"""The prepared store: one memory-mapped array of all images, and a Parquet index beside it.

Random reads from a memory-mapped array run at the speed of memory; nothing decodes DICOM inside an epoch. A store is named
after everything it was made from, so it is never stale: another file, window or size is another store. It takes size² bytes an
image (49 KiB at 224) in the cache folder.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.data.prepare import PreparedImage
from medclassify.data.workers import prepare_in_workers
from medclassify.errors import ManifestError
from medclassify.records import Exclusion, PreparedGeometry, Preprocessing
from medclassify.runs import storage_error, write_json

_FORMAT = 1
_LATER = ("mean", "std")  # what is done to an image after it left the store
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedStore:
    """Prepared images.

    Attributes:
        images: uint8 (N, C, S, S), memory-mapped, read-only.
        index: One row an image, in the array's order: ``sample_id``, geometry, ``applied``, ``warnings``, ``pixel_sha256``.
    """

    images: NDArray[np.uint8]
    index: pd.DataFrame

    def rows(self, sample_ids: Sequence[str]) -> NDArray[np.int64]:
        """Where the given samples stand in ``images``: int64 (n,).

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
    samples: Sequence[tuple[str, str]], preprocessing: Preprocessing, *, cache: Path, progress: Progress | None = None
) -> tuple[PreparedStore, list[Exclusion]]:
    """Decodes the samples once, or opens the store an earlier call made of the same files.

    Args:
        samples: (sample_id, path) pairs.
        preprocessing: What the network expects.
        cache: Folder of stores.
        progress: Called with (done, total).

    Returns:
        The store, and the files that could not be read, each with its reason; the rest goes on without them.

    Raises:
        ConfigError: The preprocessing names something that is not known.
        ManifestError: Not one file could be read.
        RunError: No decoding process can be started.
        StorageError: The cache is full or cannot be written.
    """
    folder = cache / "prepared" / _key(samples, preprocessing)
    if not (folder / "complete.json").is_file():
        try:
            _build(folder, samples, preprocessing, progress)
        except OSError as error:
            raise storage_error(error, folder) from error
    excluded = [Exclusion(**row) for row in json.loads((folder / "complete.json").read_text(encoding="utf-8"))["exclusions"]]
    images = np.load(folder / "images.npy", mmap_mode="r")
    index = pd.read_parquet(folder / "index.parquet")
    return PreparedStore(images[: len(index)], index), excluded


def _key(samples: Sequence[tuple[str, str]], preprocessing: Preprocessing) -> str:
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


def _build(folder: Path, samples: Sequence[tuple[str, str]], preprocessing: Preprocessing, progress: Progress | None) -> None:
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    temporary.mkdir(parents=True)
    try:
        images, rows, exclusions = None, [], []
        with closing(prepare_in_workers([path for _, path in samples], preprocessing)) as results:
            for done, (result, (sample_id, _)) in enumerate(zip(results, samples, strict=True), start=1):
                if isinstance(result, Exclusion):
                    exclusions.append(result)
                else:
                    if images is None:
                        images = _allocate(temporary / "images.npy", (len(samples), *result.pixels.shape))
                    images[len(rows)] = result.pixels
                    rows.append(_index_row(sample_id, result))
                if progress:
                    progress(done, len(samples))
        if images is None:
            first = f" (first: {exclusions[0].detail})" if exclusions else ""
            raise ManifestError(f"none of the {len(samples)} images could be read{first}. Check the files, or leave them out.")
        images.flush()
        pd.DataFrame(rows).to_parquet(temporary / "index.parquet")
        write_json(
            temporary / "complete.json", {"format": _FORMAT, "exclusions": [asdict(exclusion) for exclusion in exclusions]}
        )
        if folder.exists():  # another process was faster, or an older attempt broke off
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
