"""SIIM-ACR Pneumothorax Segmentation 2019, ``train-rle.csv`` (the challenge's own page).

One row an annotation: ``ImageId, EncodedPixels`` (the second name begins with a blank as published). ``-1`` says that there
is none; else numbers in pairs: how far behind the end of the last run the next one starts, and how long it is, down the
columns of a picture of 1024 x 1024. Only the box around each annotation is kept.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest.delimited import read_named
from medclassify.manifest.labels import LabelTable, PublishedBoxes

NAME = "siim"
FINDING = "Pneumothorax"
BOX_SIZE = (1024, 1024)
_NONE = "-1"
_NUMBERS = re.compile(r"[0-9]{1,7}(?: +[0-9]{1,7})*")
_REQUIRED = ("ImageId", "EncodedPixels")


def recognises(columns: Sequence[str]) -> bool:
    """Whether the header is the challenge's, with or without the blank."""
    return set(_REQUIRED) <= {column.strip() for column in columns}


def read(path: Path) -> LabelTable:
    """Reads ``train-rle.csv``: one finding, and the box around each annotation.

    Raises:
        ManifestError: A column is missing, a row is blank or holds no runs, or one image has both runs and -1.
    """
    rows = read_named(path, {"ImageId": "image_id", "EncodedPixels": "runs"}, required=_REQUIRED, layout=NAME)
    rows["runs"] = rows["runs"].str.strip()
    present = rows["runs"] != _NONE
    both = present.groupby(rows["image_id"]).transform("nunique") > 1
    if both.any():
        line = rows.index[both][0]
        raise ManifestError(f"{path}: row {line}: {rows['image_id'][line]} has both an annotation and -1. Correct its rows.")
    images = rows[["image_id"]].assign(**{FINDING: present.astype("Int8")}).drop_duplicates("image_id")
    annotated = rows[present]
    sides = [box_around(runs, path, line) for line, runs in annotated["runs"].items()]  # type: ignore[arg-type]
    boxes = pd.DataFrame(sides, columns=["left", "top", "width", "height"], index=annotated.index, dtype="float64")
    boxes.insert(0, "image_id", annotated["image_id"])
    boxes.insert(1, "finding", FINDING)
    note = f"{path.name}: read as siim, {len(rows)} rows of {len(images)} images; finding: {FINDING}."
    return LabelTable(
        path,
        NAME,
        ("image_id",),
        images,
        (FINDING,),
        notes=(note,),
        fixed_findings=True,
        boxes=PublishedBoxes(path, boxes, BOX_SIZE),
    )


def box_around(runs: str, path: Path, line: int) -> tuple[int, int, int, int]:
    """The box around the pixels of an annotation: left, top, width, height in pixels.

    Args:
        runs: Gap and length, gap and length, down the columns, each gap counted from the end of the run before.
        path: The file, for the message.
        line: Its row, for the message.

    Raises:
        ManifestError: These are no runs, or they reach beyond the picture.
    """
    height, width = BOX_SIZE
    pairs = np.array(runs.split(), dtype=np.int64) if _NUMBERS.fullmatch(runs) else np.empty(0, dtype=np.int64)
    ends = np.cumsum(pairs)[1::2]
    starts = ends - pairs[1::2]
    drawn = ends > starts
    if len(pairs) % 2 or not drawn.any() or ends[-1] > height * width:
        shown = runs if len(runs) < 40 else runs[:36] + " ..."
        raise ManifestError(
            f"{path}: row {line}, column EncodedPixels: {shown!r} is not -1 and not pairs of gap and length within "
            f"{height} x {width} pixels. Correct it."
        )
    first, last = starts[drawn], ends[drawn] - 1
    columns = first // height, last // height
    wraps = columns[0] < columns[1]  # a run that goes on in the next column touches the lower and the upper edge
    top = int(np.where(wraps, 0, first % height).min())
    bottom = int(np.where(wraps, height - 1, last % height).max())
    left, right = int(columns[0].min()), int(columns[1].max())
    return left, top, right - left + 1, bottom - top + 1
