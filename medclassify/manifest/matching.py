"""Which label row speaks of which image."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.labels import LabelTable
from medclassify.records import Exclusion

NO_LABEL = "no label"
NO_IMAGE = "no image"
AMBIGUOUS = "ambiguous image name"
CONFLICT = "conflicting labels"
DUPLICATE_ROW = "duplicate label row"
UID_MISMATCH = "UID mismatch"

# Where each key looks: the column of the images' table, and whether one value may stand for several images.
_IMAGE_KEY = {"image_id": ("stem", False), "sop_uid": ("sop_uid", True), "study_uid": ("study_uid", True)}
_EXTENSION = r"(?i)\.(?:dcm|dicom|ima|png|jpe?g)$"


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The join of images and label rows.

    Attributes:
        pairs: Columns ``image`` (position in the images' table) and ``line`` (index of the label rows), int64; an image once.
        exclusions: Images and label rows that found no partner, or more than one.
        notes: How the rows found their images.
    """

    pairs: pd.DataFrame
    exclusions: list[Exclusion]
    notes: list[str]


def file_stem(path: pd.Series) -> pd.Series:
    """The file name without folders and without the extension of an image format (a UID's dots are not an extension)."""
    name = path.str.strip().str.replace(r"^.*[/\\]", "", regex=True)
    return name.str.replace(_EXTENSION, "", regex=True)


def match_labels(images: pd.DataFrame, labels: LabelTable, sources: Sequence[Path | str] = ()) -> Matches:
    """Joins images and label rows, key by key: a row that ``path`` did not place is placed by the next key the labels have.

    Args:
        images: Columns ``path`` (absolute), ``sop_uid``, ``study_uid`` (str); indexed from 0, paths unique.
        labels: The label table.
        sources: The folders that were indexed; relative paths may start at them.

    Returns:
        The pairs. An image whose rows differ is excluded; so is one whose header contradicts its row's UIDs.

    Raises:
        ManifestError: No row finds any image.
    """
    found: list[pd.DataFrame] = []
    vague: set[int] = set()
    notes = []
    images, rows = images.assign(stem=file_stem(images["path"])), labels.rows
    for key in labels.keys:
        if key == "path":
            pairs, twofold, how = _match_path(images, rows["path"], labels.path.parent, sources)
        else:
            pairs, twofold, how = *_match(images, rows[key], *_IMAGE_KEY[key]), key
        found.append(pairs)
        vague |= twofold
        rows = rows.drop(pairs["line"].unique())
        if len(pairs):
            notes.append(f"{pairs['image'].nunique()} images found their label by {how}.")
    pairs = pd.concat(found, ignore_index=True)
    if pairs.empty:
        raise ManifestError(_no_match(images, labels, len(vague)))
    exclusions = _lonely(images, labels, pairs, vague)
    pairs, refused = _one_row_an_image(images, labels, pairs)
    pairs, contradicted = _agreeing(images, labels, pairs)
    return Matches(pairs.sort_values("image", ignore_index=True), exclusions + refused + contradicted, notes)


def _match(images: pd.DataFrame, values: pd.Series, column: str, several: bool) -> tuple[pd.DataFrame, set[int]]:
    """Pairs by equal text. Where one value must mean one image but does not, the lines of its rows come back as ambiguous."""
    key = file_stem(values) if column == "stem" else values.str.strip()
    left = pd.DataFrame({"key": images[column], "image": images.index}).dropna()
    twofold: set[int] = set()
    if not several:
        repeated = left["key"].duplicated(keep=False)
        twofold = set(key.index[key.isin(left["key"][repeated])])
        left = left[~repeated]
    right = pd.DataFrame({"key": key, "line": key.index}).dropna()
    return left.merge(right, on="key")[["image", "line"]], twofold


def _match_path(
    images: pd.DataFrame, written: pd.Series, label_folder: Path, sources: Sequence[Path | str]
) -> tuple[pd.DataFrame, set[int], str]:
    """Pairs by path: absolute, from the label file's folder, from a source.

    Only where that finds nothing at all do the ends of the images' paths count: beside exact paths, a row whose image is
    missing could otherwise be given to an image of the same name in another folder.
    """
    path = _tidy(written)
    absolute = path.str.startswith("/", na=False)
    folders = [Path(os.path.abspath(folder)).as_posix() for folder in (label_folder, *sources)]
    pairs, _ = _match(images, path[absolute], "path", several=False)
    for folder in folders:
        rest = path[~absolute & ~path.index.isin(pairs["line"])]
        pairs = pd.concat([pairs, _match(images, _tidy(folder + "/" + rest), "path", several=False)[0]], ignore_index=True)
    if len(pairs):
        return pairs, set(), "path"
    return *_match_ends(images, path[~absolute]), "the end of its path"


def _match_ends(images: pd.DataFrame, relative: pd.Series) -> tuple[pd.DataFrame, set[int]]:
    """Pairs ``a/b.png`` with the one image whose path ends in ``/a/b.png``."""
    found = [pd.DataFrame({"image": pd.Series(dtype="int64"), "line": pd.Series(dtype="int64")})]
    twofold: set[int] = set()
    parts = relative.str.count("/") + 1
    for depth in sorted(parts.dropna().unique()):
        ends = ["/".join(path.rsplit("/", int(depth))[-int(depth) :]) for path in images["path"]]
        pairs, vague = _match(images.assign(path=ends), relative[parts == depth], "path", several=False)
        found.append(pairs)
        twofold |= vague
    return pd.concat(found, ignore_index=True), twofold


