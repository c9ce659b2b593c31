"""The report's sentences that depend on the run."""

from collections.abc import Mapping, Sequence
from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.results import AuditResult
from medclassify.audit.words import estimate_text, number, with_signs

_STATEMENTS = {
    "intended_use": "Intended use",
    "population": "Population",
    "contraindications": "Where it must not be used",
    "reference_standard": "How the labels were made (reference standard)",
    "ethics": "Ethics approval",
    "limits": "Known limits",
    "gap_meaning": "What a gap between subgroups means in this clinic",
    "owner": "Owner and contact",
}


def opening(result: AuditResult, facts: ReportFacts) -> str:
    """The first sentence: what was tested on what."""
    frame = result.table.frame
    samples, patients = int(frame["sample_id"].nunique()), int(frame["patient_id"].nunique())
    noun = ("series" if facts.sampled == "series" else "image") if facts.model else "sample"
    names, tested = listed(result.table.findings, 5, "findings"), counted(samples, noun)
    whose = f" of {counted(patients, 'patient')}" if patients != samples else ""
    if not facts.model:
        return f"Given scores for {names} on {tested}{whose}; the model behind them is not known to this report."
    held_out = " that took no part in training, calibration or the choice of thresholds" if _held_out(facts) else ""
    return f"{_model(facts)} looks for {names}. It was tested on {tested}{whose}{held_out}."


def evaluated(result: AuditResult, facts: ReportFacts) -> str:
    """Which samples the figures rest on."""
    count = counted(int(result.table.frame["sample_id"].nunique()), "sample")
    return (
        f"The test split, {count}."
        if facts.counts
        else f"The given table, {count}; rows that it marks as another split are left out."
    )


def macro_sentence(result: AuditResult) -> str:
    """The macro AUROC, and what it leaves out."""
    if len(result.table.findings) == 1:
        return ""
    text = f"Macro AUROC, the plain mean over findings: {estimate_text(result.macro, 'auroc', n_pos=0, n_neg=0)}."
    if result.macro_left_out:
        return f"{text} It leaves out {'; '.join(result.macro_left_out)}."
    return f"{text} No finding is left out."


def leakage(report: ReportFacts) -> tuple[str, list[str]]:
    """What was compared, and what was found or could not be compared."""
    facts, sampled = report.leakage, report.sampled
    names = {
        "patient_id": "patients",
        "study_uid": "studies",
        "series_uid": "series",
        "sop_uid": f"{sampled} by UID",
        "pixel_hash": f"{sampled} by pixels",
        "near_duplicate": f"{sampled} by likeness",
    }
    checked = facts.get("checked") or {}
    compared = ", ".join(f"{count:,} {names.get(check, check)}" for check, count in checked.items() if count)
    found = [each.get("text", str(each)) if isinstance(each, Mapping) else str(each) for each in facts.get("findings") or ()]
    allowed = [f"Accepted by a person: “{facts['allowed']}”."] if facts.get("allowed") else []
    other = [_named(str(line), names) for key in ("unchecked", "notes") for line in facts.get(key) or ()]
    copies = checked.get("sop_uid", 0) - checked["pixel_hash"] if checked.get("pixel_hash") else 0
    if copies > 0:
        where = ", always within one split." if facts.get("clean") else "."
        other.append(
            f"By pixels there {'is' if copies == 1 else 'are'} {counted(copies, 'image')} fewer than by UID: "
            f"the same picture stands under several UIDs{where}"
        )
    return compared, [*found, *other, *allowed]


def _named(line: str, names: Mapping[str, str]) -> str:
    """``pixel_hash: not compared`` as ``images by pixels: not compared``."""
    key, colon, rest = line.partition(":")
    return f"{names.get(key, key)}{colon}{rest}"


def sanity(result: Mapping[str, Any] | None) -> dict[str, str]:
    """Whether the saliency maps depend on what the network learnt. Every map is shown with this."""
    if result is None:
        return {
            "state": "missing",
            "short": "NOT run",
            "title": "The explanation sanity check has not been run.",
            "text": "Do not read these maps as evidence: it is not known whether they depend on what the network learnt.",
        }
    detail = _correlation(result.get("rank_correlation"))
    if result.get("note"):
        detail = f"{detail} {result['note']}".strip()
    if result.get("passed"):
        beyond = (
            ", differ from those of a model that learnt shuffled labels, and move the logit more than random or centred maps do"
            if result.get("labels")
            else ""
        )
        return {
            "state": "passed",
            "short": "maps depend on the weights",
            "title": "What is known of these maps:",
            "text": "they depend on the weights, for they change when those are randomised layer by layer (sanity check of "
            f"Adebayo 2018){beyond}. That does not say that they point at the finding. {detail}".strip(),
        }
    reasons = result.get("reasons") or ["maps hardly change when the network’s weights are randomised"]
    return {
        "state": "failed",
        "short": "run, FAILED",
        "title": "The explanation sanity check was run and FAILED.",
        "text": f"They must not be read as explanations: {'; '.join(reasons)}. {detail}".strip(),
    }


def criterion(text: str) -> str:
    """How a threshold was chosen: ``sensitivity >= 0.90`` as ``sensitivity ≥ 0.90``."""
    return with_signs(text.replace(">=", "≥").replace("<=", "≤"))


def findings_sanity(result: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Finding → why its maps must not be read, one line each; findings whose maps held are left out."""
    own = (result or {}).get("findings") or {}
    return {
        finding: [f"{finding}: {reason}." for reason in found["reasons"]]
        for finding, found in own.items()
        if found.get("reasons")
    }


ZONES = {"outside": "outside the body", "border": "at the border", "text": "at letters or markers"}
"""Parts of an image that hold no anatomy, in words."""


def alarm_lines(shortcuts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the shortcut watch alarms of, one line each."""
    return [
        f"{row['finding']}: saliency gathers {ZONES[row['zone']]}, {row['lift']:.1f} times its share of the area. "
        "Look for a shortcut."
        for row in shortcuts
        if row.get("alarm")
    ]


def statement_title(name: str) -> str:
    """The heading of a statement that only a person can make."""
    return _STATEMENTS.get(name, name.replace("_", " ").capitalize())


def counted(count: int, noun: str) -> str:
    """``1 sample``, ``1,200 samples``, ``3 series``."""
    return f"{count:,} {noun}" + ("" if count == 1 or noun == "series" else "s")


def listed(names: Sequence[str], most: int, noun: str = "") -> str:
    """``a, b and c``, or the first few and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more{f' {noun}' if noun else ''}"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _model(facts: ReportFacts) -> str:
    name = str(facts.model.get("backbone") or "The model")
    if not facts.weights:
        return name
    random = str(facts.weights.get("source", "")).startswith("random")
    return f"{name}, fine-tuned from {'random' if random else 'pretrained'} weights,"


def _held_out(facts: ReportFacts) -> bool:
    """Whether the run itself kept these samples apart, and nothing was found to cross."""
    return bool(facts.counts) and bool(facts.leakage.get("clean"))


def _correlation(value: Any) -> str:
    """The mean rank correlation at the end of the cascade, in words."""
    last = value[-1] if isinstance(value, (list, tuple)) and value else value
    if not isinstance(last, (int, float)):
        return ""
    return f"Mean rank correlation with the trained map after all weights were randomised: {number(last, 'auroc')}."
