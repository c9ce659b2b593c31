"""Images of another kind among the many: a few CT slices in a folder of radiographs are a mistake of an export."""

import pandas as pd

_RADIOGRAPHS = ("CR", "DX", "RG")
_FEW = 0.1


def modality_kind(modality: pd.Series) -> pd.Series:
    """Names the kind of image that a modality stands for; radiographs of all sorts are one.

    Args:
        modality: str (N,), Modality (0008,0060); missing where the file does not say, as in a PNG.

    Returns:
        str (N,), e.g. ``radiographs (CR/DX/RG)`` or ``CT``; missing stays missing.
    """
    upper = modality.str.upper()
    return upper.mask(upper.isin(_RADIOGRAPHS), "radiographs (" + "/".join(_RADIOGRAPHS) + ")")


def modality_notes(images: pd.DataFrame) -> list[str]:
    """What is to be said about the kinds of images.

    Args:
        images: str columns ``modality`` (missing where the file does not say) and ``path``.

    Returns:
        Nothing where there is one kind, radiographs of all sorts counting as one; else one line a kind, a warning where it is
        fewer than a tenth of the images.
    """
    kind = modality_kind(images["modality"])
    counts = kind.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    notes = []
    for name, count in counts.iloc[1:].items():
        first = images["path"][kind == name].iloc[0]
        few = "WARNING: " if count < _FEW * counts.sum() else ""
        notes.append(
            f"{few}modality: {count} of {len(images)} images are {name}, most are {counts.index[0]} (first: {first}). "
            f"If they do not belong here, leave them out."
        )
    return notes
