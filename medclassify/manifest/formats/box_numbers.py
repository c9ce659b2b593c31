"""The numbers of a published box."""

from pathlib import Path

import numpy as np
import pandas as pd

from medclassify.errors import ManifestError

SIDES = ("left", "top", "width", "height")


def numbered_boxes(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Reads the numbers of boxes.

    Args:
        rows: str columns ``image_id``, ``finding``, ``left``, ``top``, ``width``, ``height``; indexed by line in the file.
        path: The file, for the message.

    Returns:
        The same columns and index, the last four float64 pixels.

    Raises:
        ManifestError: A box has no image, no finding, or a number that is none.
    """
    for name in ("image_id", "finding"):
        blank = rows[name].isna()
        if blank.any():
            raise ManifestError(f"{path}: row {rows.index[blank][0]}: a box without {name}. Name it, or remove the row.")
    numbers = rows[list(SIDES)].apply(pd.to_numeric, errors="coerce").astype("float64")
    wrong = ~np.isfinite(numbers).all(axis=1) | (numbers["width"] <= 0) | (numbers["height"] <= 0)
    if wrong.any():
        line = rows.index[wrong][0]
        received = ", ".join("blank" if pd.isna(value) else repr(value) for value in rows.loc[line, list(SIDES)])
        raise ManifestError(
            f"{path}: row {line}: left, top, width, height are {received}; a box needs four numbers, its sides above 0. "
            f"Correct the row, or remove it."
        )
    return pd.concat([rows[["image_id", "finding"]], numbers], axis=1)
