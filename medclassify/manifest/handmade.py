"""A manifest that somebody wrote by hand or by script: what it lacks is made up for, and what it must not hold is left out."""

import os
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.attributes import PATIENT_FACTS, age_band, normalise_age, normalise_code, normalise_sex
from medclassify.manifest.identifiers import identifying_content, identifying_name
from medclassify.manifest.images import sample_ids
from medclassify.manifest.labels import LABEL_VALUES, parse_labels
from medclassify.manifest.patients import PatientHasher, is_patient_hash
from medclassify.manifest.table import CORE_COLUMNS, Manifest
from medclassify.records import Split


def complete(frame: pd.DataFrame, path: Path, hasher: PatientHasher | None) -> Manifest:
    """Makes a manifest of a table with at least ``path`` and one finding.

    Args:
        frame: The table as read; text or numbers.
        path: Its file: relative image paths start at its folder.
        hasher: For patient ids that are not hashes yet; made with the default key when they are needed.

    Raises:
        ManifestError: It is empty, lacks ``path`` or findings, or holds an unknown split.
    """
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    text = pd.DataFrame({name: _text(frame[name]) for name in frame.columns})
    extra = [name for name in text.columns if name not in CORE_COLUMNS]
    findings = tuple(
        name
        for name in extra
        if text[name].notna().any()
        and text[name].dropna().isin(list(LABEL_VALUES)).all()
        and name.lower() not in PATIENT_FACTS  # smoker: 1 is no finding
    )
    if "path" not in text.columns or not findings or text.empty:
        lacks = (
            "no rows" if text.empty else "no column path" if "path" not in text.columns else "no finding (1, 0, -1 or blank)"
        )
        raise ManifestError(
            f"{path}: not a manifest: {lacks}. Make one with: medclassify index SOURCE --labels FILE --out {path.name}"
        )
    left_out = {name: reason for name in extra if name not in findings and (reason := _identifying(name, text[name]))}
    notes = [f"{path.name}: read as a hand-made manifest; findings: {', '.join(findings)}."]
    notes += [f"{path.name}: column {name} is left out: it looks like {reason}." for name, reason in left_out.items()]
    core, core_notes = _core(text, path)
    core["patient_id"], patient_source = _patients(core, text.get("patient_id"), hasher)
    attributes = [name for name in extra if name not in findings and name not in left_out]
    labels = {name: parse_labels(text[name], path, name) for name in findings}
    whole = pd.concat([core[list(CORE_COLUMNS)], text[attributes]], axis=1).assign(**labels)
    return Manifest(
        frame=whole.sort_values("path", kind="stable", ignore_index=True),
        findings=findings,
        source=path.as_posix(),
        label_format="manifest",
        notes=(*notes, *core_notes),
        patient_source=patient_source,
    )


def _text(values: pd.Series) -> pd.Series:
    text = values.astype("str").str.strip()
    return text.mask(text == "")


def _identifying(name: str, values: pd.Series) -> str | None:
    return identifying_name(name) or identifying_content(values.dropna())


def _core(text: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    core = text.reindex(columns=list(CORE_COLUMNS)).astype("str")
    blank = core["path"].isna()
    if blank.any():
        raise ManifestError(f"{path}: row {blank.idxmax()}: path is blank. Name the image, or remove the row.")
    folder = os.path.abspath(path.parent)
    core["path"] = (
        core["path"].map(lambda name: Path(os.path.normpath(os.path.join(folder, str(name)))).as_posix()).astype("str")
    )
    core["sample_id"] = core["sample_id"].fillna(sample_ids(core, [Path(folder)]))
    unknown = core["split"].notna() & ~core["split"].isin([split.value for split in Split])
    if unknown.any():
        raise ManifestError(
            f"{path}: row {unknown.idxmax()}, column split: {core['split'][unknown].iloc[0]!r} is not a split. "
            f"Write train, tune, calibrate or test, or leave it blank."
        )
    core["age"], wrong_age = normalise_age(core["age"])
    core["age_band"] = age_band(core["age"])
    core["sex"], strange = normalise_sex(core["sex"])
    for name in ("modality", "view", "laterality"):
        core[name] = normalise_code(core[name])
    return core, [*wrong_age, *strange]


def _patients(core: pd.DataFrame, written: pd.Series | None, hasher: PatientHasher | None) -> tuple[pd.Series, dict[str, int]]:
    given = written if written is not None else pd.Series(pd.NA, index=core.index, dtype="str")
    hashed = given.dropna().map(is_patient_hash).all()
    if not hashed or given.isna().any():
        hasher = hasher or PatientHasher()
        given = given if hashed else hasher.hash_all(given)
        by_study = given.fillna(hasher.hash_stand_ins("study", core["study_uid"]))
        patients = by_study.fillna(hasher.hash_stand_ins("image", core["sample_id"]))
    else:
        by_study = patients = given
    counts = {
        "labels": int(given.notna().sum()),
        "study_uid": int((given.isna() & by_study.notna()).sum()),
        "image": int(by_study.isna().sum()),
    }
    return patients, {name: n for name, n in counts.items() if n}
