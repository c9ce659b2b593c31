"""The five questions of the first screen, each answered by a chip and a sentence."""

from collections.abc import Callable
from dataclasses import fields

from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import GapVerdict
from medclassify.audit.report import phrases
from medclassify.audit.report.views import Chip, TableView, Td, shown
from medclassify.audit.results import AuditResult
from medclassify.audit.words import beside_band, calibration_words
from medclassify.config import HumanStatements

Answer = tuple[Chip, str]


def checks_table(result: AuditResult, facts: ReportFacts) -> TableView:
    """What a head of department asks first, and what this report can answer."""
    questions: tuple[tuple[str, Callable[[AuditResult, ReportFacts], Answer]], ...] = (
        ("Do probabilities mean what they say?", _calibrated),
        ("Are subgroups served alike?", _alike),
        ("Could an attribute give a finding away?", _given_away),
        ("Do training and test share anything?", _apart),
        ("Do the saliency maps pass their checks?", _explained),
        ("Has a person stated what the model is for?", _stated),
    )
    rows = []
    for question, answer in questions:
        chip, text = answer(result, facts)
        rows.append((Td(question), Td("", chip=chip), Td(text, kind="words")))
    return TableView("Checks", ("Question", "Answer", "Because"), tuple(rows), kind="stack checks")


def calibration_sentence(result: AuditResult, finding: str) -> str:
    """Calibration of one finding in words."""
    rows = (result.estimate(finding, name) for name in ("calibration_intercept", "calibration_slope", "oe_ratio", "ece"))
    return calibration_words({row.metric: row.estimate for row in rows if row is not None})


def verdict_sentence(result: AuditResult) -> str:
    """What the subgroup comparisons say, and what they do not."""
    if not result.reference_gaps:
        return "No attribute was given, so nothing can be said about subgroups."
    verdicts, holding = result.verdicts, sum(row.holds for row in result.reference_gaps if row.verdict is GapVerdict.FAIL)
    attributes = ", ".join(shown(attribute) for attribute in result.table.attributes)
    text = f"By {attributes}; margin ±{100 * result.margin:g} points: {verdicts['FAIL']} FAIL"
    if verdicts["FAIL"]:
        text += f" ({holding} hold after Holm’s adjustment)"
    text += f", {verdicts['INSUFFICIENT']} INSUFFICIENT, {verdicts['PASS']} PASS. "
    if verdicts["INSUFFICIENT"]:
        text += "INSUFFICIENT means that the sample cannot tell; it does not mean that the groups are alike."
    return text


def _calibrated(result: AuditResult, facts: ReportFacts) -> Answer:
    if not result.table.is_probability:
        return Chip("○ not judged", "insufficient"), "The scores are not stated to be probabilities."
    off, unknown = [], []
    for finding in result.table.findings:
        intercept = result.estimate(finding, "calibration_intercept")
        if intercept is None or intercept.estimate.value is None:
            unknown.append(finding)
        elif wrong := _wrong(result, finding):
            off.append(f"{finding} by its {' and '.join(wrong)}")
    rest = f" Not estimable, for too few samples: {phrases.listed(unknown, 4)}." if unknown else ""
    if off:
        return Chip("✕ miscalibrated", "fail"), f"Predicted and observed shares differ: {phrases.listed(off, 4)}.{rest}"
    if len(unknown) == len(result.table.findings):
        return Chip("○ cannot tell", "insufficient"), rest.strip()
    return Chip(
        "○ no fault seen", "insufficient"
    ), f"In no finding is a miscalibration shown, which a small sample may hide.{rest}"


def _wrong(result: AuditResult, finding: str) -> list[str]:
    """The figures of a finding's calibration that leave out what they should be."""
    targets = (("intercept", "calibration_intercept", 0), ("slope", "calibration_slope", 1))
    wrong = [name for name, metric, value in targets if _excludes(result, finding, metric, value)]
    ece = result.estimate(finding, "ece")
    return [*wrong, "ECE"] if ece is not None and beside_band(ece.estimate) == "above" else wrong


def _excludes(result: AuditResult, finding: str, metric: str, value: float) -> bool:
    row = result.estimate(finding, metric)
    if row is None or row.estimate.ci_low is None or row.estimate.ci_high is None:
        return False
    return not row.estimate.ci_low <= value <= row.estimate.ci_high


def _alike(result: AuditResult, facts: ReportFacts) -> Answer:
    verdicts, text = result.verdicts, verdict_sentence(result)
    if not result.reference_gaps:
        return Chip("○ not judged", "insufficient"), text
    if verdicts["FAIL"]:
        return Chip(f"✕ {verdicts['FAIL']} FAIL", "fail"), text
    if verdicts["INSUFFICIENT"]:
        return Chip("○ cannot tell", "insufficient"), text
    return Chip("✓ PASS", "pass"), text


def _given_away(result: AuditResult, facts: ReportFacts) -> Answer:
    shown_pairs = [f"{row.finding} by {shown(row.attribute)}" for row in result.confounding if row.alarm and row.shown]
    unsure = [f"{row.finding} by {shown(row.attribute)}" for row in result.confounding if row.alarm and not row.shown]
    if not result.confounding:
        return Chip("○ not judged", "insufficient"), "No attribute was given."
    if shown_pairs:
        return Chip("! possible", "fail"), f"Prevalence differs much: {phrases.listed(shown_pairs, 4)}."
    if unsure:
        return Chip(
            "○ cannot tell", "insufficient"
        ), f"Prevalence differs much, perhaps by chance: {phrases.listed(unsure, 4)}."
    return Chip(
        "○ no sign seen", "insufficient"
    ), "Of the attributes given none differs much in prevalence; others are not known here."


def _apart(result: AuditResult, facts: ReportFacts) -> Answer:
    if not facts.leakage:
        return Chip("○ not checked", "insufficient"), "It is not known here what the model was trained on."
    compared, lines = phrases.leakage(facts)
    if facts.leakage.get("clean"):
        return Chip(
            "✓ clean", "pass"
        ), f"Nothing that could be compared stands in two splits: {compared}." if compared else "Nothing stands in two splits."
    return Chip("✕ not clean", "fail"), lines[0] if lines else "Patients or images stand in two splits."


def _explained(result: AuditResult, facts: ReportFacts) -> Answer:
    if not facts.explanations and facts.sanity is None:
        return Chip("○ none made", "insufficient"), "This report shows no saliency map."
    sanity = phrases.sanity(facts.sanity)
    chip = {"passed": Chip("✓ they do", "pass"), "failed": Chip("✕ they do not", "fail")}
    return chip.get(sanity["state"], Chip("○ not checked", "insufficient")), f"{sanity['title']} {sanity['text']}"


def _stated(result: AuditResult, facts: ReportFacts) -> Answer:
    blank = [
        phrases.statement_title(field.name)
        for field in fields(HumanStatements)
        if not getattr(facts.statements, field.name).strip()
    ]
    if not blank:
        return Chip("✓ stated", "pass"), "All that only a person can state has been stated."
    text = f"{len(blank)} of {len(fields(HumanStatements))} statements are NOT PROVIDED: {', '.join(blank)}."
    return Chip("○ not fully", "insufficient"), text
