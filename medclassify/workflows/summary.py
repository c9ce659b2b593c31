"""What a verb prints when it has finished: the figures first, then what was written and what to do next."""

from medclassify.audit import AuditResult
from medclassify.records import Estimate
from medclassify.workflows.fit import Fitted
from medclassify.workflows.predict import Predicted

_SHOWN = 20


def auroc_table(audit: AuditResult) -> str:
    """AUROC with its interval, and sensitivity and specificity at the frozen threshold, one line a finding."""
    rows: dict[str, dict[str, Estimate]] = {}
    counts: dict[str, tuple[int, int]] = {}
    for row in audit.estimates:
        if row.attribute == "all":
            rows.setdefault(row.finding, {})[row.metric] = row.estimate
            counts[row.finding] = (row.n_pos, row.n)
    width = max(map(len, rows), default=7)
    lines = [f"{'finding':{width}}  positives  AUROC (95% CI)        sensitivity  specificity"]
    for finding, estimates in rows.items():
        positives, n = counts[finding]
        lines.append(
            f"{finding:{width}}  {positives:4d}/{n:<4d}  {_figure(estimates.get('auroc'), interval=True):20}  "
            f"{_figure(estimates.get('sensitivity')):11}  {_figure(estimates.get('specificity'))}"
        )
    if audit.macro_auroc is not None and len(rows) > 1:
        left_out = f" (without {', '.join(audit.macro_left_out)})" if audit.macro_left_out else ""
        lines.append(f"macro AUROC {audit.macro_auroc:.3f}{left_out}")
    return "\n".join(lines)


def fit_summary(fitted: Fitted) -> str:
    """The test figures, the files, and the next two commands."""
    run = fitted.run
    return "\n".join(
        [
            "",
            "test split, calibrated:",
            auroc_table(fitted.audit),
            "",
            f"wrote {run.root} in {fitted.seconds / 60:.1f} minutes",
            f"  report       {run.report}",
            f"  predictions  {run.predictions}",
            f"  model        {run.model}",
            f"next: open {run.report}",
            f"      medclassify review {run.root}",
        ]
    )


def prediction_lines(predicted: Predicted) -> str:
    """The first images with their probabilities, one line a sample and finding."""
    table = predicted.predictions
    lines = [f"{'sample':16}  {'finding':20}  probability  threshold  decision"]
    for row in table.head(_SHOWN).to_dict("records"):
        decision = "POSITIVE" if row["decision"] else "negative"
        lines.append(
            f"{row['sample_id']:16}  {row['finding']:20}  {row['prob_cal']:11.3f}  {row['threshold']:9.3f}  {decision}"
        )
    if len(table) > _SHOWN:
        lines.append(f"… and {len(table) - _SHOWN} more rows")
    return "\n".join(lines)


def _figure(estimate: Estimate | None, *, interval: bool = False) -> str:
    if estimate is None or estimate.value is None:
        return f"not estimable{f' ({estimate.note})' if estimate and estimate.note else ''}"
    if not interval or estimate.ci_low is None or estimate.ci_high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.ci_low:.3f}-{estimate.ci_high:.3f})"
