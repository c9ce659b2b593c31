"""RSNA-STR Pulmonary Embolism Detection 2020, ``train.csv`` (Colak et al., Radiology: AI 2021, and the challenge's page).

One row a slice. One column speaks of the slice, ``pe_present_on_image``; all others of its examination, and are repeated in
every row of it. The header names the patient.
"""

from collections.abc import Sequence
from pathlib import Path

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.labels import LabelTable, parse_labels

NAME = "rsna-pe"
OF_SLICES = "pe_present_on_image"
FINDINGS = (
    OF_SLICES, "negative_exam_for_pe", "indeterminate", "chronic_pe", "acute_and_chronic_pe", "central_pe", "leftsided_pe",
    "rightsided_pe", "rv_lv_ratio_gte_1", "rv_lv_ratio_lt_1",
)  # fmt: skip
ATTRIBUTES = ("qa_motion", "qa_contrast", "flow_artifact", "true_filling_defect_not_pe")
_UIDS = {"StudyInstanceUID": "study_uid", "SeriesInstanceUID": "series_uid", "SOPInstanceUID": "sop_uid"}


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header is the challenge's."""
    return {*_UIDS, OF_SLICES, "negative_exam_for_pe"} <= set(columns)


def read(path: Path) -> LabelTable:
    """Reads ``train.csv``: the ten findings that the challenge scores; what it says of quality is attributes.

    Raises:
        ManifestError: A column is missing, a value is not a label, a slice stands twice, or rows of one examination differ.
    """
    names = {**_UIDS, **{name: name for name in (*FINDINGS, *ATTRIBUTES)}}
    rows = read_named(path, names, required=(*_UIDS, *FINDINGS), layout=NAME, filled=tuple(_UIDS))
    for name in FINDINGS:
        rows[name] = parse_labels(rows[name], path, name)
    twice = rows["sop_uid"].duplicated()
    if twice.any():
        raise ManifestError(f"{path}: row {rows.index[twice][0]}: its SOPInstanceUID stands in an earlier row. Remove one.")
    attributes = [name for name in ATTRIBUTES if name in rows.columns]
    of_studies = [*FINDINGS[1:], *attributes]
    for name in of_studies:
        differs = rows.groupby("study_uid")[name].transform("nunique", dropna=False) > 1
        if differs.any():
            line = rows.index[differs][0]
            raise ManifestError(f"{path}: row {line}, column {name}: other rows of its study say otherwise. Correct them.")
    many = f"{len(rows)} slices of {rows['study_uid'].nunique()} examinations; {len(FINDINGS)} findings."
    learn = f"Learn slices with data.findings [{OF_SLICES}], and all of them with data.sample series."
    notes = (
        f"{path.name}: read as rsna-pe, {many}",
        f"{path.name}: only {OF_SLICES} speaks of a slice. {learn}",
    )
    return LabelTable(path, NAME, ("sop_uid",), rows, FINDINGS, tuple(attributes), notes=notes, fixed_findings=True)
