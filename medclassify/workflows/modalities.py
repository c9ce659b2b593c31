"""Keeps images of another modality than a model learnt from away from it: it would score them without a word."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest import Manifest
from medclassify.manifest.modality import modality_kind
from medclassify.records import Exclusion
from medclassify.workflows.console import warn


def modalities_of(manifest: Manifest) -> tuple[str, ...]:
    """The modalities in a manifest, each once; "" for files that do not say theirs."""
    return tuple(sorted(set(manifest.frame["modality"].fillna("").str.upper())))


def keep_learnt(manifest: Manifest, learnt: Sequence[str]) -> tuple[Manifest, list[Exclusion]]:
    """Leaves out images of a kind that the model did not learn from; radiographs (CR, DX, RG) are one kind.

    Where either side does not say its modality (PNG, JPEG, a model of an earlier version) nothing can be compared: the images
    are kept, with one warning a kind.

    Args:
        manifest: What is to be scored.
        learnt: ``ModelBundle.modalities``.

    Raises:
        ManifestError: No image is left.
    """
    spoken = pd.Series([*learnt], dtype="str")
    known = set(modality_kind(spoken[spoken != ""]))
    said = " and ".join(name or "files that do not say their modality" for name in learnt) or "modalities that it does not tell"
    modality = manifest.frame["modality"]
    kind = modality_kind(modality)
    foreign = kind.notna() & ~kind.isin(list(known)) if known else pd.Series(False, index=kind.index)
    exclusions = [
        Exclusion(path, f"{name}, while the model learnt from {said}", f"{path}: another kind of image than it knows")
        for path, name in zip(manifest.frame["path"][foreign], modality[foreign], strict=True)
    ]
    for name, count in modality[~foreign].fillna("").value_counts().items():
        if (name and not known) or (not name and "" not in learnt):
            images = f"{count} image{' is' if count == 1 else 's are'}"
            warn(f"{images} {name or 'of no stated modality'}, the model learnt from {said}: look whether they belong together")
    if foreign.all() and len(manifest):
        raise ManifestError(
            f"no image can be scored: all are {' or '.join(sorted(set(modality)))}, while the model learnt from {said}. "
            f"Name other images, or fit a model on such ones."
        )
    return (replace(manifest, frame=manifest.frame[~foreign].reset_index(drop=True)) if exclusions else manifest), exclusions
