"""The comparison as one self-contained page, in the audit report's style."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medclassify import __version__, audit
from medclassify.audit.report.views import Chip, TableView, Td, shown
from medclassify.audit.words import LABELS, estimate_text, gap_text, number, p_value
from medclassify.comparison.compare import Comparison, left_out_lines
from medclassify.comparison.rows import DifferenceRow, Verdict
from medclassify.records import Estimate

_AUDIT_TEMPLATES = Path(audit.__file__).parent / "templates"
_CHIPS = {Verdict.EQUAL: ("✓", "pass"), Verdict.DIFFERENT: ("✕", "fail"), Verdict.INSUFFICIENT: ("○", "insufficient")}
_METRICS = {**LABELS, "prevalence": "Prevalence"}


def render_comparison(found: Comparison) -> str:
    """The page as HTML: no network, no script, everything escaped."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", _AUDIT_TEMPLATES]),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    whole = [row for row in found.rows if row.attribute == "all"]
    return environment.get_template("compare.html.j2").render(
        style=Markup((_AUDIT_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        version=__version__,
        first=found.pair.names[0],
        second=found.pair.names[1],
        paired=found.paired,
        samples=found.samples_line,
        left_out=left_out_lines(found.pair),
        notes=found.pair.notes,
        margin=f"{found.margin:g}",
        bootstrap=f"{found.bootstrap:,}",
        seed=found.seed,
        overall=differences_table("Differences, second minus first, with 95 % intervals", whole),
        subgroups=[
            (shown(name), differences_table(f"Differences by {shown(name)}", [r for r in found.rows if r.attribute == name]))
            for name in found.pair.levels
        ],
        reclassified=_reclassified_table(found),
        shift=_shift_table(found),
        mix=_mix_table(found),
    )


def differences_table(caption: str, rows: list[DifferenceRow]) -> TableView | None:
    """One line a difference."""
    lines = []
    for row in rows:
        name = row.finding if row.attribute == "all" else f"{row.finding}, {row.subgroup}"
        counts = f"{row.n_pos_a:,} of {row.n_a:,}"
        if (row.n_pos_a, row.n_a) != (row.n_pos_b, row.n_b):
            counts += f" → {row.n_pos_b:,} of {row.n_b:,}"
        symbol, kind = _CHIPS.get(Verdict(row.verdict), ("", "")) if row.verdict else ("", "")
        lines.append(
            (
                Td(name, sub=_METRICS[row.metric]),
                Td(counts),
                Td(_value(row.a, row.metric)),
                Td(_value(row.b, row.metric)),
                Td(difference_text(row), sub=row.note if row.difference is not None else "", kind=""),
                Td(p_value(row.p), sub=f"Holm {p_value(row.p_adjusted)}" if row.p_adjusted is not None else ""),
                Td(
                    "" if row.verdict else "–",
                    chip=Chip(f"{symbol} {row.verdict}", kind) if row.verdict else None,
                    kind="words",
                ),
            )
        )
    head = ("Finding", "With finding", "First", "Second", "Difference", "p", "Verdict")
    return TableView(caption, head, tuple(lines), kind="stack") if lines else None


def difference_text(row: DifferenceRow) -> str:
    """``+.034 (−.012 to +.080)``, or why there is none."""
    if row.difference is None or row.ci_low is None or row.ci_high is None:
        return f"not estimable ({row.note})"
    metric = "sensitivity" if row.metric == "prevalence" else row.metric
    return gap_text(row.difference, row.ci_low, row.ci_high, metric)


def _value(value: float | None, metric: str) -> str:
    return "–" if value is None else number(value, metric)


def _reclassified_table(found: Comparison) -> TableView | None:
    rows = tuple(
        (Td(row.finding, sub="with the finding" if row.present else "without it"),
         *(Td(f"{count:,}") for count in (row.both, row.only_a, row.only_b, row.neither)))
        for row in found.reclassified
    )  # fmt: skip
    head = ("Finding", "Called by both", "By the first alone", "By the second alone", "By neither")
    foot = "Each at its own frozen threshold."
    return TableView("How calls moved (samples)", head, rows, foot=foot, kind="narrow") if rows else None


def _shift_table(found: Comparison) -> TableView | None:
    rows = []
    for row in found.shifts:
        scores = row.scores
        cells = [Td(row.finding), *(Td(f"{value:.3f}", sub=f"chance reaches {limit:.3f}") for value, limit in (
            (scores.psi, scores.psi_limit), (scores.ks, scores.ks_limit)))]  # fmt: skip
        for pair, metric in ((row.intercepts, "calibration_intercept"), (row.slopes, "calibration_slope")):
            cells.append(Td("–") if pair is None else Td(_estimate(pair[0], metric), sub=f"→ {_estimate(pair[1], metric)}"))
        rows.append(tuple(cells))
    head = ("Finding", "Score shift (PSI)", "Score shift (KS)", "Calibration intercept", "Calibration slope")
    foot = (
        "PSI and KS compare scores alone and know no label: a shift is no proof of harm, and no shift is no proof of safety. "
        "Above what chance reaches in samples of this size (95 %), the scores differ; by convention a PSI above .25 is large."
    )
    return TableView("Scores and calibration, first → second", head, tuple(rows), foot=foot, kind="stack") if rows else None


def _estimate(estimate: Estimate, metric: str) -> str:
    return estimate_text(estimate, metric, n_pos=0, n_neg=0)


def _mix_table(found: Comparison) -> TableView | None:
    rows: list[tuple[Td, ...]] = []
    for row in found.mix:
        if (Td(shown(row.attribute)),) not in rows:
            rows.append((Td(shown(row.attribute)),))
        shares = (f"{row.n_a:,} ({100 * row.share_a:.0f} %)", f"{row.n_b:,} ({100 * row.share_b:.0f} %)")
        rows.append((Td(row.subgroup), *map(Td, shares)))
    return TableView("Subgroup mix (samples)", ("Subgroup", "First", "Second"), tuple(rows), kind="narrow") if rows else None
