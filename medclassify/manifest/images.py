"""The images' side of the join: headers as a table."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.records import Exclusion, InstanceHeader

LISTED_TWICE = "listed twice"
_FIELDS = {
    "path": "path",
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


def tabulate(headers: Iterable[InstanceHeader]) -> tuple[pd.DataFrame, list[Exclusion]]:
    """Makes a table of headers.

    Args:
        headers: One a file.

    Returns:
        A table sorted by absolute ``path`` and indexed from 0: str columns (missing where blank), ``age`` float64 in years,
        ``burned_in`` bool; and files that were named more than once.

    Raises:
        ManifestError: There is no header.
    """
    table = pd.DataFrame.from_records(list(map(attrgetter(*_FIELDS), headers)), columns=list(_FIELDS.values()))
    if table.empty:
        raise ManifestError(
            "no image to label: the source holds no readable image. Check data.source, and the exclusions' reasons."
        )
    for name in table.columns.drop(["age", "burned_in"]):
        text = table[name].astype("str").str.strip()
        table[name] = text.mask(text == "")
    table["age"] = table["age"].astype("float64")
    table["path"] = _absolute(table["path"])
    table = table.sort_values("path", kind="stable", ignore_index=True)
    twice = table["path"].duplicated()
    exclusions = [
        Exclusion(path, LISTED_TWICE, "the sources name this file more than once; it is kept once")
        for path in table["path"][twice]
    ]
    return table[~twice].reset_index(drop=True), exclusions


def _absolute(path: pd.Series) -> pd.Series:
    straight = path.str.startswith("/") & ~path.str.contains(r"(?:/\.{1,2}(?:/|$))|//|/$", regex=True)
    return path.where(straight, path[~straight].map(lambda name: Path(os.path.abspath(str(name))).as_posix()))


def source_folders(images: pd.DataFrame, sources: Sequence[Path | str]) -> list[Path]:
    """The folders from which relative paths are counted, deepest first: the sources, or all images' common folder."""
    named = [Path(os.path.abspath(source)) for source in sources]
    folders = {source.parent if source.is_file() else source for source in named}
    common = folders or {Path(os.path.commonpath({os.path.dirname(path) for path in images["path"]}))}
    return sorted(common, key=lambda folder: (-len(folder.parts), folder))


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
    ids = pd.Series([hashlib.sha256(str(name).encode()).hexdigest()[:16] for name in named], index=images.index, dtype="str")
    twice = ids.duplicated(keep=False)
    if twice.any():
        first, second = images["path"][ids == ids[twice].iloc[0]].iloc[:2]
        raise ManifestError(
            f"{first} and {second}: one sample_id for two images, because both have the same path in their source. "
            f"Index the folder above both sources instead."
        )
    return ids
