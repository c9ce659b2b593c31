"""Slices that belong together: where each lies in its series, and samples that are whole series.

A table of slices stands beside the table of samples. A sample is a slice (``sample_id`` is its ``slice_id``), and the table
says what lies below and above it; or it is a series (``sample_id`` is its ``stack``), and it says what the series is made of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medclassify.errors import ManifestError
from medclassify.manifest.images import named_by
from medclassify.manifest.table import Manifest
from medclassify.records import Series
from medclassify.runs import atomic_path

SLICE_COLUMNS = ("stack", "slice_id", "path", "position_mm", "series_uid")
"""``stack``: the id of a series of slices that lie in one stack; ``position_mm``: float64, along their normal, ascending."""


def slice_table(series: Iterable[Series]) -> pd.DataFrame:
    """The slices of assembled series, ``SLICE_COLUMNS``, in their order.

    Args:
        series: Of ``dicom.assemble_series``; a stack that shares its UID with others has an id of its own.
    """
    rows: list[dict[str, Any]] = []
    for one in series:
        first = one.slices[0]
        normal = np.cross(first.row_direction, first.column_direction)
        stack = named_by(one.series_uid if one.parts == 1 else f"{one.series_uid}/{one.part}")
        rows += [
            {
                "stack": stack,
                "slice_id": named_by(piece.sop_uid or piece.path),
                "path": piece.path,
                "position_mm": float(np.dot(piece.position, normal)),
                "series_uid": one.series_uid,
            }
            for piece in one.slices
        ]
    table = pd.DataFrame(rows, columns=list(SLICE_COLUMNS))
    return table.astype({name: "float64" if name == "position_mm" else "str" for name in SLICE_COLUMNS})


def is_of_series(manifest: Manifest) -> bool:
    """Whether its samples are whole series."""
    slices = manifest.slices
    return slices is not None and bool(manifest.frame["sample_id"].isin(slices["stack"]).all())


def own_slices(manifest: Manifest) -> pd.DataFrame:
    """The slices of the stacks that a manifest's own samples are or lie in; those of samples that were left out are not there.

    Raises:
        ManifestError: It has no slices.
    """
    if manifest.slices is None:
        raise ManifestError(f"{manifest.source}: says nothing of series. Index the images again.")
    slices, ids = manifest.slices, manifest.frame["sample_id"]
    stacks = {*ids, *slices["stack"][slices["slice_id"].isin(ids)]}
    return slices[slices["stack"].isin(stacks)].reset_index(drop=True)


def with_neighbours(manifest: Manifest, slices: pd.DataFrame) -> Manifest:
    """The samples that lie in a stack, with the slices beside them.

    Args:
        manifest: Its samples are images.
        slices: ``SLICE_COLUMNS``.
    """
    frame = manifest.frame[manifest.frame["sample_id"].isin(slices["slice_id"])].reset_index(drop=True)
    kept = replace(manifest, frame=frame, slices=slices)
    return replace(kept, slices=own_slices(kept)[list(SLICE_COLUMNS)])


def as_series(manifest: Manifest, slices: pd.DataFrame) -> Manifest:
    """One sample a stack instead of one an image.

    A finding is present in a series where it is in one of its slices, uncertain where it is in none and uncertain in one,
    unknown where it is in none and a slice has no label, else absent. Slices keep their own labels, to be learnt from, unless
    a finding has one label throughout every series: then the label file spoke of examinations.

    Args:
        manifest: Its samples are images, some of the slices.
        slices: ``SLICE_COLUMNS``; stacks without a sample are left out.

    Raises:
        ManifestError: No image lies in a stack, or slices of a stack are in two splits.
    """
    slices = slices[slices["stack"].isin(slices["stack"][slices["slice_id"].isin(manifest.frame["sample_id"])])]
    if slices.empty:
        raise ManifestError(f"{manifest.source}: no image lies in a series. Check the exclusions' reasons.")
    facts = manifest.frame.drop(columns=["path", "series_uid"])
    table = slices[list(SLICE_COLUMNS)].merge(facts, left_on="slice_id", right_on="sample_id", how="left")
    known = table[table["sample_id"].notna()]
    groups = known.groupby("stack", sort=True)
    _refuse_two_splits(manifest, groups)
    rows = groups.first()  # of each column the first value that is known
    middle = table.groupby("stack")["path"].agg(lambda paths: paths.iloc[len(paths) // 2])
    frame = rows.drop(columns=["slice_id", "sample_id", "position_mm", *manifest.findings]).assign(
        path=middle, sop_uid=pd.Series(pd.NA, index=rows.index, dtype="str")
    )
    frame = pd.concat([frame, _of_series(table, manifest.findings)], axis=1)
    frame = frame.rename_axis("sample_id").reset_index()[list(manifest.frame.columns)]
    throughout = _same_throughout(known, manifest.findings)
    unknown = pd.array([pd.NA] * len(table), "Int8")
    labels = table[["slice_id", *manifest.findings]].assign(**dict.fromkeys(throughout, unknown))
    labelled = slices[list(SLICE_COLUMNS)].merge(labels, on="slice_id", how="left").reset_index(drop=True)
    notes = [*manifest.notes, f"{len(frame)} series of {len(slices)} slices are the samples."]
    if own := [name for name in manifest.findings if name not in throughout]:
        notes.append(f"labels of slices: {', '.join(own)}; a series has what one of its slices has.")
    if throughout and manifest.findings:
        notes.append(f"labels of whole series: {', '.join(throughout)} (every slice of a series has the same).")
    return replace(manifest, frame=frame, notes=tuple(notes), slices=labelled)


def of_slices(manifest: Manifest) -> Manifest:
    """The slices of a manifest of series as samples of their own, with their own labels and their series' facts."""
    slices = own_slices(manifest)
    facts = manifest.frame.drop(columns=["path", "series_uid", *manifest.findings])
    table = slices.merge(facts, left_on="stack", right_on="sample_id", how="inner")
    table = table.assign(sample_id=table["slice_id"])[list(manifest.frame.columns)]
    return replace(manifest, frame=table, slices=None)


