"""CheXpert, ``train.csv`` and ``valid.csv`` (Irvin et al., AAAI 2019, and the data set's own page).

``Path`` names the patient and begins with the folder of the release, which is left out since it is often renamed:
``CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg``. Labels are 1, 0, -1 (uncertain) and blank (not mentioned).
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.labels import LabelTable, parse_labels

NAME = "chexpert"
FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
_COLUMNS = {"Path": "path", "Sex": "sex", "Age": "age", "Frontal/Lateral": "direction", "AP/PA": "view"}
_REQUIRED = ("Path", "Frontal/Lateral")


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header names an image and its direction the way CheXpert does."""
    return set(_REQUIRED) <= set(columns)


def read(path: Path) -> LabelTable:
    """Reads ``train.csv`` or ``valid.csv``.

    Raises:
        ManifestError: A required column is missing, a path names no patient, or a value is not a label.
    """
    rows = read_named(path, _COLUMNS | {name: name for name in FINDINGS}, required=_REQUIRED, layout=NAME)
    findings = [name for name in FINDINGS if name in rows.columns]
    if not findings:
        raise ManifestError(f"{path}: none of CheXpert's findings is a column. They are {', '.join(FINDINGS)}.")
    patient = rows["path"].str.extract(r"(?:^|/)(patient\d+)/")[0]
    if patient.isna().any():
        line = rows.index[patient.isna()][0]
        raise ManifestError(
            f"{path}: row {line}, column Path: {rows['path'][line]!r} names no patient (patient00001/...). "
            f"Correct it, or give the file as generic labels (--format generic)."
        )
    labels = {name: parse_labels(rows[name], path, name) for name in findings}
    core = pd.DataFrame({"path": rows["path"].str.replace(r"^CheXpert[^/]*/", "", regex=True), "patient_id": patient})
    notes = [f"{path.name}: read as chexpert, {len(rows)} rows; patients are named by Path; {len(findings)} findings."]
    core["view"] = _view(rows)
    core["sex"] = rows.get("sex", pd.Series(pd.NA, index=rows.index, dtype="str"))
    if "age" in rows.columns:
        unknown = pd.to_numeric(rows["age"], errors="coerce") == 0
        core["age"] = rows["age"].mask(unknown)
        notes += [f"{path.name}: age 0 means unknown: {int(unknown.sum())} rows."] if unknown.any() else []
    return LabelTable(
        path, NAME, ("path",), core.assign(**labels), tuple(findings), notes=tuple(notes), fixed_findings=True
    )  # fmt: skip


def _view(rows: pd.DataFrame) -> pd.Series:
    """``AP/PA`` where it is given, else LATERAL where that is the direction; a frontal image of unknown side stays blank."""
    lateral = pd.Series("LATERAL", index=rows.index, dtype="str").where(rows["direction"].str.strip() == "Lateral")
    return rows["view"].fillna(lateral) if "view" in rows.columns else lateral
