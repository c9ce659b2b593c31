"""The report's tables on data, performance, calibration and origin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medclassify.audit.cells import Cell, finding_cells
from medclassify.audit.facts import ReportFacts
from medclassify.audit.keys import said
from medclassify.audit.results import AuditResult
from medclassify.audit.views import Chip, TableView, Td, count_text, estimate_cell, shown, unstable_foot, words
from medclassify.audit.words import LABELS, band_text, beside_band, number, with_signs
from medclassify.records import EstimateRow

_CONFIDENT_ERRORS = 8
_RANKING = ("auroc", "auprc")
_STATED = ("consent", "licence")  # by a person; "not given" would read as a refusal
_RATES = ("sensitivity", "specificity", "ppv", "npv")


def split_table(facts: ReportFacts) -> TableView | None:
    """Patients, studies and images in each split."""
    if not facts.counts:
        return None
    kinds = list(dict.fromkeys(kind for counted in facts.counts.values() for kind in counted))
    rows = tuple(words([name, *(count_text(counted.get(kind, 0)) for kind in kinds)]) for name, counted in facts.counts.items())
    return TableView(
        "Patients, studies and images by split", ("Split", *(kind.capitalize() for kind in kinds)), rows, kind="narrow"
    )


def demographics_table(facts: ReportFacts) -> TableView | None:
    """Images of each subgroup in each split, with shares; missing is counted."""
    if not facts.demographics:
        return None
    splits = list(next(iter(next(iter(facts.demographics.values())).values())))
    rows: list[tuple[Td, ...]] = []
    for attribute, levels in facts.demographics.items():
        totals = {split: sum(level[split] for level in levels.values()) for split in splits}
        rows.append((Td(shown(attribute)),))
        rows += [
            (Td(level), *(Td(_share(counted[split], totals[split])) for split in splits)) for level, counted in levels.items()
        ]
    return TableView("Images by subgroup and split", ("Subgroup", *splits), tuple(rows), kind="narrow")


def labels_table(facts: ReportFacts) -> TableView | None:
    """Positive of labelled images for each finding and split, and how many have no usable label."""
    if not facts.prevalence:
        return None
    splits = list(next(iter(facts.prevalence.values())))
    rows = []
    for finding, counted in facts.prevalence.items():
        cells = [
            Td(_share(positive, positive + negative), sub=f"{blank:,} not labelled" if blank else "")
            for positive, negative, blank in (counted[split] for split in splits)
        ]
        rows.append((Td(finding), *cells))
    return TableView("Images with each finding, of those labelled", ("Finding", *splits), tuple(rows), kind="narrow")


def exclusion_table(facts: ReportFacts) -> TableView | None:
    """Files left out, by reason."""
    rows = tuple(words([reason, count_text(count)]) for reason, count in facts.exclusions.items() if count)
    return TableView("Files left out", ("Reason", "Files"), rows, kind="narrow") if rows else None


def performance_table(result: AuditResult) -> TableView:
    """How the finding is ranked, overall."""
    rows = []
    for finding in result.table.findings:
        first = result.estimate(finding, "auroc")
        counts = Td(_share(first.n_pos, first.n)) if first else Td("–")
        rows.append((Td(finding), counts, *(estimate_cell(result.estimate(finding, name)) for name in _RANKING)))
    foot = "AUPRC is to be read beside the prevalence: that is its value for a model that knows nothing. "
    head = ("Finding", "With finding", *(LABELS[name] for name in _RANKING))
    caption = "Discrimination on the test set, with 95 % intervals"
    return TableView(caption, head, tuple(rows), (foot + _starred(result, _RANKING)).strip(), kind="stack")


def rates_table(result: AuditResult) -> TableView | None:
    """Every rate at the frozen threshold, overall. Beside the ranking it would not fit a screen."""
    if not any(row.metric in _RATES for row in result.estimates):
        return None
    rows = tuple(
        (Td(finding), *(estimate_cell(result.estimate(finding, name)) for name in _RATES)) for finding in result.table.findings
    )
    head = ("Finding", *(LABELS[name] for name in _RATES))
    return TableView("Rates at the frozen threshold, with 95 % intervals", head, rows, _starred(result, _RATES), kind="stack")


def threshold_table(result: AuditResult, facts: ReportFacts) -> TableView | None:
    """The frozen threshold, where it came from, and the 2×2 table it makes."""
    if not result.table.frame["decision"].notna().any():
        return None
    points = {point.finding: point for point in facts.operating_points}
    rows = []
    for cells in finding_cells(result.table):
        cell, point = cells.whole.decided(), points.get(cells.whole.finding)
        origin = (
            f"{_criterion(point.criterion)} on {point.split} ({point.n_pos:,} with finding)"
            if point
            else "given with the table"
        )
        called = cell.decision == 1
        counts = [
            np.count_nonzero(a & b)
            for a, b in ((called, cell.positive), (called, ~cell.positive), (~called, cell.positive), (~called, ~cell.positive))
        ]
        texts = [_threshold(result.table.frame, cell), origin, *(count_text(int(count)) for count in counts)]
        rows.append(words([cell.finding, *texts]))
    head = ("Finding", "Threshold", "Chosen by", "Hits", "False alarms", "Missed", "Rightly negative")
    return TableView("Decisions at the frozen threshold", head, tuple(rows), kind="stack")


def errors_table(result: AuditResult) -> TableView | None:
    """The most confident wrong calls."""
    frame = result.table.frame
    wrong = frame[frame["target"].notna() & frame["decision"].notna() & (frame["decision"] != frame["target"])]
    if wrong.empty:
        return None
    rows: list[tuple[Td, ...]] = []
    for decision, heading, ascending in (
        (1.0, "Called, but labelled absent", False),
        (0.0, "Not called, but labelled present", True),
    ):
        kind = wrong[wrong["decision"] == decision].sort_values("score", ascending=ascending)
        # Two of each finding, or one with extreme probabilities would fill the list.
        kind = kind.groupby("finding", sort=False).head(2).head(_CONFIDENT_ERRORS)
        if len(kind):
            rows.append((Td(heading),))
        rows += [
            words([str(row["sample_id"]), str(row["finding"]), number(float(row["score"]), "auroc")])
            for row in kind.to_dict("records")
        ]
    score = "Probability" if result.table.is_probability else "Score"
    return TableView(
        "The most confident errors: look at these images first", ("Sample", "Finding", score), tuple(rows), kind="narrow"
    )


def calibration_table(result: AuditResult) -> TableView | None:
    """Intercept, slope, observed ÷ expected, Brier score, and ECE beside its null band."""
    if not result.table.is_probability:
        return None
    metrics = ("calibration_intercept", "calibration_slope", "oe_ratio", "brier")
    rows = tuple(
        (
            Td(finding),
            *(estimate_cell(result.estimate(finding, name)) for name in metrics),
            _ece_cell(result.estimate(finding, "ece")),
        )
        for finding in result.table.findings
    )
    foot = (
        "A calibrated model has intercept 0, slope 1, and observed ÷ expected 1. ECE is above 0 for a perfect model too: "
        "what a calibrated model shows in a sample of this size (95 % of the time) stands below it. That band is no interval "
        "around the value: only an ECE above it says that the model is miscalibrated."
    )
    head = ("Finding", *(LABELS[name] for name in metrics), "ECE and its null band")
    return TableView("Calibration on the test set, with 95 % intervals", head, rows, foot, kind="stack")


def flat_table(caption: str, values: Mapping[str, Any]) -> TableView | None:
    """Nested facts as lines of ``Key, key: value``, in words."""
    rows = tuple(
        (Td(said(name)), Td(said((text,)) if name[-1] == "chosen_by" else text, kind="words")) for name, text in _flat(values)
    )
    return TableView(caption, ("Item", "Value"), rows, kind="narrow") if rows else None


def config_table(values: Mapping[str, Any]) -> TableView | None:
    """The configuration, each setting under the name that it has in the file (``data.source``)."""
    rows = tuple((Td(".".join(name)), Td(text, kind="words")) for name, text in _flat(values))
    return TableView("Configuration", ("Setting", "Value"), rows, kind="narrow") if rows else None


def _starred(result: AuditResult, metrics: tuple[str, ...]) -> str:
    rows = (result.estimate(finding, name) for finding in result.table.findings for name in metrics)
    return unstable_foot(rows, repeat=result.table.patients_repeat)


def _ece_cell(row: EstimateRow | None) -> Td:
    """The value; below it the band of a calibrated model, which is no interval around the value."""
    if row is None or row.estimate.value is None:
        return estimate_cell(row)
    side = beside_band(row.estimate)
    chip = Chip(f"{'✕ above' if side == 'above' else '! below'} the band", "fail") if side else None
    return Td(number(row.estimate.value, "ece"), sub=band_text(row.estimate), chip=chip)


def _threshold(frame: pd.DataFrame, cell: Cell) -> str:
    given = frame.loc[frame["finding"] == cell.finding, "threshold"].dropna().unique()
    if given.size == 0:
        return "–"
    return number(float(given[0]), "auroc") if given.size == 1 else f"{given.size} thresholds"


def _criterion(text: str) -> str:
    return with_signs(text.replace(">=", "≥").replace("<=", "≤"))


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({number(part / whole, 'prevalence')})" if whole else "0"


def _flat(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    lines: list[tuple[tuple[str, ...], str]] = []
    for key, value in values.items():
        name = (*above, str(key))
        if key == "exclude_patients":
            # These are ids as a hospital writes them; a report goes from hand to hand.
            lines.append((name, f"{len(value or ())} patients"))
        elif isinstance(value, Mapping):
            lines += _flat(value, name)
        elif isinstance(value, (list, tuple)):
            lines.append((name, ", ".join(_plain(item) for item in value) or "none"))
        else:
            lines.append((name, _plain(value, "NOT PROVIDED" if key in _STATED else "none")))
    return lines


def _plain(value: Any, blank: str = "none") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return count_text(value) if value >= 10_000 else str(value)
    return blank if value is None or value in ("", "not given") else str(value)
