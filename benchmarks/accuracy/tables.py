"""The Markdown table of an accuracy benchmark, and what its intervals mean."""

from collections.abc import Mapping, Sequence

from benchmarks.accuracy.arms import DEFAULT
from benchmarks.accuracy.comparison import PUBLISHED, Mean, difference, estimable, mean_auroc, own_width
from benchmarks.accuracy.scores import Scores

_HEAD = (
    "Data",
    "Finding",
    "Arm",
    "Mean AUROC (95 %)",
    "Seeds, lowest–highest",
    "Interval of one run",
    "Default minus this arm",
    "Minutes",
)


def markdown(collection: str, arms: Mapping[str, Sequence[Scores]]) -> str:
    """One row a finding and arm, and a line that says what the intervals are about.

    Args:
        collection: The data set's name.
        arms: Runs of each arm, at least two seeds; the default's among them.
    """
    findings = estimable(arms)
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    for finding in findings:
        lines += [_row(collection, finding, arm, arms) for arm in arms]
    everything = {run_finding for runs in arms.values() for run in runs for run_finding in run.table["finding"]}
    left_out = sorted(everything - set(findings))
    return "\n".join(lines) + "\n\n" + _legend(arms, findings, left_out)


def _row(collection: str, finding: str, arm: str, arms: Mapping[str, Sequence[Scores]]) -> str:
    runs = arms[arm]
    mean = mean_auroc(runs, [finding])
    gap = "" if arm == DEFAULT else _gap(difference(arms[DEFAULT], runs, [finding]))
    minutes = [run.minutes for run in runs]
    cells = (
        collection,
        finding,
        f"**{arm}**" if arm == DEFAULT else arm,
        f"{mean.value:.3f} ({mean.low:.3f}–{mean.high:.3f})",
        f"{len(runs)}, {min(mean.seeds):.3f}–{max(mean.seeds):.3f}",
        f"{own_width(runs, finding):.3f} wide",
        gap,
        f"{sum(minutes) / len(minutes):.1f} ({min(minutes):.1f}–{max(minutes):.1f})",
    )
    return "| " + " | ".join(cells) + " |"


def _gap(gap: Mean) -> str:
    ahead = sum(each > 0 for each in gap.seeds)
    return f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), ahead in {ahead} of {len(gap.seeds)}"


def _legend(arms: Mapping[str, Sequence[Scores]], findings: Sequence[str], left_out: Sequence[str]) -> str:
    runs = [run for each in arms.values() for run in each]
    method = mean_auroc(arms[DEFAULT], findings).method
    about = (
        "Every seed is scored on the same published test list: the interval says how the mean of these models would vary with "
        "other patients, not with other seeds."
        if method == PUBLISHED
        else "Each seed draws its own splits: the interval says how the mean would vary with other splits (allowing for "
        "patients that test sets share); the interval of one run says what that run alone would report."
    )
    threads = ", ".join(sorted({str(run.threads) for run in runs}))
    rest = f" Not estimable in every split, and left out: {', '.join(left_out)}." if left_out else ""
    return f"{about}{rest} Minutes are wall time of the whole run on {threads} thread(s), on a machine that had other work too."
