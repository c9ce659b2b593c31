"""RSNA Intracranial Hemorrhage Detection 2019, ``stage_2_train.csv`` (Flanders et al., Radiology: AI 2020, and its page).

Six rows an image: ``ID_000012eaf_epidural,0``. The image is ``ID_000012eaf.dcm``, whose header names the patient.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.labels import LabelTable, parse_labels

NAME = "rsna-ich"
FINDINGS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header is the challenge's two columns and no other."""
    return sorted(columns) == ["ID", "Label"]


def read(path: Path) -> LabelTable:
    """Reads ``stage_2_train.csv``; the published file says some rows twice, which is counted.

    Raises:
        ManifestError: An ID is not ``<image>_<type>``, a value is not a label, or two rows of one ID differ.
    """
    rows = read_named(path, {"ID": "id", "Label": "label"}, required=("ID", "Label"), layout=NAME)
    parts = rows["id"].str.strip().str.extract(rf"^(.+)_({'|'.join(FINDINGS)})$")
    if parts.isna().any(axis=None):
        line = rows.index[parts.isna().any(axis=1)][0]
        raise ManifestError(
            f"{path}: row {line}, column ID: {rows['id'][line]!r} does not end in one of _{', _'.join(FINDINGS)}. Correct it."
        )
    table = parts.set_axis(["image_id", "type"], axis=1).assign(label=parse_labels(rows["label"], path, "Label"))
    distinct = table.drop_duplicates()
    disputed = distinct.duplicated(["image_id", "type"])
    if disputed.any():
        line = distinct.index[disputed][0]
        raise ManifestError(f"{path}: row {line}: {rows['id'][line]} has another Label in an earlier row. Correct them.")
    wide = distinct.pivot(index="image_id", columns="type", values="label").reindex(columns=list(FINDINGS)).astype("Int8")
    first = distinct.drop_duplicates("image_id")["image_id"]
    labels = wide.loc[first].set_axis(first.index).rename_axis(columns=None)
    repeats, gaps = len(table) - len(distinct), int(labels.isna().any(axis=1).sum())
    notes = [f"{path.name}: read as rsna-ich, {len(rows)} rows of {len(labels)} images; {len(FINDINGS)} findings."]
    notes += [f"{path.name}: {repeats} rows repeat an earlier one; they change nothing."] if repeats else []
    notes += [f"{path.name}: {gaps} images lack some of the six rows; those findings are not labelled."] if gaps else []
    return LabelTable(
        path, NAME, ("image_id",), pd.concat([first, labels], axis=1), FINDINGS, notes=tuple(notes), fixed_findings=True
    )
