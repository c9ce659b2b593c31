"""Finds the series that images belong to, where a sample is a slice with its neighbours or a whole series."""

import os
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from medclassify.dicom import assemble_series
from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, as_series, is_of_series, own_slices, slice_table, with_neighbours
from medclassify.records import Exclusion, Preprocessing, Series
from medclassify.workflows.console import progress, say, warn

_MANY_FRAMES = "several frames in one file"


def in_stacks_of(
    manifest: Manifest, *, neighbours: int, series: bool, files: pd.DataFrame | None = None
) -> tuple[Manifest, list[Exclusion]]:
    """A manifest as a model takes it: images by themselves, slices with what lies beside them, or series.

    Args:
        manifest: Of images, or one that tells of slices already.
        neighbours: Slices on either side of a slice that are channels beside it.
        series: Samples are series.
        files: Further images that may belong to the same series, labelled or not: columns ``path`` and ``series_uid``.

    Returns:
        The manifest, and files that lie in no stack, with reasons (docs/ct.md).

    Raises:
        ManifestError: No image lies in a series, or samples are series where the model takes slices.
    """
    if is_of_series(manifest) and not series:
        raise ManifestError(f"{manifest.source}: its samples are series, and the model judges slices. Index the slices.")
    if not (neighbours or series) or (manifest.slices is not None and is_of_series(manifest) == series):
        return manifest, []
    slices, exclusions = (manifest.slices, []) if manifest.slices is not None else _assemble(manifest, files)
    if slices.empty:
        first = f" (first: {exclusions[0].detail})" if exclusions else ""
        raise ManifestError(f"{manifest.source}: no image lies in a series{first}. Slices need Image Position and Orientation.")
    return (as_series if series else with_neighbours)(manifest, slices), exclusions


def in_words(manifest: Manifest, preprocessing: Preprocessing, unread: Iterable[Exclusion] = ()) -> str:
    """How many samples a manifest has, and of what: "3 series (57 slices)", "1 slice", "20 images".

    Args:
        manifest: Its samples are counted.
        preprocessing: The model's: with CT windows an image is a slice.
        unread: Files whose slices are not counted.
    """
    count, missing = len(manifest), {exclusion.path for exclusion in unread}
    if is_of_series(manifest):
        return f"{count:,} series ({_many(int((~own_slices(manifest)['path'].isin(missing)).sum()), 'slice')})"
    return _many(count, "slice" if preprocessing.ct_windows else "image")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _assemble(manifest: Manifest, files: pd.DataFrame | None) -> tuple[pd.DataFrame, list[Exclusion]]:
    """The slices of all stacks that the manifest's images lie in, and what lies in none."""
    table = manifest.frame[["path", "series_uid"]]
    if files is not None:
        known = set(table["series_uid"].dropna())
        table = pd.concat([table, files[files["series_uid"].isin(known)][["path", "series_uid"]]])
        table = table.assign(path=[os.path.abspath(path) for path in table["path"]]).drop_duplicates("path")
    found: list[Series] = []
    exclusions: list[Exclusion] = []
    done = 0
    with progress("assembling series") as move:
        for _, paths in table.groupby(table["series_uid"].fillna(""), sort=True)["path"]:
            stacks, quarantined = assemble_series(paths)
            single = [one for one in stacks if one.slices[0].frame is None]
            found += single
            exclusions += [Exclusion(path, item.reason, item.detail) for item in quarantined for path in item.paths]
            exclusions += [
                Exclusion(path, _MANY_FRAMES, f"{path}: {_MANY_FRAMES}. Export it as single slices.")
                for one in stacks
                if one not in single
                for path in {piece.path for piece in one.slices}
            ]
            done += len(paths)
            move(done, len(table))
    _tell(found)
    return slice_table(found), exclusions


def _tell(found: Iterable[Series]) -> None:
    """Each kind of fault once, with how many series have it; what it means for neighbours is docs/ct.md's."""
    series = list(found)
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for one in series:
        for warning in one.warnings:
            kind = warning.split(":")[0] if not warning[0].isdigit() else warning.lstrip("0123456789 ").split(":")[0]
            kind = "gantry tilt" if kind.startswith("gantry tilt") else kind
            kind = "affine" if kind.startswith("the affine") else kind
            first.setdefault(kind, warning)
            counts[kind] += 1
    stacks, slices = _many(len(series), "stack"), _many(sum(len(one.slices) for one in series), "slice")
    say(f"series: {stacks} of {slices}, in the order in which they lie")
    for kind, count in counts.most_common():
        if kind != "affine":  # speaks of volumes, and nothing is interpolated here
            warn(f"{count} of {len(series)} series: {first[kind]}" + (" (and the like)" if count > 1 else ""))
