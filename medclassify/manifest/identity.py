"""Which images are one patient's, and which patients are left out."""

from collections.abc import Sequence

import pandas as pd

from medclassify.manifest.patients import PatientHasher, is_patient_hash, link_patients, normalise_patient_key
from medclassify.manifest.table import PATIENT_SOURCES
from medclassify.records import Exclusion

PATIENT_EXCLUDED = "patient excluded"


def identify_patients(table: pd.DataFrame, hasher: PatientHasher) -> tuple[pd.DataFrame, list[str]]:
    """Finds each image's patient.

    Args:
        table: str columns ``label_patient`` (ids as written), ``patient_hash``, ``study_uid``, ``series_uid``, ``sop_uid``;
            ``patient_spelling`` int64.
        hasher: Hashes ids.

    Returns:
        The table with ``patient_id`` (missing where there is neither id nor study UID), ``patient_source``, and the hashes
        ``by_label``, ``by_header``, ``by_first`` under which a patient is known as well; and what to tell the user.
    """
    by_label, by_header = hasher.hash_all(table["label_patient"]), table["patient_hash"]
    # A header's id goes over to the labels' id of the same patient, so that half-filled label files do not part a patient.
    known = (
        pd.DataFrame({"header": by_header, "label": by_label}).dropna().drop_duplicates("header").set_index("header")["label"]
    )
    in_header = by_header.map(known).astype("str").fillna(by_header)
    patient = by_label.fillna(in_header)
    patient = patient.fillna(hasher.hash_stand_ins("study", table["study_uid"][patient.isna()]))
    source = pd.Series(PATIENT_SOURCES[-1], index=table.index, dtype="str")
    source = (
        source.mask(table["study_uid"].notna(), "study_uid").mask(in_header.notna(), "headers").mask(by_label.notna(), "labels")
    )
    named = patient.notna()
    linked = patient.copy()
    linked[named] = link_patients(patient[named], [table[uid][named] for uid in ("sop_uid", "series_uid", "study_uid")])
    notes = [*_spelling_notes("labels", by_label, table["label_patient"]),
             *_spelling_notes("headers", by_header, table["patient_spelling"])]  # fmt: skip
    if (merged := patient[named].nunique() - linked[named].nunique()) > 0:
        largest = int(pd.DataFrame({"group": linked[named], "id": patient[named]}).groupby("group")["id"].nunique().max())
        notes.append(
            f"WARNING: {merged} patient ids share an image, a series or a study with another one; each such group counts as "
            f"one patient (largest group: {largest} ids). If that is too many, correct the UIDs or the ids."
        )
    split_by_labels = pd.DataFrame({"header": by_header, "id": linked}).dropna().groupby("header")["id"].nunique()
    if len(split_by_labels) > 1 and (several := int((split_by_labels > 1).sum())):
        notes.append(
            f"WARNING: {several} patients of the headers are several patients in the labels; "
            f"if the labels' patient_id names images or studies, patients can leak between splits."
        )
    return table.assign(
        patient_id=linked, patient_source=source, by_label=by_label, by_header=by_header, by_first=patient
    ), notes


def _spelling_notes(where: str, patients: pd.Series, spelling: pd.Series) -> list[str]:
    written = pd.DataFrame({"patient": patients, "spelling": spelling}).dropna().drop_duplicates()
    several = int(written["patient"].duplicated().sum())
    if not several:
        return []
    how = "case, blanks, leading zeros or empty parts"
    return [f"patient ids in {where}: {several} differ from another one in {how} only; each such group counts as one patient."]


def leave_out_patients(
    table: pd.DataFrame, exclude: Sequence[str], hasher: PatientHasher
) -> tuple[pd.DataFrame, list[Exclusion], list[str]]:
    """Leaves out patients by id or hash, under every id they have here. Names none of them."""
    wanted = {
        name: {hasher.hash(name)} | ({name.strip()} if is_patient_hash(name.strip()) else set())
        for name in exclude
        if normalise_patient_key(name)
    }
    ids = table[["patient_id", "by_label", "by_header", "by_first"]]
    every = set().union(*wanted.values()) if wanted else set()
    patients = table["patient_id"][ids.isin(every).any(axis=1)].dropna().unique()
    out = table["patient_id"].isin(patients)
    # Under every id: a finished run finds the patient again where only one of them is written.
    names = {patient: " = ".join(sorted({name for name in group.to_numpy().ravel() if isinstance(name, str)}))
             for patient, group in ids[out].groupby("patient_id")}  # fmt: skip
    exclusions = [Exclusion(path, PATIENT_EXCLUDED, f"patient {names[patient]} is on the list of excluded patients")
                  for path, patient in zip(table["path"][out], table["patient_id"][out], strict=True)]  # fmt: skip
    notes = [f"patients left out on request: {len(patients)}, with {int(out.sum())} images."] if out.any() else []
    here = set(pd.unique(ids.to_numpy().ravel()))
    absent = [position for position, hashes in enumerate(wanted.values(), start=1) if not hashes & here]
    if absent:
        notes.append(
            f"WARNING: {len(absent)} of {len(exclude)} excluded patients have no image here (first: entry {absent[0]})."
        )
    return table[~out], exclusions, notes


def source_counts(source: pd.Series) -> dict[str, int]:
    """How many images have their patient id from where."""
    found = source.value_counts()
    return {name: int(found[name]) for name in PATIENT_SOURCES if name in found.index}


def missing_id_warnings(source: pd.Series) -> list[str]:
    """Where leakage between patients cannot be seen, that is said."""
    counts = source_counts(source)
    text = {
        "study_uid": "have no patient id: each study counts as a patient, so a patient with two studies can be in two splits.",
        "image": "have no patient id and no study UID: each counts as a patient. LEAKAGE BETWEEN SPLITS CANNOT BE CHECKED.",
    }
    return [f"WARNING: {counts[name]} of {len(source)} images {why}" for name, why in text.items() if name in counts]
