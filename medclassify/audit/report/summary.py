"""The top of the report: what a reader must know after one minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medclassify.audit.cells import ALL
from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import GapRow, GapVerdict
from medclassify.audit.report import phrases
from medclassify.audit.report.checks import calibration_sentence, checks_table
from medclassify.audit.report.views import TableView, Td, count_text, estimate_cell, gap_line, shown, unstable_foot
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, estimate_text, span
from medclassify.records import Estimate

_MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Banner:
    """Something that must not be overlooked."""

    title: str
    text: str
    kind: str = "alarm"


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number: value, what it is, and a line below."""

    value: str
    label: str
    sub: str = ""


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """The head of the page and what stands in its first screen."""
    worst, more_failures = failures(result)
    first, rest = most(warnings(result, facts))
    created = str(facts.provenance.get("created") or "").replace("T", " ").replace("+00:00", " UTC")
    backbone = str(facts.model.get("backbone") or "")
    given = ("" if backbone in facts.title else backbone, phrases.counted(len(result.table.findings), "finding"), created)
    return {
        "subtitle": " · ".join(str(part) for part in given if part),
        "created": created,
        "banners": banners(facts),
        "opening": phrases.opening(result, facts),
        "headline": headline(result, facts),
        "findings_table": findings_table(result),
        "checks_table": checks_table(result, facts),
        "failures": worst,
        "more_failures": more_failures,
        "warnings": first,
        "more_warnings": rest,
    }


def banners(facts: ReportFacts) -> list[Banner]:
    """The banners above everything."""
    found = []
    if facts.synthetic:
        found.append(
            Banner(
                "Synthetic data",
                "The images in this report were rendered by a program. No figure here says anything about real patients.",
            )
        )
    if facts.weights.get("fallback"):
        found.append(
            Banner(
                "Random initial weights",
                "The pretrained weights could not be had, so the network started from random numbers. "
                "This is a demonstration; do not use this model. " + _sentence(str(facts.weights.get("note") or "")),
            )
        )
    if facts.leakage.get("allowed"):
        found.append(
            Banner(
                "Leakage was allowed",
                f"Patients or images may stand in more than one split. Stated reason: “{facts.leakage['allowed']}”. "
                "Figures are likely to be too good.",
            )
        )
    return found


def headline(result: AuditResult, facts: ReportFacts) -> list[Figure]:
    """Three or four numbers."""
    frame = result.table.frame
    samples, patients = frame["sample_id"].nunique(), frame["patient_id"].nunique()
    known = len(result.table.findings) - len(result.macro_left_out)
    macro = result.macro
    limits = (
        "" if macro.ci_low is None or macro.ci_high is None else f"95 % interval {span(macro.ci_low, macro.ci_high, 'auroc')}"
    )
    value = "–" if macro.value is None else estimate_text(_bare(macro), "auroc", n_pos=0, n_neg=0)
    label = "AUROC" if len(result.table.findings) == 1 else f"macro AUROC over {known} of {len(result.table.findings)} findings"
    figures = [
        Figure(value, label, limits),
        Figure(count_text(samples), f"test {facts.sampled}" if facts.model else "samples", f"{count_text(patients)} patients"),
    ]
    if result.reference_gaps:
        verdicts = result.verdicts
        figures.append(
            Figure(str(verdicts["FAIL"]), "subgroup gaps beyond the margin", f"of {len(result.reference_gaps)} comparisons")
        )
        figures.append(
            Figure(str(verdicts["INSUFFICIENT"]), "gaps the sample cannot judge", f"{verdicts['PASS']} within the margin")
        )
    return figures


def findings_table(result: AuditResult) -> TableView:
    """One line a finding: AUROC, sensitivity and specificity at the frozen threshold, calibration in words."""
    metrics = [name for name in ("auroc", "sensitivity", "specificity") if _has(result, name)]
    rows = []
    for finding in result.table.findings:
        first = result.estimate(finding, "auroc")
        counts = Td(f"{count_text(first.n_pos)} of {count_text(first.n)}" if first else "–")
        cells = [Td(finding), counts, *(estimate_cell(result.estimate(finding, name)) for name in metrics)]
        if result.table.is_probability:
            cells.append(Td(calibration_sentence(result, finding), kind="words"))
        rows.append(tuple(cells))
    starred = (result.estimate(finding, name) for finding in result.table.findings for name in metrics)
    foot = unstable_foot(starred, repeat=result.table.patients_repeat)
    head = ["Finding", "Present in", *(LABELS[name] for name in metrics)]
    head += ["Calibration"] if result.table.is_probability else []
    return TableView("Results on the test set, with 95 % intervals", tuple(head), tuple(rows), foot=foot, kind="stack")


