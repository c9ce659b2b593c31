"""VinDr-CXR, ``image_labels_train.csv`` and ``image_labels_test.csv`` (Nguyen et al., Scientific Data 2022, and its page).

A training image has one row of each of three readers, so a rule must make one label (yes, no or uncertain) of them:

- ``majority``: what more than half of its readers say; a tie is uncertain;
- ``any``: present where one reader says so;
- ``soft``: uncertain wherever readers differ, so that ``data.uncertain`` decides what is learnt from it.

Test images have one row, agreed on by five readers. Boxes stand in ``annotations_train.csv``, in pixels of the image, one row a
reader and box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.formats.box_numbers import numbered_boxes
from medclassify.manifest.labels import LabelTable, PublishedBoxes, parse_labels

FINDINGS = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation", "Edema",
    "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding",
)  # fmt: skip
_SPELLINGS = {"Other disease": "Other diseases"}  # the two files differ in this name
_TELLING = {"Aortic enlargement", "Enlarged PA", "Mediastinal shift", "Nodule/Mass", "Lung tumor", "Clavicle fracture"}
_CORNERS = {"x_min": "left", "y_min": "top", "x_max": "right", "y_max": "bottom"}


@dataclass(frozen=True, slots=True)
class VinDrLayout:
    """VinDr-CXR's layout with a rule for readers who differ.

    Attributes:
        NAME: What it is called in ``--format``.
        rule: The rule.
        by_columns: It may be recognised by its columns; the other rules are taken only where they are named.
    """

    NAME: str
    rule: Literal["majority", "any", "soft"]
    by_columns: bool = False

    def recognises(self, columns: Sequence[str]) -> bool:
        """Whether the header names images and findings the way VinDr-CXR does."""
        return self.by_columns and "image_id" in columns and len(_TELLING & set(columns)) > 1

    def read(self, path: Path) -> LabelTable:
        """Reads a file of image labels, and the boxes beside it.

        Raises:
            ManifestError: A column is missing, or a value is neither 1 nor 0.
        """
        columns = {name: _SPELLINGS.get(name, name) for name in (*FINDINGS, *_SPELLINGS)}
        rows = read_named(path, {"image_id": "image_id", **columns}, required=("image_id",), layout=self.NAME)
        findings = [name for name in FINDINGS if name in rows.columns]
        if not findings:
            raise ManifestError(f"{path}: none of VinDr-CXR's findings is a column. They are {', '.join(FINDINGS)}.")
        for name in findings:
            rows[name] = parse_labels(rows[name], path, name)
        unsure = rows[findings] == -1
        if unsure.any(axis=None):
            line = rows.index[unsure.any(axis=1)][0]
            raise ManifestError(f"{path}: row {line} holds -1; a reader of VinDr-CXR says 1 or 0. Correct it.")
        images = rows[["image_id"]].drop_duplicates("image_id")
        votes = rows.groupby("image_id", sort=False)[findings]
        share = votes.mean().astype("Float64")
        labels, differing = self._decide(share), int(((share > 0) & (share < 1)).sum().sum())
        readers = votes.size()
        notes = [f"{path.name}: read as {self.NAME}, {len(rows)} rows of {len(images)} images; {len(findings)} findings."]
        if readers.max() > 1:
            notes.append(
                f"{path.name}: {readers.min()} to {readers.max()} readers an image; they differ in {differing} labels, which "
                f"the rule {self.rule!r} decides (formats {', '.join(layout.NAME for layout in LAYOUTS)} have a rule each)."
            )
        return LabelTable(
            path,
            self.NAME,
            ("image_id",),
            pd.concat([images, labels.loc[images["image_id"]].set_axis(images.index)], axis=1),
            tuple(findings),
            notes=tuple(notes),
            fixed_findings=True,
            boxes=_boxes(path),
        )

    def _decide(self, share: pd.DataFrame) -> pd.DataFrame:
        """Share of readers who say yes (missing where nobody said anything) → 1, 0, -1 or missing."""
        yes, no = {
            "majority": (share > 0.5, share < 0.5),
            "any": (share > 0, share == 0),
            "soft": (share == 1, share == 0),
        }[self.rule]
        unsure = pd.DataFrame(-1, index=share.index, columns=share.columns, dtype="Int8")
        return unsure.mask(yes.fillna(False), 1).mask(no.fillna(False), 0).mask(share.isna())


LAYOUTS = (
    VinDrLayout("vindr-cxr", "majority", by_columns=True),
    VinDrLayout("vindr-cxr-any", "any"),
    VinDrLayout("vindr-cxr-soft", "soft"),
)


def _boxes(path: Path) -> PublishedBoxes | None:
    """``annotations_train.csv`` beside ``image_labels_train.csv``; rows without a finding have no box."""
    listing = path.with_name(path.name.replace("image_labels", "annotations"))
    if listing == path or not listing.is_file():
        return None
    columns = {"image_id": "image_id", "class_name": "finding", **_CORNERS}
    rows = read_named(listing, columns, required=tuple(columns), layout="VinDr-CXR boxes", filled=("image_id", "class_name"))
    rows = rows[rows["finding"].str.strip() != "No finding"]
    corners = rows[list(_CORNERS.values())].apply(pd.to_numeric, errors="coerce")
    rows = rows.assign(width=corners["right"] - corners["left"], height=corners["bottom"] - corners["top"])
    return PublishedBoxes(listing, numbered_boxes(rows, listing))
