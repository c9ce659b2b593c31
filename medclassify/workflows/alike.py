"""Near-duplicates of a prepared store: compared once, and kept beside the images they were found among."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from medclassify.data import PreparedStore
from medclassify.manifest import NearDuplicate, near_duplicates
from medclassify.runs import storage_error, write_json
from medclassify.workflows.console import progress, say

_METHOD = 1  # raised whenever ``near_duplicates`` would find other pairs


def find_alike(store: PreparedStore, patient_of: Mapping[str, str]) -> tuple[NearDuplicate, ...]:
    """Pairs of patients' images that show one picture, compared anew only where they have not been yet.

    A store is named after everything its images were made from, so pairs of its rows stay true; they are kept in its folder,
    one file for each way in which the images belong to patients. One that cannot be read is made again.

    Args:
        store: The images.
        patient_of: Whose each sample is.

    Raises:
        StorageError: The cache is full or cannot be written.
    """
    samples = store.index["sample_id"].tolist()
    patients = [patient_of[sample] for sample in samples]
    kept = store.folder / f"alike-{_digest(patients)}.json"
    known = _read(kept, len(samples))
    if known is not None:
        say(f"comparing images: done before, {len(known)} pairs alike")
        return tuple(NearDuplicate(samples[one], samples[other], likeness) for one, other, likeness in known)
    with progress("comparing images") as move:
        found = near_duplicates(store.images, samples, patients, progress=move)
    row = {sample: number for number, sample in enumerate(samples)}
    pairs = [[row[pair.first], row[pair.second], pair.similarity] for pair in found]
    try:
        write_json(kept, {"images": len(samples), "pairs": pairs})
    except OSError as error:
        raise storage_error(error, kept.parent) from error
    return found


def _digest(patients: list[str]) -> str:
    """Which images belong together: the same when patients are only named otherwise."""
    number: dict[str, int] = {}
    groups = [number.setdefault(patient, len(number)) for patient in patients]
    return hashlib.sha256(json.dumps([_METHOD, groups]).encode()).hexdigest()[:32]


def _read(kept: Path, images: int) -> list[tuple[int, int, float]] | None:
    try:
        record = json.loads(kept.read_text(encoding="utf-8"))
        pairs = [(int(one), int(other), float(likeness)) for one, other, likeness in record["pairs"]]
        whole = record["images"] == images and all(0 <= one < other < images and 0 < like <= 2 for one, other, like in pairs)
    except (OSError, ValueError, KeyError, TypeError):  # not there yet, or damaged
        return None
    return pairs if whole else None
