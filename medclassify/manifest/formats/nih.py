"""NIH ChestX-ray14, ``Data_Entry_2017.csv`` (Wang et al., CVPR 2017, and the data set's own README).

The published header holds unquoted commas (``OriginalImage[Width,Height]``), so it has as many fields as the rows only when
read naively; the columns used here come before these. The names of findings are kept as published.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_columns, read_header, read_named
from medclassify.manifest.formats.box_numbers import numbered_boxes
from medclassify.manifest.labels import LabelTable, PublishedBoxes

NAME = "nih"
NO_FINDING = "No Finding"
BOXES = "BBox_List_2017.csv"
BOX_SIZE = (1024, 1024)
_BOX_NAMES = {"Infiltrate": "Infiltration"}
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia", NO_FINDING,
)  # fmt: skip
_REQUIRED = ("Image Index", "Finding Labels")
_COLUMNS = {
    "Image Index": "image_id",
    "Finding Labels": "labels",
    "Patient ID": "patient_id",
    "Patient Age": "age",
    "Patient Gender": "sex",
    "View Position": "view",
}


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header names an image and its findings the way NIH does."""
    return set(_REQUIRED) <= set(columns)


def read(path: Path) -> LabelTable:
    """Reads ``Data_Entry_2017.csv`` or a part of it with the same columns, and ``BBox_List_2017.csv`` where it lies beside it.

    Raises:
        ManifestError: A required column is missing, a row holds a finding that is not one of NIH's, or a box is no box.
    """
    header, _ = read_header(path)
    brackets = [position for position, name in enumerate(header) if "[" in name]
    last = max((position for position, name in enumerate(header) if name in _COLUMNS), default=0)
    if brackets and last > brackets[0]:
        raise ManifestError(
            f"{path}: column {header[last]!r} stands behind {header[brackets[0]]!r}, whose comma shifts it. "
            f"Keep NIH's order of columns."
        )
    rows = read_named(path, _COLUMNS, required=_REQUIRED, layout=NAME)
    findings = _findings(path, rows.pop("labels"))
    return LabelTable(
        path=path,
        format=NAME,
        keys=("image_id",),
        rows=pd.concat([rows, findings], axis=1),
        findings=FINDINGS,
        notes=(f"{path.name}: read as nih, {len(rows)} rows; {len(FINDINGS)} findings as published.",),
        fixed_findings=True,
        boxes=_boxes(path.with_name(BOXES)),
    )


def _boxes(path: Path) -> PublishedBoxes | None:
    """``BBox_List_2017.csv``: image, finding, x, y, w, h on a picture of 1024 x 1024 (the header names four numbers as one)."""
    if not path.is_file():
        return None
    _, delimiter = read_header(path)
    names = ("image_id", "finding", "left", "top", "width", "height")
    rows = read_columns(path, range(6), names, delimiter=delimiter, whole=False)
    rows["finding"] = rows["finding"].str.strip().replace(_BOX_NAMES)
    return PublishedBoxes(path, numbered_boxes(rows, path), BOX_SIZE)


def _findings(path: Path, labels: pd.Series) -> pd.DataFrame:
    """One Int8 column a finding: 1 where it is among the row's labels, which are separated by ``|``, else 0."""
    bare = labels.str.replace(r"\s*\|\s*", "|", regex=True).str.strip()
    combinations = pd.Series(bare.unique(), dtype="str")
    columns = combinations.str.get_dummies("|").set_axis(combinations).reindex(bare).set_axis(labels.index)
    unknown = [name for name in columns.columns if name not in FINDINGS]
    if unknown:
        line = columns.index[columns[unknown[0]] == 1][0]
        raise ManifestError(
            f"{path}: row {line}, column Finding Labels: {unknown[0]!r} is none of NIH's findings. "
            f"Correct it, or give the file as generic labels (--format generic)."
        )
    findings = columns.reindex(columns=list(FINDINGS), fill_value=0).astype("Int8")
    contradiction = (findings[NO_FINDING] == 1) & (findings.drop(columns=NO_FINDING).sum(axis=1) > 0)
    if contradiction.any():
        line = findings.index[contradiction][0]
        raise ManifestError(
            f"{path}: row {line}, column Finding Labels: {labels[line]!r} says both a finding and none. Correct it."
        )
    return findings
