"""Boxes around findings, joined to the samples they were drawn on: what saliency is scored against later."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medclassify.errors import ManifestError
from medclassify.manifest.labels import PublishedBoxes
from medclassify.manifest.matching import file_stem
from medclassify.manifest.table import Manifest
from medclassify.records import InstanceHeader
from medclassify.runs import atomic_path

BOX_COLUMNS = ("sample_id", "finding", "left", "top", "width", "height")
_SIDES = list(BOX_COLUMNS[2:])
_SIZE = ["path", "rows", "columns"]


def join_boxes(
    manifest: Manifest, published: PublishedBoxes, headers: pd.DataFrame | Iterable[InstanceHeader]
) -> tuple[pd.DataFrame, list[str]]:
    """Brings published boxes to the samples of a manifest, in pixels of each sample's own file.

    Boxes that were measured on a picture of a fixed size are scaled to the file's rows and columns; what lies outside the
    image is cut off. Boxes of images or findings that the manifest does not hold are left out, and counted.

    Args:
        manifest: The samples; an image is found by its file name without extension.
        published: The boxes.
        headers: Of the manifest's files, for rows and columns; or a ``header_table``.

    Returns:
        Columns ``BOX_COLUMNS`` (str, str, then float64 pixels; a box covers columns ``left`` to ``left + width``), sorted by
        sample; and what became of the boxes, one line each.

    Raises:
        ManifestError: Not one box lies on its image, so that they were not measured on these files.
    """
    name, total = published.path.name, len(published.rows)
    boxes = published.rows.assign(stem=file_stem(published.rows["image_id"])).drop(columns="image_id")
    boxes = boxes.merge(_samples(manifest, headers, boxes["stem"]), on="stem", how="left")
    elsewhere = boxes["sample_id"].isna()
    other = ~elsewhere & ~boxes["finding"].isin(manifest.findings)
    boxes = _on_image(boxes[~elsewhere & ~other], published.size)
    kept = boxes[(boxes["width"] > 0) & (boxes["height"] > 0)]
    outside = len(boxes) - len(kept)
    if outside and not len(kept):
        raise ManifestError(
            f"{published.path}: none of its {outside} boxes lies on its image (first: {_shown(boxes.iloc[0])}). "
            f"Were they measured on files of another size?"
        )
    notes = [f"{name}: {len(kept)} boxes on {kept['sample_id'].nunique()} images; the file holds {total}."]
    reasons = {
        "belong to images that are not samples": int(elsewhere.sum()),
        "are of findings that were not chosen": int(other.sum()),
        "lie outside their image": outside,
    }
    notes += [f"{name}: {count} boxes {reason}; they are left out." for reason, count in reasons.items() if count]
    if contradicting := _without_label(kept, manifest):
        notes.append(f"{name}: {contradicting} boxes lie on images whose label does not say their finding; they are kept.")
    return kept[list(BOX_COLUMNS)].sort_values(["sample_id", "finding"], kind="stable", ignore_index=True), notes


def keep_boxes(boxes: pd.DataFrame | None, manifest: Manifest) -> pd.DataFrame | None:
    """The boxes of a manifest's own samples and findings."""
    if boxes is None:
        return None
    kept = boxes["sample_id"].isin(manifest.frame["sample_id"]) & boxes["finding"].isin(manifest.findings)
    return boxes[kept].reset_index(drop=True)


def boxes_beside(manifest_path: Path | str) -> Path:
    """Where the boxes of a manifest lie: ``manifest.boxes.parquet`` beside ``manifest.parquet``."""
    return Path(manifest_path).with_suffix(".boxes.parquet")


def write_boxes(manifest_path: Path | str, boxes: pd.DataFrame | None) -> None:
    """Writes boxes beside a manifest, atomically; without boxes, those of an earlier manifest of this name are removed.

    Args:
        manifest_path: The manifest's file.
        boxes: Columns ``BOX_COLUMNS``, or None.

    Raises:
        StorageError: The disk is full, read-only or not there.
    """
    path = boxes_beside(manifest_path)
    if boxes is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(boxes[list(BOX_COLUMNS)], preserve_index=False), temporary, compression="zstd")


def read_boxes(manifest_path: Path | str) -> pd.DataFrame | None:
    """The boxes beside a manifest, or None where there are none.

    Raises:
        ManifestError: The file is not one of boxes.
    """
    path = boxes_beside(manifest_path)
    if not path.is_file():
        return None
    try:
        boxes = pq.read_table(path, columns=list(BOX_COLUMNS)).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise ManifestError(f"{path}: not a file of boxes ({' '.join(str(error).split())}). Index the images again.") from error
    return boxes.astype({name: "str" if name not in _SIDES else "float64" for name in BOX_COLUMNS})


def _samples(manifest: Manifest, headers: pd.DataFrame | Iterable[InstanceHeader], stems: pd.Series) -> pd.DataFrame:
    """One row a wanted file name that stands for exactly one sample: ``stem, sample_id, rows, columns``."""
    samples = manifest.frame[["sample_id", "path"]].assign(stem=file_stem(manifest.frame["path"]))
    samples = samples[~samples["stem"].duplicated(keep=False) & samples["stem"].isin(stems)]
    names = {os.path.basename(path) for path in samples["path"]}  # so that few of a million paths are made absolute
    table = cast(pd.DataFrame, headers) if isinstance(headers, pd.DataFrame) else _size_table(headers)
    sizes = table.loc[table["path"].map(os.path.basename).isin(names), _SIZE]
    paths = pd.Series([Path(os.path.abspath(path)).as_posix() for path in sizes["path"]], index=sizes.index, dtype="str")
    sizes = sizes.assign(path=paths)
    return samples.merge(sizes.drop_duplicates("path"), on="path").drop(columns="path")


def _size_table(headers: Iterable[InstanceHeader]) -> pd.DataFrame:
    return pd.DataFrame([(header.path, header.rows, header.columns) for header in headers], columns=_SIZE)


def _on_image(boxes: pd.DataFrame, measured: tuple[int, int] | None) -> pd.DataFrame:
    """Scales to the file's pixels and cuts off what lies outside; a box wholly outside gets sides of 0 or less."""
    down = boxes["rows"] / measured[0] if measured else 1.0
    across = boxes["columns"] / measured[1] if measured else 1.0
    left, top = boxes["left"] * across, boxes["top"] * down
    right, bottom = left + boxes["width"] * across, top + boxes["height"] * down
    left, top = left.clip(lower=0), top.clip(lower=0)
    return boxes.assign(
        left=left,
        top=top,
        width=right.clip(upper=boxes["columns"]) - left,
        height=bottom.clip(upper=boxes["rows"]) - top,
    )


def _without_label(boxes: pd.DataFrame, manifest: Manifest) -> int:
    labels = manifest.frame.set_index("sample_id")
    positive = [bool(labels.at[sample, finding] == 1) if not pd.isna(labels.at[sample, finding]) else False
                for sample, finding in zip(boxes["sample_id"], boxes["finding"], strict=True)]  # fmt: skip
    return len(positive) - sum(positive)


def _shown(box: pd.Series) -> str:
    return f"image of {box['columns']:g} x {box['rows']:g} pixels, box from {box['left']:.0f}, {box['top']:.0f}"
