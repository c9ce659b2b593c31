"""The section on attributes that may give a finding away: by prevalence, and by what the embeddings hold."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.probes import NOT_USED
from medclassify.audit.report.views import Chip, TableView, Td, count_text, shown
from medclassify.audit.results import AuditResult
from medclassify.audit.words import estimate_text, gap_number, number, p_value
from medclassify.records import Estimate


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any] | None:
    """Prevalence by subgroup and attribute probes; nothing where no attribute is known."""
    if not result.table.attributes and not facts.probes:
        return None
    return {
        "confounded": confounding_table(result, alarms=True),
        "unconfounded": confounding_table(result, alarms=False),
        "probe_table": probe_table(facts),
        "not_used": NOT_USED,
        "probes_note": facts.probes_note,
    }


def probe_table(facts: ReportFacts) -> TableView | None:
    """How well each attribute can be read off the embeddings: of the model, of where it started, and by chance."""
    rows = []
    for probe in facts.probes:
        name = Td(shown(probe.attribute), sub=probe.note)
        levels = Td(", ".join(probe.levels), kind="words")
        start = Td("–") if probe.initial is None else Td(_plain(probe.initial), sub=probe.initial_name)
        rows.append((name, levels, Td(count_text(probe.n_test)), Td(_plain(probe.model)), start, Td(_plain(probe.permuted))))
    head = (
        "Attribute",
        "Levels",
        "Test samples",
        "AUROC, this model",
        "AUROC, before training",
        "AUROC, attribute dealt by lot",
    )
    return TableView("Attributes read off the embeddings by a linear probe", head, tuple(rows), kind="stack") if rows else None


def confounding_table(result: AuditResult, *, alarms: bool) -> TableView | None:
    """Prevalence by subgroup; the attribute alone, the model, and the model within levels, side by side."""
    pairs = sorted((row for row in result.confounding if row.alarm is alarms), key=lambda row: not row.shown)
    rows = []
    for row in pairs:
        shares = " · ".join(f"{level} {_share(n_pos, n)}" for level, n, n_pos in row.levels)
        within = _plain(row.within)
        drop = "" if row.drop is None else f"{gap_number(-row.drop, 'auroc')} to overall"
        chip = (Chip("! confounded", "fail") if row.shown else Chip("? may be chance", "insufficient")) if row.alarm else None
        names = Td(row.finding, sub=f"by {shown(row.attribute)}", chip=chip)
        model, alone = Td(_plain(row.model)), Td(_plain(row.alone))
        rows.append((names, Td(shares, kind="words"), Td(p_value(row.p)), alone, model, Td(within, sub=drop)))
    if not rows:
        return None
    head = (
        "Finding",
        "Prevalence by subgroup",
        "p",
        "AUROC of the attribute alone",
        "AUROC of the model",
        "Model within levels",
    )
    if alarms:
        caption = "Prevalence differs much between these subgroups"
        foot = (
            "? may be chance: the difference is large here, but p is .05 or more, so this sample does not show it either way."
        )
        return TableView(caption, head, tuple(rows), foot if any(not row.shown for row in pairs) else "", "stack")
    foot = (
        "That a difference is small here does not show that there is none: in a small sample see the interval of the "
        "attribute’s AUROC. p “–”: fewer than 10 samples with or without the finding, so nothing is shown either way."
    )
    return TableView("Prevalence by subgroup: no large difference in this sample", head, tuple(rows), foot, "stack")


def _plain(estimate: Estimate) -> str:
    return estimate_text(estimate, "auroc", n_pos=0, n_neg=0)


def _share(part: int, whole: int) -> str:
    return f"{count_text(part)} of {count_text(whole)} ({number(part / whole, 'prevalence')})" if whole else "0 of 0"
