"""What a verb prints when it has finished: the figures first, then what was written and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medclassify.audit import AuditResult
from medclassify.metrics import MIN_CELL, MIN_DENOMINATOR
from medclassify.records import Estimate

if TYPE_CHECKING:  # they import torch, which an audit of a table does not need
    from medclassify.workflows.fit import Fitted
    from medclassify.workflows.predict import Predicted

_RATES = ("sensitivity", "specificity")


def auroc_table(audit: AuditResult) -> str:
    """AUROC with its interval, and sensitivity and specificity at the frozen threshold, one line a finding.

    Why a number is not estimable stands below the table: it would break its columns.
    """
    rows: dict[str, dict[str, Estimate]] = {}
    counts: dict[str, tuple[int, int]] = {}
    for row in audit.estimates:
        if row.attribute == "all":
            rows.setdefault(row.finding, {})[row.metric] = row.estimate
            counts[row.finding] = (row.n_pos, row.n)
    table = [["finding", "positives", "AUROC (95% CI)", "sensitivity", "specificity"]]
    reasons: dict[tuple[str, str], list[str]] = {}
    for finding, estimates in rows.items():
        positives, n = counts[finding]
        figures = [_figure(estimates.get("auroc"), interval=True), *(_figure(estimates.get(name)) for name in _RATES)]
        table.append([finding, f"{positives:4d}/{n}", *figures])
        for name in ("auroc", *_RATES):
            estimate = estimates.get(name)
            if estimate is not None and estimate.value is None and estimate.note:
                reasons.setdefault((finding, estimate.note), []).append(name.replace("auroc", "AUROC"))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]
    lines += [f"{finding}: {', '.join(names)} not estimable ({note})" for (finding, note), names in reasons.items()]
    if reasons:
        lines.append(
            f"needed: {MIN_CELL} with and without it for an AUROC, {MIN_DENOMINATOR} for a rate; patients, where they repeat"
        )
    if audit.macro_auroc is not None and len(rows) > 1:
        left_out = [finding for finding, estimates in rows.items() if estimates["auroc"].value is None]
        without = f" (without {', '.join(left_out)})" if left_out else ""
        lines.append(f"macro AUROC {audit.macro_auroc:.3f}{without}")
    return "\n".join(lines)


def fit_summary(fitted: Fitted) -> str:
    """The test figures, the files, and the next two commands."""
    run = fitted.run
    return "\n".join(
        [
            "",
            "test split:",
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
    """The first images with their probabilities, one line a file and finding, in the order in which the files were named."""
    table = predicted.first
    first, head = predicted.files.head(len(table)), "middle slice" if predicted.of_series else "file"
    names = {row["sample_id"]: shown_name(row["path"], predicted.of_series) for row in first.to_dict("records")}
    shown = [names[sample] for sample in table["sample_id"]]
    width = max(map(len, [head, *shown]))
    lines = [f"{head:{width}}  {'finding':20}  probability  threshold  decision"]
    for name, row in zip(shown, table.to_dict("records"), strict=True):
        decision = "POSITIVE" if row["decision"] else "negative"
        lines.append(f"{name:{width}}  {row['finding']:20}  {row['prob_cal']:11.3f}  {row['threshold']:9.3f}  {decision}")
    if predicted.rows > len(table):
        lines.append(f"… and {predicted.rows - len(table)} more rows")
    return "\n".join(lines)


def shown_name(path: str, of_series: bool) -> str:
    """What the console calls a sample: its file; of a series its middle slice and folder, since files are called alike."""
    return "/".join(Path(path).parts[-2 if of_series else -1 :])


def _figure(estimate: Estimate | None, *, interval: bool = False) -> str:
    if estimate is None or estimate.value is None:
        return "no threshold" if estimate is None else "not estimable"
    if not interval or estimate.ci_low is None or estimate.ci_high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.ci_low:.3f}-{estimate.ci_high:.3f})"
