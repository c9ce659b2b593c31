"""A part of the prepared images as one file, by which machines that share a folder hand them over.

An uncompressed ``.npz`` without pickle: ``images`` uint8 (n, C, S, S), and ``facts``, UTF-8 JSON with one entry a file.
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from medclassify.data.prepare import PreparedImage
from medclassify.data.workers import Prepared
from medclassify.records import Exclusion, PreparedGeometry, Preprocessing

_BYTES = 1 << 26  # of a piece: 64 MiB
_FEWEST, _MOST = 32, 256
_PIECES = 64  # fewer would not keep many machines busy


def piece_size(count: int, preprocessing: Preprocessing) -> int:
    """How many files a piece holds; it depends on nothing but the work, so that another cluster may go on with it."""
    image = preprocessing.image_size**2 * max(1, len(preprocessing.ct_windows or ()))
    return max(1, min(max(count // _PIECES, _FEWEST), _BYTES // image, _MOST))


def write_arrays(target: Path, facts: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays and JSON as one file, whole or not at all; of two processes that write the same one, either stays."""
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **cast(Any, arrays))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_arrays(path: Path) -> tuple[Any, dict[str, NDArray[Any]]]:
    """What ``write_arrays`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(arrays.pop("facts").tobytes()), arrays


def write_piece(target: Path, results: Iterable[Prepared]) -> None:
    """Writes what was made of some files."""
    facts, images = [], []
    for result in results:
        if isinstance(result, Exclusion):
            facts.append({"exclusion": asdict(result)})
            continue
        images.append(result.pixels)
        facts.append(
            {
                "geometry": asdict(result.geometry),
                "applied": result.applied,
                "warnings": result.warnings,
                "pixel_sha256": result.pixel_sha256,
            }
        )
    write_arrays(target, facts, {"images": np.stack(images) if images else np.zeros((0, 1, 1, 1), np.uint8)})


def read_piece(path: Path) -> Iterator[Prepared]:
    """What was made of each file, in order."""
    facts, arrays = read_arrays(path)
    images = iter(arrays["images"])
    for fact in facts:
        if "exclusion" in fact:
            yield Exclusion(**fact["exclusion"])
            continue
        yield PreparedImage(
            pixels=next(images),
            geometry=PreparedGeometry(**fact["geometry"]),
            applied=tuple(fact["applied"]),
            warnings=tuple(fact["warnings"]),
            pixel_sha256=fact["pixel_sha256"],
        )