def _tidy(path: pd.Series) -> pd.Series:
    """Forward slashes, no ``./``, ``..`` or doubled slashes."""
    plain = path.str.strip().str.replace("\\", "/", regex=False)
    crooked = plain.str.contains(r"(?:^|/)\.{1,2}/|//", regex=True, na=False)
    if not crooked.any():
        return plain
    return plain.where(~crooked, plain[crooked].map(os.path.normpath))


def label_name(labels: LabelTable, lines: pd.Index) -> pd.Series:
    """What the label rows call their image: the first key that is not blank."""
    return labels.rows.loc[lines, list(labels.keys)].bfill(axis=1).iloc[:, 0].fillna("(blank)")


def _lonely(images: pd.DataFrame, labels: LabelTable, pairs: pd.DataFrame, vague: set[int]) -> list[Exclusion]:
    alone = images["path"].drop(pairs["image"].unique())
    lines = labels.rows.index[~labels.rows.index.isin(pairs["line"])]
    why = {AMBIGUOUS: "several images have this name", NO_IMAGE: "no image has this name"}
    reasons = [AMBIGUOUS if line in vague else NO_IMAGE for line in lines]
    return [Exclusion(path, NO_LABEL, f"no row of {labels.path.name} names it") for path in alone] + [
        Exclusion(name, reason, f"{labels.lines_name} row {line}: {why[reason]}")
        for name, reason, line in zip(label_name(labels, lines), reasons, lines, strict=True)
    ]


def _one_row_an_image(images: pd.DataFrame, labels: LabelTable, pairs: pd.DataFrame) -> tuple[pd.DataFrame, list[Exclusion]]:
    """Drops repeated rows of an image; where they differ the image is dropped, since neither can be believed."""
    if not pairs["image"].duplicated().any():
        return pairs, []
    crowded = pairs[pairs["image"].duplicated(keep=False)].sort_values(["image", "line"])
    content = labels.rows.drop(columns=[*labels.keys]).loc[crowded["line"]].reset_index(drop=True)
    content["image"] = crowded["image"].to_numpy()
    distinct = crowded[~content.duplicated().to_numpy()]
    disputed = distinct["image"][distinct["image"].duplicated()].unique()
    repeats = crowded[crowded["image"].duplicated() & ~crowded["image"].isin(disputed)]
    lines = crowded.groupby("image")["line"].agg(list)
    exclusions = [
        Exclusion(images["path"][image], CONFLICT, f"{labels.lines_name} rows {', '.join(map(str, lines[image]))} differ")
        for image in disputed
    ] + [
        Exclusion(
            images["path"][image], DUPLICATE_ROW, f"{labels.lines_name} row {line} repeats an earlier one; the image is kept"
        )
        for image, line in zip(repeats["image"], repeats["line"], strict=True)
    ]
    kept = pairs.drop(repeats.index)
    return kept[~kept["image"].isin(disputed)], exclusions


def _agreeing(images: pd.DataFrame, labels: LabelTable, pairs: pd.DataFrame) -> tuple[pd.DataFrame, list[Exclusion]]:
    """Drops pairs whose label row names another SOP or study UID than the image's header."""
    wrong = np.zeros(len(pairs), dtype=bool)
    for name in ("sop_uid", "study_uid"):
        if name in labels.rows.columns:
            said = labels.rows[name].str.strip().loc[pairs["line"]].reset_index(drop=True)
            is_ = images[name].loc[pairs["image"]].reset_index(drop=True)
            wrong |= (said.notna() & is_.notna() & (said != is_)).to_numpy()
    bad = pairs[wrong]
    exclusions = [
        Exclusion(
            images["path"][image],
            UID_MISMATCH,
            f"{labels.lines_name} row {line} names another SOP or study UID than the header",
        )
        for image, line in zip(bad["image"], bad["line"], strict=True)
    ]
    return pairs[~wrong], exclusions


def _no_match(images: pd.DataFrame, labels: LabelTable, vague: int) -> str:
    named = label_name(labels, labels.rows.index[:1]).iloc[0]
    if vague:
        return (
            f"{labels.path}: no label finds one image: {vague} rows such as {named!r} fit several images each. "
            f"Write the path from the source folder."
        )
    column = {"path": "path", "image_id": "stem", "sop_uid": "sop_uid", "study_uid": "study_uid"}[labels.key]
    there = (images.assign(stem=file_stem(images["path"]))[column]).dropna()
    example = repr(Path(there.iloc[0]).name if column == "path" else there.iloc[0]) if len(there) else f"no {labels.key}"
    hint = {"path": "Write the paths as the files are called, or use a column image_id to go by names without extension."}.get(
        labels.key, f"Check that {labels.key} in the labels and the images are of the same dataset."
    )
    return f"{labels.path}: no label matches an image: labels name {named!r}, the folder holds {example}. {hint}"
