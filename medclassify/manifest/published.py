"""Splits that come with a dataset: a ``split`` column, or NIH's ``train_val_list.txt`` and ``test_list.txt``."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.labels import LabelTable
from medclassify.manifest.matching import file_stem
from medclassify.records import Split

LISTS = {"train_val_list.txt": Split.TRAIN, "test_list.txt": Split.TEST}
_NAMES = {
    **dict.fromkeys(("train", "training"), Split.TRAIN.value),
    **dict.fromkeys(("tune", "val", "valid", "validate", "validation", "dev"), Split.TUNE.value),
    **dict.fromkeys(("calibrate", "calib", "calibration"), Split.CALIBRATE.value),
    **dict.fromkeys(("test", "testing"), Split.TEST.value),
}


def with_published_split(labels: LabelTable) -> LabelTable:
    """Brings a ``split`` column into this project's words, or fills it from the lists beside the label file.

    Raises:
        ManifestError: A split is not known, or an image stands in both lists.
    """
    if "split" in labels.rows.columns:
        return replace(labels, rows=labels.rows.assign(split=_known(labels)))
    return _from_lists(labels)


def _known(labels: LabelTable) -> pd.Series:
    text = labels.rows["split"].str.strip().str.lower()
    wrong = text.notna() & ~text.isin(list(_NAMES))
    if wrong.any():
        raise ManifestError(
            f"{labels.path}: row {wrong.idxmax()}, column split: {labels.rows['split'][wrong].iloc[0]!r} is not a split. "
            f"Write train, tune, calibrate or test, or leave it blank."
        )
    return text.map(_NAMES).astype("str")


def _from_lists(labels: LabelTable) -> LabelTable:
    files = {labels.path.with_name(name): split for name, split in LISTS.items()}
    there = [file for file in files if file.is_file()]
    if not there:
        return labels
    name_column = next((key for key in ("image_id", "path") if key in labels.keys), None)
    if name_column is None or len(there) < len(files):
        reason = "the label file names no image files" if name_column is None else "the other list is not there"
        return replace(labels, notes=(*labels.notes, f"{there[0].name} is not used: {reason}."))
    split_of: dict[str, str] = {}
    for file, split in files.items():
        stems = _stems(file)
        both = split_of.keys() & set(stems)
        if both:
            raise ManifestError(
                f"{file}: {len(both)} images are in {there[0].name} as well (first: {min(both)}). Correct the lists."
            )
        split_of.update(dict.fromkeys(stems, split.value))
    split = file_stem(labels.rows[name_column]).map(split_of).astype("str")
    counts = {name: int((split == where.value).sum()) for name, where in LISTS.items()}
    note = (
        f"published split: {', '.join(f'{name} {n}' for name, n in counts.items())}, in neither {int(split.isna().sum())} rows."
    )
    return replace(labels, rows=labels.rows.assign(split=split), notes=(*labels.notes, note))


def _stems(file: Path) -> list[str]:
    try:
        names = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{file}: the published split cannot be read ({error}). Correct it, or set data.split to random."
        ) from error
    return file_stem(pd.Series([name for name in names if name.strip()], dtype="str")).tolist()