def failures(result: AuditResult, most: int = _MOST_LINES) -> tuple[list[str], int]:
    """The largest gaps beyond the margin in words, and how many more there are."""
    failed = [row for row in result.reference_gaps if row.verdict is GapVerdict.FAIL]
    failed.sort(key=lambda row: (not row.holds, -abs(row.gap or 0)))
    return [gap_sentence(row) for row in failed[:most]], max(0, len(failed) - most)


def gap_sentence(row: GapRow) -> str:
    """``Cardiomegaly, sex F against M: AUROC gap −.235 (…)``."""
    adjusted = "" if row.holds else " – not after Holm’s adjustment"
    text = gap_line(row).removeprefix("gap ")
    groups = f"{shown(row.attribute)} {row.subgroup} against {row.reference}"
    return f"{row.finding}, {groups}: {LABELS[row.metric]} gap {text}{adjusted}"


def warnings(result: AuditResult, facts: ReportFacts) -> list[str]:
    """What the reader must see, worst first."""
    lines = list(facts.warnings)
    if facts.leakage and not facts.leakage.get("clean", True):
        lines.append("Patients or images stand in two splits; see Data.")
    if facts.sanity is not None and not facts.sanity.get("passed", False):
        reasons = "; ".join(facts.sanity.get("reasons") or ["the saliency maps do not depend on what the network learnt"])
        lines.append(f"The explanation sanity check failed: {reasons}.")
    lines += [f"Shortcut watch: {line}" for line in phrases.alarm_lines(facts.shortcuts)]
    lines += _confounding_lines(result)
    lines += _miscalibrated_lines(result)
    for point in facts.operating_points:
        if point.warning:
            lines.append(point.warning if point.warning.startswith(point.finding) else f"{point.finding}: {point.warning}")
    if result.macro_left_out and len(result.table.findings) > 1:
        lines.append(f"The macro AUROC leaves out {'; '.join(result.macro_left_out)}.")
    lines += result.table.notes
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _confounding_lines(result: AuditResult) -> list[str]:
    """A line for each large difference of prevalence that the sample shows; one line for those that may be chance."""
    alarms = [row for row in result.confounding if row.alarm]
    lines = [row.line for row in alarms if row.shown]
    unsure = [f"{row.finding} by {shown(row.attribute)}" for row in alarms if not row.shown]
    if unsure:
        names = "; ".join(unsure[:_MOST_LINES]) + (
            f" and {len(unsure) - _MOST_LINES} more" if len(unsure) > _MOST_LINES else ""
        )
        lines.append(
            f"Prevalence differs much between subgroups, but that may be chance in a sample of this size (p ≥ .05): {names}. "
            "Whether the attribute gives the finding away is not shown either way."
        )
    return lines


def _miscalibrated_lines(result: AuditResult) -> list[str]:
    """One line a finding whose probabilities are off on average in some subgroup, which the whole test set may hide."""
    lines = []
    for finding in result.table.findings:
        found = [row for row in result.miscalibrated if row.finding == finding]
        whole = [(row.estimate.value or 0) > 0 for row in found if row.attribute == ALL]
        # Where the whole test set is off, its subgroups are too; what differs from it is news.
        off = [row for row in found if row.attribute != ALL and ((row.estimate.value or 0) > 0) not in whole]
        said = [
            f"{shown(row.attribute)} {row.subgroup} too {'low' if (row.estimate.value or 0) > 0 else 'high'}" for row in off
        ]
        if said:
            lines.append(f"{finding}: probabilities are off on average in subgroups (after Holm): {phrases.listed(said, 4)}.")
    return lines


def _has(result: AuditResult, metric: str) -> bool:
    return any(row.metric == metric for row in result.estimates)


def _bare(estimate: Estimate) -> Estimate:
    return Estimate(estimate.value, None, None, "", estimate.status)


def _sentence(text: str) -> str:
    return "" if not text else text[0].upper() + text[1:].rstrip(".") + "."


def most(lines: Sequence[str], count: int = _MOST_LINES) -> tuple[list[str], list[str]]:
    """The first lines, and the rest."""
    return list(lines[:count]), list(lines[count:])
