"""The generic layout: one line an image, a column that finds the image, and one column a finding."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.attributes import PATIENT_FACTS
from medclassify.manifest.delimited import read_columns, read_header
from medclassify.manifest.identifiers import PATIENT_NAMES, identifying_content, identifying_name
from medclassify.manifest.labels import KEYS, LABEL_VALUES, LabelTable, parse_labels

NAME = "generic"
_ALIASES = {
    "path": ("file", "filename", "file_name", "filepath", "file_path", "image_path", "dicom_path"),
    "image_id": ("imageid", "image", "image_name", "image_index"),
    "sop_uid": ("sopuid", "sop_instance_uid", "sopinstanceuid"),
    "study_uid": ("studyuid", "study_instance_uid", "studyinstanceuid"),
    "series_uid": ("seriesuid", "series_instance_uid", "seriesinstanceuid"),
    "patient_id": PATIENT_NAMES,
    "sex": ("gender", "patient_sex", "patient_gender"),
    "age": ("patient_age", "age_years"),
    "view": ("view_position", "viewposition", "projection"),
    "site": ("institution", "hospital"),
    "manufacturer": ("vendor",),
}
_CORE = ("split", "modality", "laterality", *_ALIASES)
_CORE_SPELLINGS = {*_CORE, *(alias for aliases in _ALIASES.values() for alias in aliases)}
_MADE_HERE = ("sample_id", "age_band")


def recognises(columns: Sequence[str]) -> bool:
    """Whether one of the columns can find an image."""
    return any(key in _canonical(columns) for key in KEYS)


def read(path: Path) -> LabelTable:
    """Reads a generic label file and says in its notes which column was taken for what.

    Raises:
        ManifestError: No column finds an image, or two columns have one name.
    """
    header, delimiter = read_header(path)
    _refuse_repeats(path, header)
    core = _canonical(header)
    # Beside a key that names one image, a study UID is a fact about it and must not spread its labels over the study.
    keys = tuple(key for key in KEYS if key in core and (key != "study_uid" or not core.keys() & set(KEYS[:3])))
    if not keys:
        raise ManifestError(
            f"{path}: no column finds an image: one of {', '.join(KEYS)} is needed, received {', '.join(header)}. "
            f"Rename the column that names the image file."
        )
    rows = read_columns(path, range(len(header)), header, delimiter=delimiter, whole=True)
    rows = rows.rename(columns={name: key for key, name in core.items()})
    findings, attributes, left_out, doubts = _sort_out(rows, [name for name in header if name not in core.values()])
    doubts = tuple(f"{path.name}: {doubt}" for doubt in doubts)
    labels = {name: parse_labels(rows[name], path, name) for name in findings}
    notes = [
        f"{path.name}: read as generic, {len(rows)} rows; images are found by {', '.join(keys)}.",
        f"{path.name}: findings: {', '.join(findings) or 'none'}.",
        f"{path.name}: attributes: {', '.join(attributes) or 'none'}.",
        *(f"{path.name}: column {name} is left out: {reason}." for name, reason in left_out.items()),
        *doubts,
    ]
    kept = [*core, *attributes]
    content = rows[kept].assign(**labels)
    return LabelTable(path, NAME, keys, content, tuple(findings), tuple(attributes), tuple(notes), doubts)


def _canonical(columns: Iterable[str]) -> dict[str, str]:
    """Core name → the column that holds it; the exact name wins over another spelling of it."""
    spelt: dict[str, str] = {}
    for column in columns:
        spelt.setdefault(_spelling(column), column)
    found = {}
    for name in _CORE:
        spelling = next((alias for alias in (name, *_ALIASES.get(name, ())) if alias in spelt), None)
        if spelling is not None:
            found[name] = spelt[spelling]
    return found


def _spelling(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")


def _refuse_repeats(path: Path, header: Sequence[str]) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ManifestError(f"{path}: {len(repeated)} column names stand twice (first: {repeated[0]!r}). Rename one of each.")


def _sort_out(rows: pd.DataFrame, columns: Sequence[str]) -> tuple[list[str], list[str], dict[str, str], list[str]]:
    """Parts the columns that have no fixed meaning into findings, attributes and those that are left out, with reasons."""
    findings: list[str] = []
    attributes: list[str] = []
    left_out: dict[str, str] = {}
    doubts: list[str] = []
    for name in columns:
        values = rows[name].dropna()
        labels = values.str.strip().isin(list(LABEL_VALUES))
        if values.empty or not name:
            left_out[name or "(no name)"] = "it is blank" if values.empty else "it has no name"
        elif _spelling(name) in _MADE_HERE:
            left_out[name] = "the manifest makes its own"
        elif _spelling(name) in _CORE_SPELLINGS:
            left_out[name] = "another column already says this"
        elif labels.all() and name.lower() not in PATIENT_FACTS:
            findings.append(name)
        elif reason := identifying_name(name) or identifying_content(values):
            left_out[name] = f"it looks like {reason}"
        else:
            attributes.append(name)
            if labels.mean() > 0.9 and name.lower() not in PATIENT_FACTS:
                first = values[~labels]
                why = "1 value that is no label" if len(first) == 1 else f"{len(first)} values that are no labels"
                doubts.append(
                    f"column {name} is taken as an attribute because of {why} "
                    f"(first: row {first.index[0]}, {first.iloc[0]!r}); correct {'it' if len(first) == 1 else 'them'} "
                    "if it is a finding."
                )
    return findings, attributes, left_out, doubts
