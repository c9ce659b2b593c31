"""Tables as the template prints them: text only, every number already in its final form."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.words import RATES, estimate_text, gap_text, number, with_signs
from medclassify.records import EstimateRow, Status

Panel = tuple[str, Markup, str]
"""A picture among others of its kind: the finding, the picture, its caption."""

SYMBOLS = {GapVerdict.PASS: "✓", GapVerdict.FAIL: "✕", GapVerdict.INSUFFICIENT: "○"}


@dataclass(frozen=True, slots=True)
class Chip:
    """A coloured word; it says the same without its colour."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Td:
    """One table cell: text, a smaller second line, a chip."""

    text: str
    sub: str = ""
    chip: Chip | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Folded:
    """A table behind a line that opens it: its name and verdicts, and whether it stands open."""

    title: str
    table: "TableView"
    chips: tuple[Chip, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class TableView:
    """A table with its caption; the first cell of a row names the row.

    A row of one cell is a heading over the rows that follow. ``kind`` lays it out: ``narrow`` (no wider than it needs),
    ``stack`` (one card a row on a phone), ``dense``.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Td, ...], ...]
    foot: str = ""
    kind: str = ""

    @property
    def text_columns(self) -> tuple[bool, ...]:
        """Which columns hold words (left-aligned) and not numbers."""
        places = range(1, len(self.head))
        return (True, *(all(_wordy(row[place]) for row in self.rows if len(row) > place) for place in places))


def verdict_chip(verdict: GapVerdict) -> Chip:
    """The chip of a verdict, e.g. ``✕ FAIL``."""
    return Chip(f"{SYMBOLS[verdict]} {verdict}", verdict.lower())


def verdict_chips(verdicts: Sequence[GapVerdict]) -> tuple[Chip, ...]:
    """How many comparisons came to each verdict; FAIL first."""
    counted = [(verdict, verdicts.count(verdict)) for verdict in (GapVerdict.FAIL, GapVerdict.INSUFFICIENT, GapVerdict.PASS)]
    return tuple(Chip(f"{verdict_chip(verdict).text} {count}", verdict.lower()) for verdict, count in counted if count)


def estimate_cell(row: EstimateRow | None, gap: GapRow | None = None) -> Td:
    """An estimate; below it the gap to the reference with its verdict."""
    if row is None:
        return Td("–", kind="muted")
    text = estimate_text(row.estimate, row.metric, n_pos=row.n_pos, n_neg=row.n_neg)
    if row.estimate.status is Status.NOT_ESTIMABLE:
        return Td(text, kind="muted")
    if row.estimate.status is Status.UNSTABLE:
        text += " *"
    if gap is None:
        return Td(text)
    return Td(text, sub=gap_line(gap), chip=verdict_chip(gap.verdict))


def gap_line(gap: GapRow) -> str:
    """The gap in words: what it is, or why there is none, and what could have been seen."""
    if gap.gap is None or gap.ci_low is None or gap.ci_high is None:
        return f"gap not estimable ({with_signs(gap.note)})"
    text = f"gap {gap_text(gap.gap, gap.ci_low, gap.ci_high, gap.metric)}"
    if gap.verdict is not GapVerdict.INSUFFICIENT or gap.detectable is None:
        return text
    few = "; too few for a verdict" if gap.status is Status.UNSTABLE else ""
    return f"{text}; detectable from {detectable_text(gap.detectable, gap.metric)}{few}"


def detectable_text(gap: float, metric: str) -> str:
    """The size of a gap without sign: ``.132``, or ``18 points`` for rates."""
    return f"{100 * gap:.0f} points" if metric in RATES else number(gap, "auroc")


def shown(attribute: str) -> str:
    """An attribute's name for readers: ``age_band`` as ``age band``, ``sex*view`` as ``sex × view``."""
    return attribute.replace("_", " ").replace("*", " × ")


def unstable_foot(rows: Iterable[EstimateRow | None], *, repeat: bool) -> str:
    """What the star means, where one of these estimates carries it; the small-cell rule counts patients where they repeat."""
    if not any(row is not None and row.estimate.status is Status.UNSTABLE for row in rows):
        return ""
    return f"* resting on fewer than {few(repeat)} with or without the finding, called or not called: read with care."


def few(repeat: bool) -> str:
    """What the small-cell rule counts: ``20 samples``, or patients where some patient has several."""
    return "20 patients (each counted once, whatever their images)" if repeat else "20 samples"


def words(cells: Sequence[str]) -> tuple[Td, ...]:
    """A row of plain cells."""
    return tuple(Td(cell) for cell in cells)


def count_text(value: int) -> str:
    """``12,345``."""
    return f"{value:,}"


def _wordy(cell: Td) -> bool:
    if cell.kind:
        return "words" in cell.kind
    return not any(letter.isdigit() for letter in cell.text[:2]) and not cell.text.startswith((".", "−", "+", "–", "<"))
