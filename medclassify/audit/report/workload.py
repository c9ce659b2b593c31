"""The report's tables on conformal sets."""

from medclassify.audit.cells import ALL
from medclassify.audit.coverage import COVERAGE, workload
from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.views import TableView, Td, count_text, estimate_cell, unstable_foot
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, number
from medclassify.calibration import conformal_from_json
from medclassify.records import Status


def coverage_table(result: AuditResult, facts: ReportFacts) -> TableView | None:
    """Coverage overall, and every subgroup whose interval lies below what was promised."""
    if not result.coverage:
        return None
    rules = conformal_from_json(facts.conformal)[0] if facts.conformal else ()
    promised = 1 - rules[0].alpha if rules else None
    found = {(row.finding, row.attribute, row.subgroup, row.metric): row for row in result.coverage}
    overall = [
        (Td(finding), *(estimate_cell(found[finding, ALL, ALL, name]) for name in COVERAGE))
        for finding in result.table.findings
    ]
    below = [
        (Td(f"{row.finding}, {row.attribute.replace('_', ' ')} {row.subgroup}"), *_only(row.metric, estimate_cell(row)))
        for row in result.coverage
        if promised is not None and row.attribute != ALL and row.metric != "referred"
        if row.estimate.status is Status.OK and row.estimate.ci_high is not None and row.estimate.ci_high < promised
    ]
    heading = [(Td("Subgroups below what was promised (whole interval)"),)] if below else []
    promise = f"Promised on the calibrate split: {number(promised, 'prevalence')} of each class. " if promised else ""
    caution = (
        ""
        if below or not result.table.attributes
        else "No subgroup's interval lies wholly below it, which does not show that each is covered. "
    )
    foot = promise + (caution if promised else "") + unstable_foot(result.coverage, repeat=result.table.patients_repeat)
    head = ("Finding", *(LABELS[name] for name in COVERAGE))
    caption = "Conformal sets on the test set: coverage of each class, with 95 % intervals"
    return TableView(caption, head, (*overall, *heading, *below), foot.strip(), kind="stack")


def workload_table(result: AuditResult, facts: ReportFacts) -> TableView | None:
    """Whole cases: how many go to a person against how many findings nobody looks at, a line a level."""
    rows = [row for row in workload(result.table, facts.conformal) if row.finding == ALL]
    if not rows:
        return None
    lines = tuple(
        (
            Td(f"{row.alpha:g}"),
            Td(f"{count_text(row.to_person)} ({number(row.to_person / row.n, 'prevalence')})"),
            Td(f"{count_text(row.missed)} of {count_text(row.n_pos)}"),
            Td(f"{count_text(row.false_alarms)} of {count_text(row.n_neg)}"),
        )
        for row in rows
    )
    foot = (
        "A case goes to a person where the set of any of its findings holds both answers or none. Missed: present, answered "
        "“absent”, in a case that goes to nobody. Limits come from the calibrate split at every level; each finding's own "
        "line stands in audit.json."
    )
    head = ("Alpha", "Cases to a person", "Missed findings", "False alarms")
    return TableView("Workload against missed findings, by level of the conformal sets", head, lines, foot, kind="narrow")


def _only(metric: str, cell: Td) -> tuple[Td, ...]:
    return tuple(cell if name == metric else Td("") for name in COVERAGE)
