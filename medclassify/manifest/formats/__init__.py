"""Layouts of label files, one module each; ``LAYOUTS`` is the order in which they are tried."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from medclassify.manifest.formats import generic, nih
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


# The generic layout takes whatever has a key column, so it comes last.
LAYOUTS: tuple[LabelLayout, ...] = (nih, generic)

__all__ = ["LAYOUTS", "LabelLayout"]
