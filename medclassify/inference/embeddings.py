"""Embeddings of a whole prepared store, kept beside it in the cache: the forward pass is paid once for each backbone.

A head on embeddings costs 50 µs an image where the network costs tens of milliseconds, so that a search over heads takes
seconds. A file is named after the store, the backbone's weights and the normalisation, so it is never stale; its SHA-256 stands
beside it, so a damaged one is noticed and made again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from timm.models.efficientnet import EfficientNet

from medclassify.data import PreparedStore
from medclassify.errors import StorageError
from medclassify.inference.predict import Progress, embedded_batches
from medclassify.models import state_fingerprint
from medclassify.records import Preprocessing
from medclassify.runs import atomic_path, sha256_file, write_text

_FORMAT = 1
Tell = Callable[[str], None]


def stored_embeddings(
    network: EfficientNet,
    store: PreparedStore,
    *,
    preprocessing: Preprocessing,
    progress: Progress | None = None,
    tell: Tell = print,
) -> NDArray[np.float32]:
    """The embeddings of every image of a store, from the cache where they are.

    Cost: the first time one forward pass (27 ms an image on a core for EfficientNetV2-B0 at 224 pixels), then nothing but
    reading 4·D bytes an image (5 KiB where D is 1280, a tenth of the image itself), once more for the check. Only the head is
    left to compute, so any number of heads may be tried.

    Args:
        network: The backbone whose embeddings they are; its head does not matter. It is put into evaluation mode, and its
            device does the work.
        store: As ``prepare_store`` returns it; embeddings of a store that is not on disk are computed and not kept.
        preprocessing: What the network expects.
        progress: Called with (done, total) while they are computed.
        tell: Called with a line where a stored file is damaged, or cannot be written.

    Returns:
        float32 (M, D), read-only, in the store's order: take ``[store.rows(sample_ids)]``.
    """
    path = _path(network, store, preprocessing)
    if path is None:
        return _compute(network, store, preprocessing, progress)
    shape = (len(store.images), cast(int, network.num_features))
    if path.is_file() and (found := _read(path, shape, tell)) is not None:
        return found
    try:
        _write(
            path, shape, embedded_batches(network, store.images, _all(store), preprocessing=preprocessing, progress=progress)
        )
    except (StorageError, OSError) as error:
        tell(f"embeddings are not kept, and the next run computes them again: {error}")
        return _compute(network, store, preprocessing, progress)
    return np.load(path, mmap_mode="r")


def _path(network: EfficientNet, store: PreparedStore, preprocessing: Preprocessing) -> Path | None:
    images = getattr(store.images, "filename", None)  # a view of a memory-mapped array knows its file
    if images is None:
        return None
    folder = Path(images).parent
    backbone = {name: value for name, value in network.state_dict().items() if not name.startswith("classifier.")}
    facts = {"format": _FORMAT, "weights": state_fingerprint(backbone), **asdict(preprocessing)}
    facts["beside"] = getattr(store.images, "digest", "")  # slices with their neighbours as channels
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return folder.with_name(f"{folder.name}.embeddings") / f"{key}.npy"


def _read(path: Path, shape: tuple[int, int], tell: Tell) -> NDArray[np.float32] | None:
    """The stored array, or None where it is not what was written."""
    try:
        whole = sha256_file(path) == path.with_suffix(".sha256").read_text(encoding="utf-8")
        found = np.load(path, mmap_mode="r") if whole else None
    except (OSError, ValueError):
        found = None
    if found is None or found.shape != shape or found.dtype != np.float32:
        tell(f"{path}: the stored embeddings are damaged or incomplete, and are computed again")
        return None
    return found


def _write(path: Path, shape: tuple[int, int], batches: Iterable[NDArray[np.float32]]) -> None:
    path.with_suffix(".sha256").unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:  # written in order, not mapped: a full disk is an error here and not a crash
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for batch in batches:
                file.write(np.ascontiguousarray(batch, dtype="<f4").tobytes())
        digest = sha256_file(temporary)
    write_text(path.with_suffix(".sha256"), digest)


def _compute(
    network: EfficientNet, store: PreparedStore, preprocessing: Preprocessing, progress: Progress | None
) -> NDArray[np.float32]:
    parts = embedded_batches(network, store.images, _all(store), preprocessing=preprocessing, progress=progress)
    return np.concatenate(list(parts))


def _all(store: PreparedStore) -> NDArray[np.int64]:
    return np.arange(len(store.images))
