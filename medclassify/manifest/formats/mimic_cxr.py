"""MIMIC-CXR-JPG, ``mimic-cxr-2.0.0-chexpert.csv.gz`` or ``-negbio`` (Johnson et al., Scientific Data 2019, and its page).

The labels are a study's; ``mimic-cxr-2.0.0-metadata.csv.gz`` beside them says which images a study has, and ``-split`` which
split an image is in. Images lie in ``p10/p10000032/s50414267/<dicom_id>.jpg``; ``dicom_id`` alone finds them.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.formats.chexpert import FINDINGS
from medclassify.manifest.labels import LabelTable, parse_labels

NAME = "mimic-cxr"
_STUDY = ("subject_id", "study_id")
_LABELLERS = re.compile(r"-(?:chexpert|negbio)(?=\.csv)")


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header names a study and findings the way MIMIC-CXR does."""
    return set(_STUDY) <= set(columns) and not set(FINDINGS).isdisjoint(columns)


def read(path: Path) -> LabelTable:
    """Reads the labels of a labeller, and the files of images and splits beside it.

    Raises:
        ManifestError: The file of images is not there, a column is missing, a study stands twice, or a value is not a label.
    """
    studies = read_named(path, {name: name for name in (*_STUDY, *FINDINGS)}, required=_STUDY, layout=NAME)
    findings = tuple(name for name in FINDINGS if name in studies.columns)
    for name in findings:
        studies[name] = parse_labels(studies[name], path, name)
    twice = studies["study_id"].duplicated()
    if twice.any():
        line = studies.index[twice][0]
        raise ManifestError(f"{path}: row {line}: study {studies['study_id'][line]} stands twice. Remove one of its rows.")
    listing = _beside(path, "metadata")
    if listing is None:
        raise ManifestError(
            f"{path}: these labels name studies, and the file that names their images "
            f"({_LABELLERS.sub('-metadata', path.name)}) is not beside it. Put it there."
        )
    images = read_named(
        listing,
        {"dicom_id": "image_id", "ViewPosition": "view"} | {name: name for name in _STUDY},
        required=("dicom_id", *_STUDY),
        layout=f"{NAME} metadata",
    )
    rows = images.reset_index().merge(studies, on=list(_STUDY)).set_index("line").rename(columns={"subject_id": "patient_id"})
    unlabelled, imageless = len(images) - len(rows), len(studies) - rows["study_id"].nunique()
    rows, split_note = _with_split(path, rows.drop(columns="study_id"))
    notes = (
        f"{path.name}: read as mimic-cxr, {len(studies)} studies with {len(rows)} images by {listing.name}.",
        f"{path.name}: {unlabelled} images of {listing.name} have no labelled study; {imageless} studies have no image there.",
        split_note,
    )
    return LabelTable(path, NAME, ("image_id",), rows, findings, notes=notes, fixed_findings=True, lines_of=listing)


def _with_split(path: Path, rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    listing = _beside(path, "split")
    if listing is None:
        return rows, f"{path.name}: the published split is not used: {_LABELLERS.sub('-split', path.name)} is not beside it."
    splits = read_named(
        listing, {"dicom_id": "image_id", "split": "split"}, required=("dicom_id", "split"), layout=f"{NAME} split"
    ).drop_duplicates("image_id")
    split = rows["image_id"].map(splits.set_index("image_id")["split"]).astype("str")
    counts = ", ".join(f"{name} {n}" for name, n in split.value_counts().items())
    note = f"published split: {listing.name}: {counts or 'no image'}, in none {int(split.isna().sum())} rows."
    return rows.assign(split=split), note


def _beside(path: Path, kind: str) -> Path | None:
    """The release's file of this kind, plain or gzipped; where the labels were renamed, the only one there is."""
    plain = _LABELLERS.sub(f"-{kind}", path.name).removesuffix(".gz")
    if plain != path.name.removesuffix(".gz"):
        for name in (plain, plain + ".gz"):
            if path.with_name(name).is_file():
                return path.with_name(name)
    found = sorted(path.parent.glob(f"mimic-cxr-*-{kind}.csv*"))
    return found[0] if len(found) == 1 else None
