"""What a label file says, whatever its layout: one row a label row, ready to be joined with images."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError

KEYS = ("path", "image_id", "sop_uid", "study_uid")
LABEL_VALUES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-0.0": 0, "-1": -1, "-1.0": -1}
BLANKS = ("", "nan", "NaN", "NA", "N/A", "n/a", "null", "NULL", "<NA>")


@dataclass(frozen=True, slots=True, eq=False)
class PublishedBoxes:
    """Boxes that a dataset publishes with its labels, as they stand in its file.

    Attributes:
        path: The file they come from.
        rows: Columns ``image_id`` (the image's file name, with or without extension) and ``finding`` (str), ``left``, ``top``,
            ``width``, ``height`` (float64, pixels; the origin is the image's upper left corner).
        size: (rows, columns) of the picture they were measured on, or None: the image itself.
        notes: What was left out on reading, one line each.
    """

    path: Path
    rows: pd.DataFrame
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """A label file that was read. It stays in memory: its ``patient_id`` is not hashed.

    Attributes:
        path: The file.
        format: The layout it was read as, e.g. ``generic`` or ``nih``.
        keys: The columns of ``rows`` that find a row's image, best first (of ``KEYS``).
        rows: One row a label row; the index is the line in the file (the header is line 1), the first one where several lines
            speak of an image. Findings are Int8 (1 present, 0 absent, -1 uncertain, missing = not labelled), everything else
            str. ``split`` holds published splits.
        findings: The finding columns, in order.
        attributes: Further columns, beyond those every manifest has.
        notes: What was decided on the way (which columns are what, where splits came from), one line each.
        doubts: Those of the notes that a mistake in the file would explain; they are warned of.
        fixed_findings: The layout itself says which columns are findings, so one that is not chosen is left out;
            otherwise it becomes an attribute.
        boxes: The boxes published with the labels, or None.
        lines_of: The file whose lines the index counts, where that is another than ``path``.
    """

    path: Path
    format: str
    keys: tuple[str, ...]
    rows: pd.DataFrame
    findings: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    fixed_findings: bool = False
    boxes: PublishedBoxes | None = None
    lines_of: Path | None = None

    @property
    def lines_name(self) -> str:
        """The name of the file whose lines ``rows`` counts."""
        return (self.lines_of or self.path).name

    @property
    def key(self) -> str:
        """The column that finds a row's image first."""
        return self.keys[0]

    def select(self, findings: Sequence[str] | None) -> "LabelTable":
        """Chooses findings, in the given order.

        Args:
            findings: Names of finding or attribute columns; None keeps what was recognised.

        Returns:
            A table with exactly these findings. A column that held labels but is not named becomes an attribute, unless the
            layout fixes its findings.

        Raises:
            ManifestError: A name is not a column, stands twice, or its column holds something that is not a label.
        """
        if findings is None:
            return self
        self._refuse_unknown(findings)
        rows = self.rows.copy()
        for name in findings:
            if name in self.attributes:
                rows[name] = parse_labels(rows[name], self.path, name)
        unchosen = [name for name in self.findings if name not in findings]
        if self.fixed_findings:
            rows = rows.drop(columns=unchosen)
        else:
            rows[unchosen] = rows[unchosen].astype("str")
        attributes = [name for name in self.attributes if name not in findings]
        attributes += [] if self.fixed_findings else unchosen
        return replace(self, rows=rows, findings=tuple(findings), attributes=tuple(attributes))

    def _refuse_unknown(self, findings: Sequence[str]) -> None:
        known = [*self.findings, *self.attributes]
        unknown = [name for name in findings if name not in known]
        if unknown:
            near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"its findings are {', '.join(self.findings) or 'none'}."
            raise ManifestError(f"{self.path}: no finding {unknown[0]!r}; {hint}")
        if not findings or len(set(findings)) < len(findings):
            raise ManifestError(
                f"{self.path}: findings must be named once each and at least one, received {list(findings)}. "
                f"Leave data.findings out to take all."
            )


def parse_labels(text: pd.Series, path: Path, column: str) -> pd.Series:
    """Reads one finding.

    Args:
        text: str (N,), indexed by line in the file; missing where blank.
        path: The file, for the message.
        column: The finding, for the message.

    Returns:
        Int8 (N,): 1, 0, -1 or missing.

    Raises:
        ManifestError: A value is none of 1, 0, -1 and blank.
    """
    stripped = text.str.strip()
    wrong = ~(stripped.isin(list(LABEL_VALUES)) | stripped.isna() | (stripped == ""))
    if wrong.any():
        line = text.index[wrong][0]
        more = f" ({int(wrong.sum())} such values)" if wrong.sum() > 1 else ""
        raise ManifestError(
            f"{path}: row {line}, column {column}: {text[line]!r} is not a label{more}. "
            f"Write 1 (present), 0 (absent), -1 (uncertain) or leave it blank (not labelled)."
        )
    return stripped.map(LABEL_VALUES).astype("Int8")