def slices_beside(manifest_path: Path | str) -> Path:
    """Where the slices of a manifest lie: ``manifest.slices.parquet`` beside ``manifest.parquet``."""
    return Path(manifest_path).with_suffix(".slices.parquet")


def write_slices(manifest_path: Path | str, manifest: Manifest) -> None:
    """Writes a manifest's slices beside it, atomically; without any, those of an earlier manifest of this name are removed.

    Raises:
        StorageError: The disk is full, read-only or not there.
    """
    path = slices_beside(manifest_path)
    if manifest.slices is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(own_slices(manifest), preserve_index=False), temporary, compression="zstd")


def read_slices_beside(manifest_path: Path | str) -> pd.DataFrame | None:
    """The slices beside a manifest, or None where there are none.

    Raises:
        ManifestError: The file is not one of slices.
    """
    path = slices_beside(manifest_path)
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise ManifestError(
            f"{path}: not a file of slices ({' '.join(str(error).split())}). Index the images again."
        ) from error
    if lacking := [name for name in SLICE_COLUMNS if name not in table.columns]:
        raise ManifestError(f"{path}: the table of slices lacks {', '.join(lacking)}. Index the images again.")
    kinds = {name: "str" if name in SLICE_COLUMNS else "Int8" for name in table.columns} | {"position_mm": "float64"}
    return table.astype(kinds)


def _refuse_two_splits(manifest: Manifest, groups: Any) -> None:
    splits = groups["split"].nunique()
    if (splits > 1).any():
        raise ManifestError(
            f"{manifest.source}: slices of {int((splits > 1).sum())} series are in two splits (first: series "
            f"{splits.index[splits > 1][0]}). Give all slices of an examination one split."
        )


def _of_series(table: pd.DataFrame, findings: Sequence[str]) -> pd.DataFrame:
    """Findings of each stack out of those of its slices, Int8, indexed by stack."""
    found = {}
    for name in findings:
        values = table[name].astype("Int8")
        by = table["stack"]
        present, unsure, gap = (
            each.fillna(False).astype(bool).groupby(by).any() for each in (values == 1, values == -1, values.isna())
        )
        label = pd.Series(pd.array(np.zeros(len(present)), "Int8"), index=present.index)
        found[name] = label.mask(gap, pd.NA).mask(unsure, -1).mask(present, 1)
    return pd.DataFrame(found)


def _same_throughout(known: pd.DataFrame, findings: Sequence[str]) -> list[str]:
    """Findings whose label is the same in all slices of every series."""
    return [name for name in findings if (known.groupby("stack")[name].nunique(dropna=False) == 1).all()]
