"""The images' side of the join: headers as a table."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.patients import PatientHasher
from medclassify.records import Exclusion, InstanceHeader

LISTED_TWICE = "listed twice"
_NO_TEXT = {"age_years": np.float64, "burned_in": np.bool_, "rows": np.int32, "columns": np.int32}
_COLUMNS = {
    "path": "path",
    "rows": "rows",
    "columns": "columns",
    "patient_key": "patient_key",
    "study_uid": "study_uid",
    "series_uid": "series_uid",
    "sop_uid": "sop_uid",
    "modality": "modality",
    "view": "view",
    "laterality": "laterality",
    "site": "site",
    "manufacturer": "manufacturer",
    "sex": "sex",
    "age_years": "age",
    "burned_in": "burned_in",
}
HEADER_FIELDS = tuple(_COLUMNS)
"""The fields of ``InstanceHeader`` that a manifest is made of."""
_AT_ONCE = 10_000


def header_table(fields: Mapping[str, Sequence[Any]], hasher: PatientHasher) -> pd.DataFrame:
    """Makes a table of headers that names no patient, so that it may be kept.

    Args:
        fields: Each of ``HEADER_FIELDS`` → its values, one a file.
        hasher: Makes patient ids unreadable.

    Returns:
        str columns as in a manifest (missing where blank), ``rows`` and ``columns`` int32, ``age`` float64 in years,
        ``burned_in`` bool; and in the place of the patient id ``patient_hash`` str and ``patient_spelling`` int64 (equal where
        the id is written alike).
    """
    table = pd.DataFrame(
        {
            name: np.array(fields[field], _NO_TEXT[field]) if field in _NO_TEXT else _clean(fields[field])
            for field, name in _COLUMNS.items()
        }
    )
    table["patient_hash"] = hasher.hash_all(table["patient_key"])
    table["patient_spelling"] = hasher.spellings(table["patient_key"])
    return table.drop(columns="patient_key")


def tabulate(headers: pd.DataFrame | Iterable[InstanceHeader], hasher: PatientHasher) -> tuple[pd.DataFrame, list[Exclusion]]:
    """Makes the images' side of the join.

    Args:
        headers: A ``header_table``, or one header a file.
        hasher: Makes patient ids unreadable.

    Returns:
        A ``header_table`` sorted by absolute ``path`` and indexed from 0, and files that were named more than once.

    Raises:
        ManifestError: There is no header.
    """
    table: pd.DataFrame = headers if isinstance(headers, pd.DataFrame) else _tables(headers, hasher)
    if table.empty:
        raise ManifestError(
            "no image to label: the source holds no readable image. Check data.source, and the exclusions' reasons."
        )
    table = table.assign(path=_absolute(table["path"])).sort_values("path", kind="stable", ignore_index=True)
    twice = table["path"].duplicated()
    exclusions = [
        Exclusion(path, LISTED_TWICE, "the sources name this file more than once; it is kept once")
        for path in table["path"][twice]
    ]
    return table[~twice].reset_index(drop=True) if exclusions else table, exclusions


def _tables(headers: Iterable[InstanceHeader], hasher: PatientHasher) -> pd.DataFrame:
    """Some thousand headers at a time: a million of them as Python objects would take a gigabyte."""
    values, rest = attrgetter(*HEADER_FIELDS), iter(headers)
    tables = [header_table(dict.fromkeys(HEADER_FIELDS, ()), hasher)]
    while part := [values(header) for header in islice(rest, _AT_ONCE)]:
        tables.append(header_table(dict(zip(HEADER_FIELDS, zip(*part, strict=True), strict=True)), hasher))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _clean(values: Sequence[str]) -> pd.Series:
    text = pd.Series(values, dtype="str").str.strip()
    return text.mask(text == "")


def _absolute(path: pd.Series) -> pd.Series:
    straight = path.str.startswith("/") & ~path.str.contains(r"(?:/\.{1,2}(?:/|$))|//|/$", regex=True)
    return path.where(straight, path[~straight].map(lambda name: Path(os.path.abspath(str(name))).as_posix()))


def source_folders(images: pd.DataFrame, sources: Sequence[Path | str]) -> list[Path]:
    """The folders from which relative paths are counted, deepest first: the sources, or all images' common folder."""
    named = [Path(os.path.abspath(source)) for source in sources]
    folders = {source.parent if source.is_file() else source for source in named}
    common = folders or {Path(os.path.commonpath({os.path.dirname(path) for path in images["path"]}))}
    return sorted(common, key=lambda folder: (-len(folder.parts), folder))


def named_by(uid: str) -> str:
    """The id of what a UID names: the first 64 bits of SHA-256 over it, 16 hexadecimal digits."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]


def sample_ids(images: pd.DataFrame, folders: Sequence[Path]) -> pd.Series:
    """Names each sample: the first 64 bits of SHA-256 over its SOP Instance UID, or for pictures over the path in its source.

    Args:
        images: Columns ``path`` (absolute) and ``sop_uid`` (missing for pictures).
        folders: ``source_folders``.

    Returns:
        str (N,), 16 hexadecimal digits each; the same wherever the dataset lies.

    Raises:
        ManifestError: Two samples get one id (two sources hold a picture of the same relative path).
    """
    relative = images["path"].copy()
    for folder in folders:
        start = f"{folder.as_posix().rstrip('/')}/"
        relative = relative.where(~relative.str.startswith(start), relative.str.slice(len(start)))
    named = images["sop_uid"].fillna(relative)
    ids = pd.Series([named_by(str(name)) for name in named], index=images.index, dtype="str")
    twice = ids.duplicated(keep=False)
    if twice.any():
        first, second = images["path"][ids == ids[twice].iloc[0]].iloc[:2]
        raise ManifestError(
            f"{first} and {second}: one sample_id for two images, because both have the same path in their source. "
            f"Index the folder above both sources instead."
        )
    return ids
