"""The section on whose illness is overlooked (Seyyed-Kalantari et al. 2021)."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import GapVerdict
from medclassify.audit.report.views import Folded, TableView, Td, count_text, shown, verdict_chip, verdict_chips
from medclassify.audit.results import AuditResult
from medclassify.audit.underdiagnosis import Underdiagnosis
from medclassify.audit.words import estimate_text, gap_text, p_value
from medclassify.records import Status


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """One table a finding; nothing where no decision is given or no attribute."""
    if not result.underdiagnosis:
        return None
    names = dict.fromkeys(row.finding for row in result.underdiagnosis)
    return {"tables": [_folded(result, name) for name in names], "no_finding": result.no_finding}


def underdiagnosis_table(result: AuditResult, finding: str) -> TableView:
    """The rate of overlooking in each subgroup, and how much larger it is than in the reference."""
    rows: list[tuple[Td, ...]] = []
    heading = ""
    found = [row for row in result.underdiagnosis if row.finding == finding]
    for row in found:
        if row.attribute != heading:
            rows.append((Td(shown(row.attribute)),))
            heading = row.attribute
        rate = estimate_text(row.estimate, row.metric, n_pos=row.n, n_neg=row.n)
        star = " *" if row.estimate.status is Status.UNSTABLE else ""
        name = row.subgroup if row.reference else f"{row.subgroup} (reference)"
        rows.append((Td(name), Td(count_text(row.n)), Td(rate + star), _gap(row), Td(p_value(row.p_adjusted))))
    what = "ill, and called free of findings" if finding == result.no_finding else "present, and not called"
    head = (
        "Subgroup",
        "Ill" if finding == result.no_finding else "With finding",
        "Overlooked",
        "Gap to the reference",
        "p (Holm)",
    )
    return TableView(f"{finding}: {what}", head, tuple(rows), kind="stack")


def _folded(result: AuditResult, finding: str) -> Folded:
    verdicts = [row.verdict for row in result.underdiagnosis if row.finding == finding and row.verdict is not None]
    return Folded(finding, underdiagnosis_table(result, finding), verdict_chips(verdicts), GapVerdict.FAIL in verdicts)


def _gap(row: Underdiagnosis) -> Td:
    if row.gap is None or row.gap.value is None or row.gap.ci_low is None or row.gap.ci_high is None:
        return Td("–", kind="muted")
    chip = verdict_chip(row.verdict) if row.verdict is not None else None
    return Td(gap_text(row.gap.value, row.gap.ci_low, row.gap.ci_high, row.metric), chip=chip)
