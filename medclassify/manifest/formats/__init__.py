"""Layouts of label files, one module each.

``PUBLISHED`` are those of data sets; each knows its own header and no other's. ``LAYOUTS`` are all; their names are those of
``config.LabelFormat``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from medclassify.manifest.formats import (
    chexpert,
    generic,
    mimic_cxr,
    nih,
    padchest,
    rsna_ich,
    rsna_pe,
    rsna_pneumonia,
    siim,
    vindr_cxr,
)
from medclassify.manifest.labels import LabelTable


class LabelLayout(Protocol):
    """What a module of this package offers.

    Attributes:
        NAME: What the layout is called in ``--format``.
    """

    @property
    def NAME(self) -> str:  # noqa: N802 (a constant of the module)
        ...

    def recognises(self, columns: Sequence[str]) -> bool:
        """Whether a file with this header line (split at its delimiter) has this layout."""
        ...

    def read(self, path: Path) -> LabelTable:
        """Reads the file; raises ManifestError where it does not hold what the layout promises."""
        ...


PUBLISHED: tuple[LabelLayout, ...] = (
    nih, chexpert, mimic_cxr, rsna_pneumonia, rsna_ich, rsna_pe, *vindr_cxr.LAYOUTS, siim, padchest,
)  # fmt: skip
# The generic layout takes whatever has a key column, so it is only tried where no published layout fits.
LAYOUTS: tuple[LabelLayout, ...] = (generic, *PUBLISHED)

__all__ = ["LAYOUTS", "PUBLISHED", "LabelLayout"]
