"""Every header below some folders, as a table; only what is new since the last time is read."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify import errors
from medclassify.dicom import find_files, read_dicomdir, read_header, read_header_batches
from medclassify.errors import DicomError, ManifestError, NotAnImageError, StorageError
from medclassify.manifest import HEADER_FIELDS, PatientHasher, header_table
from medclassify.records import Exclusion
from medclassify.workflows.cache import cache_folder
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.header_cache import HeaderCache, file_stamps

_CALLED_IMAGE = (".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg")
Advance = Callable[[int], None]
Read = tuple[pd.DataFrame, list[Exclusion]]
ReadBatches = Callable[[Sequence[str], PatientHasher], Iterator[tuple[pd.DataFrame, list[Exclusion], list[str]]]]
"""Files → tables of headers, files that cannot be read, and files that are no images, some hundred files at a time."""


def read_here(paths: Sequence[str], hasher: PatientHasher) -> Iterator[tuple[pd.DataFrame, list[Exclusion], list[str]]]:
    """Reads headers on this machine."""
    for batch in read_header_batches(paths, HEADER_FIELDS):
        yield header_table(batch.headers, hasher), [unread(*failure) for failure in batch.failed], batch.others


def read_headers(sources: Sequence[Path], hasher: PatientHasher, read: ReadBatches = read_here) -> Read:
    """Reads the header of every image below the sources; a file that cannot be read is listed, and the rest goes on.

    Args:
        sources: Folders and files; a DICOMDIR stands for the images that it names.
        hasher: Makes patient ids unreadable.
        read: Who reads.

    Returns:
        A ``header_table``, and the files that could not be read.

    Raises:
        ManifestError: There is not one image.
    """
    sources, missing = _without_directories(sources)
    found: dict[Path | None, list[str]] = {}
    for path, source in find_files(sources).items():
        found.setdefault(source, []).append(path)
    total, done, unchanged = sum(map(len, found.values())), 0, 0
    tables, failed, others = [_table({}, hasher)], missing, []
    with progress("reading headers") as move:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            move(done, total)

        for source, paths in found.items():
            known = 0
            if source is None:
                table, refused = _read_named(paths, hasher, advance, read)
            else:
                table, refused, passed_over, known = _read_folder(source, paths, hasher, advance, read)
                others += passed_over
            tables.append(table)
            failed += refused
            unchanged += known
    headers = pd.concat(tables, ignore_index=True)
    if headers.empty and not failed:
        raise ManifestError(f"{', '.join(map(str, sources))}: no DICOM, PNG or JPEG image found. Check the folder's name.")
    failed += _tell_what_is_no_image(others)
    if unchanged:
        say(f"headers: {unchanged} of {total} files unchanged since the last index")
    return headers, failed


def _without_directories(sources: Sequence[Path]) -> tuple[list[Path], list[Exclusion]]:
    """Puts the images that a DICOMDIR names in its place, and lists those that are not there."""
    plain, missing = [], []
    for source in sources:
        if source.name.upper() != "DICOMDIR" or not source.is_file():
            plain.append(source)
            continue
        listed = read_dicomdir(source)
        say(f"{source}: names {len(listed.images) + len(listed.missing)} images")
        for line in listed.warnings:
            say(f"  {line}")
        plain += listed.images
        missing += [Exclusion(str(path), "not there", f"{path}: {source} names it") for path in listed.missing]
    return plain, missing


def _read_named(paths: Sequence[str], hasher: PatientHasher, advance: Advance, read: ReadBatches) -> Read:
    """Files that were named themselves: one that is no image is told."""
    tables, failed = [_table({}, hasher)], []
    for table, refused, others in _read(paths, hasher, advance, read):
        tables.append(table)
        failed += refused
        for path in others:
            try:
                read_header(path)
            except DicomError as error:
                failed.append(Exclusion(path, error.reason, str(error)))
    return pd.concat(tables, ignore_index=True), failed


def _read_folder(
    source: Path, paths: Sequence[str], hasher: PatientHasher, advance: Advance, read: ReadBatches
) -> tuple[*Read, list[str], int]:
    """Files that were found in a folder, those among them that are no images, and how many had not changed."""
    started, stamps = time.time_ns(), file_stamps(paths)
    start = os.path.join(source, "")
    names = [path.removeprefix(start) for path in paths]  # a cache holds for the folder, however it is named
    cache = HeaderCache(source, cache_folder(), hasher.fingerprint)
    known, unchanged = cache.lookup(names, stamps)
    advance(int(unchanged.sum()))
    tables, failed = [known.assign(path=start + known["path"])] if len(known) else [], []
    try:
        new = [path for path, same in zip(paths, unchanged, strict=True) if not same]
        for table, refused, others in _read(new, hasher, advance, read):
            tables += [table.assign(image=True), _table({"path": others}, hasher).assign(image=False)]
            failed += refused
    finally:  # an interrupted index goes on from here
        rows = pd.concat([_table({}, hasher).assign(image=True), *tables], ignore_index=True)
        if tables and len(rows) > len(known):
            rows_of = pd.Index(paths).get_indexer(rows["path"])
            try:
                cache.store(rows.assign(path=rows["path"].str.slice(len(start))), stamps[rows_of], started)
            except StorageError as error:
                warn(f"the next index will read every header again: {error}")
    others = sorted(rows["path"][~rows["image"]])
    return rows[rows["image"]].drop(columns="image"), failed, others, int(unchanged.sum())


def _read(
    paths: Sequence[str], hasher: PatientHasher, advance: Advance, read: ReadBatches
) -> Iterator[tuple[pd.DataFrame, list[Exclusion], list[str]]]:
    for table, refused, others in read(paths, hasher):
        yield table, refused, others
        advance(len(table) + len(refused) + len(others))


def _table(fields: dict[str, Sequence[str]], hasher: PatientHasher) -> pd.DataFrame:
    """A table of files of which nothing but some fields is known."""
    count = len(next(iter(fields.values()), ()))
    blank: dict[str, list[Any]] = {name: [""] * count for name in HEADER_FIELDS}
    blank |= {"age_years": [None] * count, "burned_in": [False] * count, "rows": [0] * count, "columns": [0] * count}
    return header_table(blank | fields, hasher)


def unread(path: str, error: str, text: str) -> Exclusion:
    """A file whose header cannot be read: its path, the class of the error and its message."""
    return Exclusion(path, getattr(errors, error, DicomError).reason, text)


def _tell_what_is_no_image(others: Sequence[str]) -> list[Exclusion]:
    """Counts the files of folders that are no images; one that is called like an image is listed."""
    called = [path for path in others if os.path.splitext(path)[1].lower() in _CALLED_IMAGE]
    rest = len(others) - len(called)
    if rest:
        first = next(path for path in others if os.path.splitext(path)[1].lower() not in _CALLED_IMAGE)
        many = "1 file is no image" if rest == 1 else f"{rest} files are no images"
        say(f"headers: {many} by content, and passed over (first: {first})")
    return [
        Exclusion(path, NotAnImageError.reason, f"{path}: called an image, and its first bytes are neither DICOM, PNG nor JPEG")
        for path in called
    ]
