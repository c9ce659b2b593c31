"""RSNA Pneumonia Detection Challenge 2018, ``stage_2_train_labels.csv`` (Shih et al., Radiology: AI 2019, and its page).

One row a box, or one row without numbers where there is none. ``patientId`` names an image of NIH ChestX-ray14, not a patient:
several of them are of one person, and nothing in the published files says which.
"""

from collections.abc import Sequence
from pathlib import Path

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.formats.box_numbers import SIDES, numbered_boxes
from medclassify.manifest.labels import LabelTable, PublishedBoxes, parse_labels

NAME = "rsna-pneumonia"
FINDING = "Pneumonia"
BOX_SIZE = (1024, 1024)
_COLUMNS = {"patientId": "image_id", "x": "left", "y": "top", "width": "width", "height": "height", "Target": FINDING}
_WARNING = (
    "WARNING: {}: patientId names an image, not a patient, so PATIENTS CANNOT BE GROUPED BY IT: images of one person can be in "
    "two splits. The headers' Patient ID is used where there is one, but in the published files it repeats patientId. To be "
    "safe, add a patient_id column of NIH's patient numbers and give the file as generic labels (--format generic)."
)


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header is the challenge's."""
    return set(_COLUMNS) <= set(columns)


def read(path: Path) -> LabelTable:
    """Reads ``stage_2_train_labels.csv``: one finding, and its boxes.

    Raises:
        ManifestError: A column is missing, a value is not a label, rows of one image differ, or a box is no box.
    """
    rows = read_named(path, _COLUMNS, required=tuple(_COLUMNS), layout=NAME, filled=("patientId", "Target"))
    rows[FINDING] = parse_labels(rows[FINDING], path, "Target")
    differs = rows.groupby("image_id")[FINDING].transform("nunique") > 1
    if differs.any():
        line = rows.index[differs][0]
        raise ManifestError(
            f"{path}: row {line}: {rows['image_id'][line]} has Target 1 in one row and 0 in another. Correct them."
        )
    images = rows[["image_id", FINDING]].drop_duplicates("image_id")
    boxed = rows[rows[FINDING] == 1].assign(finding=FINDING)
    notes = (
        f"{path.name}: read as rsna-pneumonia, {len(rows)} rows of {len(images)} images; finding: {FINDING}.",
        _WARNING.format(path.name),
    )
    return LabelTable(
        path,
        NAME,
        ("image_id",),
        images,
        (FINDING,),
        notes=notes,
        fixed_findings=True,
        boxes=PublishedBoxes(path, numbered_boxes(boxed[["image_id", "finding", *SIDES]], path), BOX_SIZE),
    )
