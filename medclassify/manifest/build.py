"""Headers and labels to a manifest."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.attributes import age_band, normalise_age, normalise_code, normalise_sex, possible_age
from medclassify.manifest.identity import identify_patients, leave_out_patients, missing_id_warnings, source_counts
from medclassify.manifest.images import sample_ids, source_folders, tabulate
from medclassify.manifest.labels import LABEL_VALUES, LabelTable
from medclassify.manifest.matching import CONFLICT, Matches, match_labels
from medclassify.manifest.modality import modality_notes
from medclassify.manifest.patients import PatientHasher
from medclassify.manifest.table import CORE_COLUMNS, Manifest
from medclassify.records import Exclusion, InstanceHeader

DUPLICATE_IMAGE = "duplicate SOP Instance UID"
_UIDS = ("study_uid", "series_uid", "sop_uid")
_CODES = ("modality", "view", "laterality")
_TEXTS = ("site", "manufacturer", "sex")


def build_manifest(
    headers: pd.DataFrame | Iterable[InstanceHeader],
    labels: LabelTable,
    hasher: PatientHasher,
    *,
    findings: Sequence[str] | None = None,
    exclude_patients: Sequence[str] = (),
    sources: Sequence[Path | str] = (),
) -> tuple[Manifest, list[Exclusion]]:
    """Joins headers and labels; reads no file.

    Args:
        headers: One an image, or a ``header_table``.
        labels: What the label file says; where it and a header know the same fact, the label file is believed (UIDs: the
            header).
        hasher: Makes patient ids unreadable.
        findings: The findings to keep, in order; all when left out.
        exclude_patients: Patients to leave out, by an id in the labels or headers (in any spelling that
            ``normalise_patient_key`` brings together) or by its hash.
        sources: The folders or files that were indexed; relative label paths and the ids of pictures start at them.

    Returns:
        The manifest, ``split`` holding published splits or nothing, and what did not become a sample, with reasons.

    Raises:
        ManifestError: No label matches an image, no image is left, or two samples would get one id.
    """
    labels = labels.select(findings)
    if not labels.findings:
        raise ManifestError(f"{labels.path}: no column holds labels only (1, 0, -1 or blank); {_nearest_finding(labels)}")
    images, exclusions = tabulate(headers, hasher)
    folders = source_folders(images, sources)
    matches = match_labels(images, labels, folders if sources else ())
    manifest, more = _assemble(images, labels, matches, hasher, exclude_patients, folders)
    return manifest, [*exclusions, *more]


def unlabelled_manifest(
    headers: pd.DataFrame | Iterable[InstanceHeader],
    hasher: PatientHasher,
    *,
    exclude_patients: Sequence[str] = (),
    sources: Sequence[Path | str] = (),
) -> tuple[Manifest, list[Exclusion]]:
    """Images that are to be scored and have no labels; arguments and errors as in ``build_manifest``.

    Returns:
        A manifest without findings, and what did not become a sample: excluded patients, and files that stand in the
        sources twice.
    """
    images, exclusions = tabulate(headers, hasher)
    rows = pd.DataFrame(index=images.index)
    labels = LabelTable(Path("images without labels"), "none", ("path",), rows, ())
    matches = Matches(pd.DataFrame({"image": images.index, "line": images.index}), [], [])
    manifest, more = _assemble(images, labels, matches, hasher, exclude_patients, source_folders(images, sources))
    return manifest, [*exclusions, *more]


def _assemble(
    images: pd.DataFrame,
    labels: LabelTable,
    matches: Matches,
    hasher: PatientHasher,
    exclude_patients: Sequence[str],
    folders: Sequence[Path],
) -> tuple[Manifest, list[Exclusion]]:
    """Matched rows to a manifest: patients hashed, excluded patients and repeated images left out, every sample named."""
    table, notes = _joined(images, labels, matches.pairs)
    table, more = identify_patients(table, hasher)
    notes = [*labels.notes, *matches.notes, *notes, *more, *modality_notes(table)]
    if table["burned_in"].any():
        notes.append(
            f"{int(table['burned_in'].sum())} images say that they hold burned-in annotation: look at them before sharing."
        )

    table, refused, more = leave_out_patients(table, exclude_patients, hasher)
    table, repeated = _without_duplicates(table, labels.findings)
    exclusions = [*matches.exclusions, *refused, *repeated]
    if table.empty:
        raise ManifestError(
            f"{labels.path}: no sample is left after {len(exclusions)} exclusions "
            f"(first: {exclusions[0].path}: {exclusions[0].reason}). Mend what excludes them."
        )
    table["sample_id"] = sample_ids(table, folders)
    alone = table["patient_id"].isna()
    table["patient_id"] = table["patient_id"].fillna(hasher.hash_stand_ins("image", table["sample_id"][alone]))
    notes += [*more, *missing_id_warnings(table["patient_source"])]
    manifest = Manifest(
        frame=table[[*CORE_COLUMNS, *labels.attributes, *labels.findings]].reset_index(drop=True),
        findings=labels.findings,
        source=labels.path.as_posix(),
        label_format=labels.format,
        notes=tuple(notes),
        patient_source=source_counts(table["patient_source"]),
    )
    return manifest, exclusions


def _nearest_finding(labels: LabelTable) -> str:
    """What keeps the column that looks most like a finding from being one."""
    wrong = {
        name: values[~values.str.strip().isin(list(LABEL_VALUES))]
        for name in labels.attributes
        if len(values := labels.rows[name].dropna())
    }
    if not wrong:
        return "it has no other columns. Write one such column a finding or class."
    name = min(wrong, key=lambda name: len(wrong[name]) / labels.rows[name].notna().sum())
    if wrong[name].empty:
        return f"column {name} is taken for a fact about the patient. If it is a finding, name it in data.findings."
    many = "1 other value" if len(wrong[name]) == 1 else f"{len(wrong[name])} other values"
    return (
        f"nearest is column {name}, with {many} (first: row {wrong[name].index[0]}, {wrong[name].iloc[0]!r}). "
        f"Write 1 (present), 0 (absent), -1 (uncertain) or leave it blank (not labelled)."
    )


def _joined(images: pd.DataFrame, labels: LabelTable, pairs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """One row a pair; facts of the label file go before those of the header."""
    image = images.loc[pairs["image"]].reset_index(drop=True)
    rows = labels.rows.loc[pairs["line"]].reset_index(drop=True)
    blank = pd.Series(pd.NA, index=image.index, dtype="str")
    table = image[["path", "patient_hash", "patient_spelling", "burned_in"]].copy()
    notes: list[str] = []
    for name in _UIDS:
        table[name] = image[name].fillna(rows.get(name, blank).str.strip())
    said, header = {}, {}
    for name in (*_CODES, *_TEXTS):
        clean = normalise_code if name in _CODES else _stripped
        said[name], header[name] = clean(rows.get(name, blank)), clean(image[name])
    said["sex"], odd = normalise_sex(said["sex"])
    header["sex"], odd_header = normalise_sex(header["sex"])
    said["age"], wrong = normalise_age(rows.get("age", blank))
    header["age"], impossible = possible_age(image["age"])
    # An error in the label file's age is an error: the header's age is not put in its place.
    header["age"] = header["age"].mask(rows.get("age", blank).notna() & said["age"].isna())
    notes += [*odd, *odd_header, *wrong, *(f"in headers, {note}" for note in impossible)]
    for name, values in said.items():
        differs = values.notna() & header[name].notna() & (values != header[name])
        if differs.any():
            notes.append(f"{name}: labels and headers differ in {int(differs.sum())} images; the labels are believed.")
        table[name] = values.fillna(header[name])
    table["age_band"] = age_band(table["age"])
    table["split"] = rows.get("split", blank)
    table["label_patient"] = _stripped(rows.get("patient_id", blank))
    return pd.concat([table, rows[[*labels.attributes, *labels.findings]]], axis=1), notes


def _stripped(text: pd.Series) -> pd.Series:
    bare = text.str.strip()
    return bare.mask(bare == "")


def _without_duplicates(table: pd.DataFrame, findings: Sequence[str]) -> tuple[pd.DataFrame, list[Exclusion]]:
    """Keeps one file of each SOP Instance UID; where their labels differ, none."""
    uid = table["sop_uid"]
    repeated = table[uid.notna() & uid.duplicated(keep=False)]
    if repeated.empty:
        return table, []
    first = repeated.drop_duplicates("sop_uid").set_index("sop_uid")["path"]
    distinct = repeated[["sop_uid", *findings]].drop_duplicates()["sop_uid"]
    disputed = repeated["sop_uid"].isin(distinct[distinct.duplicated()])
    later = repeated["sop_uid"].duplicated() & ~disputed
    exclusions = [
        Exclusion(path, CONFLICT, "files of one SOP Instance UID have different labels") for path in repeated["path"][disputed]
    ] + [
        Exclusion(path, DUPLICATE_IMAGE, f"the same image as {kept}, which is kept")
        for path, kept in zip(repeated["path"][later], repeated["sop_uid"][later].map(first), strict=True)
    ]
    return table.drop(repeated.index[disputed | later]), exclusions
