"""The section on subgroups: how does each group fare, and what may be said."""

from typing import Any

from medclassify.audit.facts import ReportFacts
from medclassify.audit.gap_row import COMPLEMENT, GapRow, GapVerdict
from medclassify.audit.report.checks import verdict_sentence
from medclassify.audit.report.groups import group_views
from medclassify.audit.report.views import TableView, Td, detectable_text, few, shown, verdict_chip, words
from medclassify.audit.results import AuditResult
from medclassify.audit.words import LABELS, estimate_text, gap_number, gap_text, p_value


def context(result: AuditResult, facts: ReportFacts) -> dict[str, Any]:
    """Each finding by the subgroups of each attribute; crossed attributes have a section of their own."""
    attributes = [name for name in result.table.attributes if name not in result.table.intersections]
    return {
        "views": group_views(result, attributes) if attributes else [],
        "verdict_sentence": verdict_sentence(result),
        "failing_table": failing_table(result),
        "worst_table": worst_table(result),
        "beyond": beyond_sentence(result),
        "odds_table": odds_table(result),
        "chips": {str(verdict).lower(): verdict_chip(verdict) for verdict in GapVerdict},
        "few": few(result.table.patients_repeat),
        "simultaneous": any(row.sim_low is not None for row in result.gaps),
    }


def failing_table(result: AuditResult) -> TableView | None:
    """All gaps beyond the margin, those against all others too."""
    failed = [row for row in result.gaps if row.verdict is GapVerdict.FAIL]
    failed.sort(key=lambda row: (not row.holds, row.reference == COMPLEMENT, -abs(row.gap or 0)))
    rows = []
    for row in failed:
        assert row.gap is not None
        assert row.ci_low is not None
        assert row.ci_high is not None
        text = gap_text(row.gap, row.ci_low, row.ci_high, row.metric)
        adjusted = Td(p_value(row.p_adjusted), sub="" if row.holds else "does not hold after adjustment")
        names = (row.finding, shown(row.attribute), f"{row.subgroup} against {row.reference}", LABELS[row.metric])
        rows.append((*(Td(name) for name in names), Td(text, sub=together(row), chip=verdict_chip(row.verdict)), adjusted))
    head = ("Finding", "Attribute", "Groups", "Metric", "Gap", "p (Holm)")
    return TableView("Gaps whose whole interval lies beyond the margin", head, tuple(rows), kind="stack") if rows else None


def together(row: GapRow) -> str:
    """The max-T limits of a stable comparison, or why it has none."""
    if row.sim_low is not None and row.sim_high is not None:
        return f"max-T: {gap_number(row.sim_low, row.metric)} to {gap_number(row.sim_high, row.metric)}"
    return (
        "no max-T limits: not against the reference"
        if row.reference == COMPLEMENT
        else "no max-T limits: too few resamples define them"
    )


def worst_table(result: AuditResult) -> TableView | None:
    """The largest difference between subgroups, beside that of subgroups which do not differ."""
    rows = []
    for row in sorted(result.worst_groups, key=lambda row: 2.0 if row.p is None else row.p):
        names = (Td(row.finding, sub=f"by {shown(row.attribute)}"), Td(LABELS[row.metric]))
        if row.gap is None or row.null_mean is None or row.null_high is None:
            rows.append((*names, Td(f"not estimable ({row.note})", kind="muted"), Td("–"), Td("–")))
            continue
        left = f"left out, too few: {', '.join(row.left_out)}" if row.left_out else ""
        gap = Td(detectable_text(row.gap, row.metric), sub=f"{row.worst} lowest, {row.best} highest")
        null = Td(
            detectable_text(row.null_mean, row.metric), sub=f"up to {detectable_text(row.null_high, row.metric)} in 95 of 100"
        )
        rows.append((*names, gap, null, Td(p_value(row.p), sub=left)))
    head = ("Finding", "Metric", "Highest minus lowest", "Where groups do not differ", "p")
    return TableView("The lowest and the highest subgroup", head, tuple(rows), kind="stack") if rows else None


def beyond_sentence(result: AuditResult) -> str:
    """How many spreads lie above what equal subgroups show."""
    judged = [row for row in result.worst_groups if row.gap is not None and row.null_high is not None]
    above = sum((row.gap or 0) > (row.null_high or 0) for row in judged)
    if not judged:
        return ""
    chance = f"by chance alone about {0.05 * len(judged):.0f} would"
    return f"{above} of {len(judged)} lie above what 95 of 100 such samples show, where {chance}"


def odds_table(result: AuditResult) -> TableView | None:
    """Equalised-odds difference of each finding and attribute."""
    rows = tuple(
        words([row.finding, shown(row.attribute), estimate_text(row.estimate, row.metric, n_pos=row.n_pos, n_neg=row.n_neg)])
        for row in result.equalised_odds
    )
    head = ("Finding", "Attribute", "Equalised-odds difference")
    foot = (
        "The larger of two spreads over subgroups, of sensitivity and of the false-alarm rate; above 0 also where subgroups do "
        "not differ."
    )
    return TableView("Equalised odds at the frozen threshold", head, rows, foot, kind="narrow") if rows else None
