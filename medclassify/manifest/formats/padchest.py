"""PadChest, ``PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv`` (Bustos et al., Medical Image Analysis 2020).

``Labels`` is a Python list as text, ``['pleural effusion', ' cardiomegaly']``, blanks included. The report is never read.
An image is labelled with what its report mentions, so what is not mentioned counts as absent, except:

- ``exclude`` (the report says nothing of use): nothing is known;
- ``unchanged`` (the same as in an earlier report, which is not named): what is mentioned is present, the rest is not known.
"""

import ast
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.labels import LabelTable

NAME = "padchest"
EXCLUDE, UNCHANGED = "exclude", "unchanged"
_REQUIRED = ("ImageID", "PatientID", "Projection", "Labels")
_COLUMNS = {
    "ImageID": "image_id",
    "PatientID": "patient_id",
    "Projection": "view",
    "Labels": "labels",
    "PatientSex_DICOM": "sex",
    "PatientBirth": "born",
    "StudyDate_DICOM": "date",
    "Modality_DICOM": "modality",
    "Manufacturer_DICOM": "manufacturer",
}
_LONGEST = 20_000


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header names images, patients and labels the way PadChest does."""
    return set(_REQUIRED) <= set(columns)


def read(path: Path) -> LabelTable:
    """Reads the file or a part of it with the same columns; ``.gz`` too. The findings are the labels it holds, by name.

    Raises:
        ManifestError: A column is missing, an image stands without a name, or ``Labels`` is not a list of texts.
    """
    rows = read_named(path, _COLUMNS, required=_REQUIRED, layout=NAME, filled=("ImageID",))
    lists = rows.pop("labels")
    texts = {text: parse_list(text, path, line) for line, text in lists.dropna().drop_duplicates().items()}  # type: ignore[misc]
    findings = tuple(sorted({name for names in texts.values() for name in names} - {EXCLUDE, UNCHANGED}))
    if not findings:
        raise ManifestError(f"{path}: column Labels names no finding. It holds lists such as ['pleural effusion'].")
    values = {text: [_label(name, names) for name in findings] for text, names in texts.items()}
    kinds = pd.DataFrame.from_dict(values, orient="index", columns=list(findings)).astype("Int8")
    labels = kinds.reindex(lists).set_axis(rows.index)
    said = lists.map(texts)
    silent = int(lists.isna().sum() + said.dropna().map(lambda names: EXCLUDE in names).sum())
    partly = int(said.dropna().map(lambda names: UNCHANGED in names and EXCLUDE not in names).sum())
    notes = [f"{path.name}: read as padchest, {len(rows)} rows; {len(findings)} findings, absent where a report is silent."]
    if silent or partly:
        notes.append(
            f"{path.name}: {silent} rows are blank or say {EXCLUDE!r}: nothing is labelled; {partly} say {UNCHANGED!r}: "
            f"only what they mention is labelled."
        )
    rows = _with_age(rows)
    return LabelTable(
        path, NAME, ("image_id",), pd.concat([rows, labels], axis=1), findings, notes=tuple(notes), fixed_findings=True
    )  # fmt: skip


def parse_list(text: str, path: Path, line: int) -> frozenset[str]:
    """A Python list of texts, without running it (``ast.literal_eval`` takes literals only) and of bounded length.

    Raises:
        ManifestError: It is no such list.
    """
    try:
        value = ast.literal_eval(text.strip()) if len(text) <= _LONGEST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        shown = text if len(text) < 60 else text[:56] + " ..."
        raise ManifestError(
            f"{path}: row {line}, column Labels: {shown!r} is not a list of labels such as ['pleural effusion']. Correct it."
        )
    return frozenset(name.strip() for name in value) - {""}


def _label(finding: str, names: frozenset[str]) -> int | None:
    if EXCLUDE in names or not names:
        return None
    return 1 if finding in names else None if UNCHANGED in names else 0


def _with_age(rows: pd.DataFrame) -> pd.DataFrame:
    """Year of the study minus year of birth; neither of the two is kept."""
    if not {"born", "date"} <= set(rows.columns):
        return rows.drop(columns=["born", "date"], errors="ignore")
    year = pd.to_numeric(rows["date"].str.strip().str.slice(0, 4), errors="coerce")
    age = year - pd.to_numeric(rows["born"].str.strip().str.slice(0, 4), errors="coerce")
    return rows.drop(columns=["born", "date"]).assign(age=age.astype("Int64").astype("str").mask(age.isna()))
