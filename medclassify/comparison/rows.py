"""One difference between two classifiers, and what its interval says."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import pandas as pd

from medclassify.audit.gap_row import GapVerdict, verdict_of
from medclassify.metrics import Gap, adjusted_p

VERDICT_METRICS = ("auroc", "sensitivity", "specificity")
"""A margin in AUROC or points says nothing about a Brier score or a prevalence, so those get no verdict."""


class Verdict(StrEnum):
    """What an interval shows against the margin; the rule is that of an audit's gaps."""

    EQUAL = "equal within margin"
    DIFFERENT = "different"
    INSUFFICIENT = "insufficient"


_WORDS = {
    GapVerdict.PASS: Verdict.EQUAL,
    GapVerdict.FAIL: Verdict.DIFFERENT,
    GapVerdict.INSUFFICIENT: Verdict.INSUFFICIENT,
}


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One line of ``compare.csv``: second minus first.

    Attributes:
        finding: The finding.
        attribute: ``all``, or the attribute whose subgroup is compared.
        subgroup: ``all``, or the subgroup.
        metric: ``auroc``, ``sensitivity``, ``specificity``, ``brier`` or ``prevalence``.
        n_a: Labelled samples of the first table.
        n_b: Of the second; the same samples where they are paired.
        n_pos_a: Those with the finding.
        n_pos_b: Those with the finding.
        a: The first one's value, None where it is not estimable.
        b: The second one's value.
        difference: ``b − a``.
        ci_low: Lower 95 % limit.
        ci_high: Upper 95 % limit.
        p: Two-sided p of no difference, or None.
        p_adjusted: Holm's, over all rows of this metric that are about the whole table, or about subgroups.
        method: The test.
        margin: The equivalence margin; None where there is no verdict.
        verdict: Against the margin, or "".
        status: ``ok``, ``unstable`` or ``not_estimable``.
        note: Why the row is unstable or not estimable.
    """

    finding: str
    attribute: str
    subgroup: str
    metric: str
    n_a: int
    n_b: int
    n_pos_a: int
    n_pos_b: int
    a: float | None
    b: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_adjusted: float | None
    method: str
    margin: float | None
    verdict: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a row is about: finding, attribute and subgroup, with counts of either side (samples, with the finding)."""

    finding: str
    attribute: str
    subgroup: str
    a: tuple[int, int]
    b: tuple[int, int]


def difference_row(
    place: Place, metric: str, values: tuple[float | None, float | None], gap: Gap, margin: float
) -> DifferenceRow:
    """A row from a test of second minus first."""
    found = gap.estimate
    judged, verdict = metric in VERDICT_METRICS, ""
    if judged:
        verdict = str(Verdict.INSUFFICIENT)
        if found.ci_low is not None and found.ci_high is not None:
            verdict = str(_WORDS[verdict_of(found.ci_low, found.ci_high, margin, found.status)])
    note = found.note.replace("first group", "second table").replace("second group", "first table")
    return DifferenceRow(
        place.finding, place.attribute, place.subgroup, metric, place.a[0], place.b[0], place.a[1], place.b[1], *values,
        found.value, found.ci_low, found.ci_high, gap.p, None, found.ci_method, margin if judged else None, verdict,
        str(found.status), note,
    )  # fmt: skip


def two_values(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """The first table's value and the second's."""
    first, second = values
    return first, second


def holm_adjusted(rows: Sequence[DifferenceRow]) -> list[DifferenceRow]:
    """Adds Holm's p (Scandinavian Journal of Statistics 6:65, 1979): a family is a metric, overall or by subgroup."""
    families: dict[tuple[str, bool], list[int]] = {}
    for place, row in enumerate(rows):
        if row.p is not None:
            families.setdefault((row.metric, row.attribute == "all"), []).append(place)
    done = list(rows)
    for places in families.values():
        for place, adjusted in zip(places, adjusted_p([rows[place].p for place in places]), strict=True):
            done[place] = replace(rows[place], p_adjusted=adjusted)
    return done


def rows_frame(rows: Sequence[DifferenceRow]) -> pd.DataFrame:
    """The rows as the columns of ``compare.csv``."""
    return pd.DataFrame([asdict(row) for row in rows], columns=list(DifferenceRow.__dataclass_fields__))
