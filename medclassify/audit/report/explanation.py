"""The section on explained cases: the verdict on the maps first, then how they score, what to watch, and the cases."""

from collections.abc import Mapping
from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report import phrases
from medclassify.audit.report.cases import case_view
from medclassify.audit.report.views import Chip, TableView, Td
from medclassify.audit.results import AuditResult
from medclassify.audit.words import number

_METRICS = {"pointing": "Points into the region", "energy": "Energy in the region", "iou": "Overlap (IoU)"}


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """The gallery with its verdict; nothing where no case was explained."""
    if not facts.explanations:
        return None
    verdicts = phrases.findings_sanity(facts.sanity)
    return {
        "sanity": phrases.sanity(facts.sanity),
        "method": (facts.sanity or {}).get("method", "grad_cam"),
        "verdicts": [line for lines in verdicts.values() for line in lines],
        "localisation": _localisation(facts),
        "shortcuts": _shortcuts(facts),
        "alarms": phrases.alarm_lines(facts.shortcuts),
        "cases": [{**case_view(case), "sanity": _short(facts, case.finding)} for case in facts.explanations],
    }


def _short(facts: ReportFacts, finding: str) -> str:
    """The verdict that stands below one map."""
    if phrases.findings_sanity(facts.sanity).get(finding):
        return "FAILED for this finding"
    return phrases.sanity(facts.sanity)["short"]


def _localisation(facts: ReportFacts) -> TableView | None:
    if not facts.localisation:
        return None
    rows = []
    for row in facts.localisation:
        name = Td(
            f"{row['finding']}: {_METRICS[row['metric']].lower()}", sub=f"{row['n']} images of {row['n_patients']} patients"
        )
        if row["estimate"] is None:
            rows.append((name, Td(f"not estimable ({row['note']})", kind="muted"), Td("–"), Td("–"), Td("–")))
            continue
        star = " *" if row["status"] == "unstable" else ""
        found = Td(f"{_decimal(row['estimate'])} ({_decimal(row['ci_low'])}–{_decimal(row['ci_high'])}){star}", sub=row["note"])
        rows.append((name, found, Td(_decimal(row["chance"])), Td(_decimal(row["other_image"])), Td("", chip=_above(row))))
    foot = (
        "Intervals resample patients. Chance: the map’s values anywhere in the image. Other images: maps of the same finding "
        "from other images, laid over this one – what anatomy alone explains."
    )
    if any(row["status"] == "unstable" for row in facts.localisation):
        foot += " * fewer than 20 patients: read with care."
    head = ("Finding", "Score (95% CI)", "Chance", "Other images", "Better than both?")
    return TableView("Maps against known places of the finding", head, tuple(rows), foot, kind="stack")


def _above(row: Mapping[str, Any]) -> Chip:
    lows = (row["above_chance_low"], row["above_other_low"])
    return Chip("✓ shown", "pass") if all(low is not None and low > 0 for low in lows) else Chip("○ not shown", "insufficient")


def _shortcuts(facts: ReportFacts) -> TableView | None:
    judged = [row for row in facts.shortcuts if row.get("lift") is not None]
    if not judged:
        return None
    rows = tuple(
        (
            Td(f"{row['finding']}, {phrases.ZONES[row['zone']]}", sub=f"{row['n']} maps of {row['n_patients']} patients"),
            Td(f"{100 * row['share']:.1f} %"),
            Td(f"{100 * row['area']:.1f} %"),
            Td(f"{row['lift']:.2f} ({row['lift_low']:.2f}–{row['lift_high']:.2f})"),
            Td("", chip=Chip("✕ ALARM", "fail") if row["alarm"] else Chip("✓ quiet", "pass")),
        )
        for row in judged
    )
    head = ("Finding, place", "Saliency there", "Area there", "Lift (95% CI)", "Verdict")
    foot = "Lift: share of saliency over share of the area. It alarms where its lower limit lies above 2. Quiet is no proof."
    return TableView("Saliency where there is no anatomy", head, rows, foot, kind="stack")


def _decimal(value: float) -> str:
    return number(value, "auroc")
